//! Where in a file a hunk goes.
//!
//! A hunk that begins at line 1 belongs to the beginning of the file, one that ends without context
//! to its end. Any other goes where its lines are found nearest to the line that it names, below it
//! when two places are as near. Lines that an earlier hunk has put or kept are never found again.

use super::hunk::Hunk;
use super::refusal::Reason;
use super::text;

/// How many characters of a line a refusal repeats.
const SHOWN: usize = 120;

/// A file under change.
pub(super) struct Image<'a> {
    lines: Vec<ImageLine<'a>>,
}

#[derive(Clone, Copy)]
struct ImageLine<'a> {
    text: &'a [u8],
    /// Whether an earlier hunk covered this line.
    settled: bool,
}

impl ImageLine<'_> {
    fn is(&self, wanted: &[u8]) -> bool {
        !self.settled && self.text == wanted
    }
}

impl<'a> Image<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            lines: text::lines(bytes)
                .map(|text| ImageLine {
                    text,
                    settled: false,
                })
                .collect(),
        }
    }

    /// Puts the new lines of a hunk in the place of its old ones.
    pub(super) fn change(&mut self, hunk: &'a Hunk) -> Result<(), Reason> {
        let before: Vec<&[u8]> = hunk.before().collect();
        let start = self
            .place(hunk, &before)
            .ok_or_else(|| self.mismatch(hunk, &before))?;
        let after = hunk.after().map(|text| ImageLine {
            text,
            settled: true,
        });
        self.lines.splice(start..start + before.len(), after);
        Ok(())
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.lines
            .iter()
            .flat_map(|line| line.text)
            .copied()
            .collect()
    }

    fn place(&self, hunk: &Hunk, before: &[&[u8]]) -> Option<usize> {
        let last_start = self.lines.len().checked_sub(before.len())?;
        let at_beginning = hunk.range.old_start <= 1;
        let at_end = !hunk.ends_with_context;
        match (at_beginning, at_end) {
            (true, true) => (last_start == 0 && self.matches(0, before)).then_some(0),
            (true, false) => self.matches(0, before).then_some(0),
            (false, true) => self.matches(last_start, before).then_some(last_start),
            (false, false) => self.nearest(self.named_line(hunk), before),
        }
    }

    /// The index of the line that the hunk names. It counts in the file as the earlier hunks have
    /// left it.
    fn named_line(&self, hunk: &Hunk) -> usize {
        usize::try_from(hunk.range.new_start.saturating_sub(1))
            .unwrap_or(usize::MAX)
            .min(self.lines.len())
    }

    fn matches(&self, start: usize, wanted: &[&[u8]]) -> bool {
        self.lines
            .get(start..start + wanted.len())
            .is_some_and(|lines| {
                lines
                    .iter()
                    .zip(wanted)
                    .all(|(line, wanted)| line.is(wanted))
            })
    }

    fn nearest(&self, named: usize, wanted: &[&[u8]]) -> Option<usize> {
        if self.matches(named, wanted) {
            return Some(named);
        }
        self.occurrences(wanted)
            .into_iter()
            .min_by_key(|start| (start.abs_diff(named), *start < named))
    }

    /// All places where the lines are found, in time linear in both: Knuth, Morris and Pratt.
    fn occurrences(&self, wanted: &[&[u8]]) -> Vec<usize> {
        let borders = borders(wanted);
        let mut found = Vec::new();
        let mut matched = 0;
        for (at, line) in self.lines.iter().enumerate() {
            while matched > 0 && !wanted.get(matched).is_some_and(|text| line.is(text)) {
                matched = borders.get(matched - 1).copied().unwrap_or(0);
            }
            if wanted.get(matched).is_some_and(|text| line.is(text)) {
                matched += 1;
            }
            if matched == wanted.len() {
                found.push(at + 1 - matched);
            }
        }
        found
    }

    /// What stands against a hunk that has no place: the first line that differs where it should
    /// go.
    fn mismatch(&self, hunk: &Hunk, before: &[&[u8]]) -> Reason {
        let start = if hunk.range.old_start <= 1 {
            0
        } else {
            self.named_line(hunk)
        };
        let here = |offset: usize| self.lines.get(start + offset);
        let agrees =
            |offset: usize, wanted: &[u8]| here(offset).is_some_and(|line| line.is(wanted));
        let agreeing = before
            .iter()
            .enumerate()
            .take_while(|(offset, wanted)| agrees(*offset, wanted));
        let offset = agreeing.count();
        let shown = |text: &[u8]| String::from_utf8_lossy(text).chars().take(SHOWN).collect();
        Reason::NoPlace {
            line: start + offset + 1,
            wanted: before
                .get(offset)
                .map(|line| shown(line))
                .unwrap_or_default(),
            found: here(offset).map(|line| shown(line.text)),
        }
    }
}

/// For each beginning of `wanted`, the length of the longest shorter beginning that it ends with.
fn borders(wanted: &[&[u8]]) -> Vec<usize> {
    let mut borders = vec![0; wanted.len()];
    let mut matched = 0;
    for at in 1..wanted.len() {
        while matched > 0 && wanted.get(matched) != wanted.get(at) {
            matched = borders.get(matched - 1).copied().unwrap_or(0);
        }
        if wanted.get(matched) == wanted.get(at) {
            matched += 1;
        }
        if let Some(border) = borders.get_mut(at) {
            *border = matched;
        }
    }
    borders
}
