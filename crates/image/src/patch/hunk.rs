//! One hunk: its `@@` line and the lines that follow it.
//!
//! The counts of the `@@` line decide where a hunk ends; lines that contradict them make the patch
//! corrupt.

use super::refusal::HunkPlace;
use super::text::{Text, number};

/// Shorter lines are too short to say "no newline at end of file" in any language.
const SHORTEST_NO_NEWLINE_MARK: usize = 12;

/// A run of lines to find and to replace.
#[derive(Clone, Debug)]
pub(super) struct Hunk {
    pub(super) place: HunkPlace,
    pub(super) range: Range,
    pub(super) lines: Vec<Line>,
    pub(super) ends_with_context: bool,
}

/// What an `@@` line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) old_start: u64,
    pub(super) old_count: u64,
    pub(super) new_start: u64,
    pub(super) new_count: u64,
}

/// A line of a hunk, with its line end if it has one.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) sign: Sign,
    pub(super) text: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Context,
    Removed,
    Added,
}

impl Hunk {
    /// The lines that the file must have.
    pub(super) fn before(&self) -> impl Iterator<Item = &[u8]> {
        self.lines
            .iter()
            .filter(|line| line.sign != Sign::Added)
            .map(|line| line.text.as_slice())
    }

    /// The lines that the file gets instead.
    pub(super) fn after(&self) -> impl Iterator<Item = &[u8]> {
        self.lines
            .iter()
            .filter(|line| line.sign != Sign::Removed)
            .map(|line| line.text.as_slice())
    }

    pub(super) fn count(&self, sign: Sign) -> u64 {
        self.lines.iter().filter(|line| line.sign == sign).count() as u64
    }
}

impl Range {
    /// Reads a line such as `@@ -10,4 +10,5 @@ fn main`.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        if !line.ends_with(b"\n") {
            return None;
        }
        let (old_start, old_count, rest) = start_and_count(line.strip_prefix(b"@@ -")?)?;
        let (new_start, new_count, rest) = start_and_count(rest.strip_prefix(b" +")?)?;
        rest.starts_with(b" @@").then_some(Self {
            old_start,
            old_count,
            new_start,
            new_count,
        })
    }
}

fn start_and_count(text: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (start, rest) = number(text)?;
    match rest.strip_prefix(b",") {
        None => Some((start, 1, rest)),
        Some(rest) => number(rest).map(|(count, rest)| (start, count, rest)),
    }
}

/// Reads the hunk that begins at line `first`. Gives the hunk and the line behind it, or the
/// corrupt line.
pub(super) fn parse(text: &Text<'_>, first: usize, number: usize) -> Result<(Hunk, usize), usize> {
    let range = Range::parse(text.line(first)).ok_or(first)?;
    let mut lines = Vec::new();
    let (mut old_left, mut new_left) = (range.old_count, range.new_count);
    let (mut changes, mut ends_with_context) = (false, false);
    let mut at = first + 1;
    while old_left > 0 || new_left > 0 {
        let line = text.line(at);
        let sign = match line.first() {
            Some(b' ' | b'\n') => Some(Sign::Context),
            Some(b'-') => Some(Sign::Removed),
            Some(b'+') => Some(Sign::Added),
            Some(b'\\') if line.len() >= SHORTEST_NO_NEWLINE_MARK && line.starts_with(b"\\ ") => {
                None
            }
            _ => return Err(at),
        };
        if !line.ends_with(b"\n") {
            return Err(at);
        }
        if let Some(sign) = sign {
            let takes = |left: u64, affected: bool| left.checked_sub(u64::from(affected)).ok_or(at);
            old_left = takes(old_left, sign != Sign::Added)?;
            new_left = takes(new_left, sign != Sign::Removed)?;
            ends_with_context = sign == Sign::Context;
            changes |= !ends_with_context;
            lines.extend(
                content(line, !is_no_newline_mark(text, at + 1)).map(|text| Line {
                    sign,
                    text: text.to_vec(),
                }),
            );
        }
        at += 1;
    }
    if !changes {
        return Err(at);
    }
    if is_no_newline_mark(text, at) {
        at += 1;
    }
    let header = String::from_utf8_lossy(text.line(first))
        .trim_end()
        .to_owned();
    let place = HunkPlace {
        number,
        header,
        line: first + 1,
    };
    Ok((
        Hunk {
            place,
            range,
            lines,
            ends_with_context,
        },
        at,
    ))
}

/// Whether the line says that the one before it has no line end.
fn is_no_newline_mark(text: &Text<'_>, at: usize) -> bool {
    text.line(at).starts_with(b"\\ ") && text.from(at).len() > SHORTEST_NO_NEWLINE_MARK
}

/// What a line of a hunk stands for: itself without its sign, and perhaps without its line end.
/// Nothing, if neither is left.
fn content(line: &[u8], has_line_end: bool) -> Option<&[u8]> {
    match (line, has_line_end) {
        // Some programs drop the sign of an empty context line.
        (b"\n", true) => Some(line),
        (b"\n", false) => None,
        (_, true) => line.get(1..),
        (_, false) => line.get(1..)?.strip_suffix(b"\n"),
    }
}
