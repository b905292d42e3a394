//! Finds the changes in a patch file, between whatever else it contains: mail headers, a message, a
//! signature.
//!
//! Text before, between and behind changes is passed over. A hunk that belongs to no header is not:
//! it shows that something was cut away.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::header::{self, Header};
use super::hunk::{self, Hunk, Range};
use super::name::Prefix;
use super::refusal::{Reason, Refusal};
use super::text::Text;
use super::{Action, Change};

/// Larger patch files are refused.
const LARGEST: usize = 64 << 20;
/// A hunk takes at least this many bytes: `@@ -1 +1 @@` and a line end, and more.
const SHORTEST_HUNK: usize = 14;
/// How the first line of a hunk begins. At the very end of a patch it is no hunk yet.
const HUNK: &[u8] = b"@@ -";
/// No line that matters is shorter.
const SHORTEST_LINE: usize = 6;

/// All changes in a patch file.
pub(super) fn changes(bytes: &[u8]) -> Result<Vec<Change>, Refusal> {
    if bytes.len() > LARGEST {
        return Err(Refusal::of_patch(Reason::TooLarge { limit: LARGEST }));
    }
    let mut parser = Parser {
        text: Text::new(bytes),
        prefix: None,
    };
    let mut changes = Vec::new();
    let mut at = 0;
    while let Some((change, next)) = parser.next_change(at)? {
        changes.push(change);
        at = next;
    }
    if changes.is_empty() {
        return Err(Refusal::of_patch(Reason::NoChanges));
    }
    Ok(changes)
}

struct Parser<'a> {
    text: Text<'a>,
    /// How names begin, as soon as a plain pair of names has told. Until then they have a prefix to
    /// strip.
    prefix: Option<Prefix>,
}

/// A header, and the lines on which it begins and behind which it ends.
struct Found {
    header: Header,
    first: usize,
    end: usize,
}

impl Parser<'_> {
    /// The next change from line `at` on, and the line behind it.
    fn next_change(&mut self, at: usize) -> Result<Option<(Change, usize)>, Refusal> {
        let Some(Found {
            mut header,
            first,
            end,
        }) = self.find_header(at)?
        else {
            return Ok(None);
        };
        let (hunks, end) = self.hunks(end)?;
        check_counts(&mut header, &hunks).map_err(|reason| Refusal::at_line(first, reason))?;
        if hunks.is_empty() && is_binary(self.text.line(end)) {
            return Err(Refusal::at_line(end, Reason::Binary));
        }
        if hunks.is_empty() && !header.changes_without_hunks() {
            return Err(Refusal::at_line(first, Reason::OnlyGarbage));
        }
        let change =
            change(header, first, hunks).map_err(|reason| Refusal::at_line(first, reason))?;
        Ok(Some((change, end)))
    }

    fn find_header(&mut self, from: usize) -> Result<Option<Found>, Refusal> {
        // Shared by all candidates: what a header without further lines has named counts for the
        // next, as in git.
        let mut header = Header::default();
        for first in from..self.text.count() {
            let (line, next) = (self.text.line(first), self.text.line(first + 1));
            if line.len() < SHORTEST_LINE {
                continue;
            }
            if line.starts_with(HUNK) {
                if Range::parse(line).is_some() {
                    return Err(Refusal::at_line(first, Reason::HunkWithoutFile));
                }
                continue;
            }
            if self.text.from(first).len() < line.len() + SHORTEST_LINE {
                return Ok(None);
            }
            if line.starts_with(b"diff --git ") {
                let end = header.read_git(&self.text, first, self.prefix())?;
                if end > first + 1 {
                    return Ok(Some(Found { header, first, end }));
                }
            } else if line.starts_with(b"--- ")
                && next.starts_with(b"+++ ")
                && self.hunk_follows(first)
            {
                if self.prefix.is_none() && header::has_bare_names(&self.text, first) {
                    self.prefix = Some(Prefix::Keep);
                }
                header.read_plain(&self.text, first, self.prefix())?;
                return Ok(Some(Found {
                    header,
                    first,
                    end: first + 2,
                }));
            }
        }
        Ok(None)
    }

    fn prefix(&self) -> Prefix {
        self.prefix.unwrap_or(Prefix::Strip)
    }

    /// Whether a hunk can follow the pair of names at line `first`.
    fn hunk_follows(&self, first: usize) -> bool {
        let room = self.text.line(first + 1).len() + SHORTEST_HUNK;
        self.text.from(first).len() >= room && self.text.line(first + 2).starts_with(HUNK)
    }

    /// The hunks from line `at` on, and the line behind them.
    fn hunks(&self, mut at: usize) -> Result<(Vec<Hunk>, usize), Refusal> {
        let mut hunks = Vec::new();
        while self.text.line(at).starts_with(HUNK) && self.text.from(at).len() > HUNK.len() {
            let (hunk, end) = hunk::parse(&self.text, at, hunks.len() + 1)
                .map_err(|corrupt| Refusal::at_line(corrupt, Reason::CorruptHunk))?;
            hunks.push(hunk);
            at = end;
        }
        Ok((hunks, at))
    }
}

/// Concludes from the hunks whether the file can be new or deleted, and whether that agrees with
/// the header.
fn check_counts(header: &mut Header, hunks: &[Hunk]) -> Result<(), Reason> {
    let has_old = hunks.iter().any(|hunk| hunk.range.old_count > 0);
    let has_new = hunks.iter().any(|hunk| hunk.range.new_count > 0);
    if has_old || hunks.len() > 1 {
        header.creates.get_or_insert(false);
    }
    match (header.creates, header.deletes) {
        (Some(true), _) if has_old => Err(Reason::NewWithOldLines),
        (_, Some(true)) if has_new => Err(Reason::DeletedWithNewLines),
        _ => Ok(()),
    }
}

fn is_binary(line: &[u8]) -> bool {
    let names_files = line.starts_with(b"Binary files ") || line.starts_with(b"Files ");
    line == b"GIT binary patch\n" || (names_files && line.ends_with(b" differ\n"))
}

fn change(mut header: Header, first: usize, hunks: Vec<Hunk>) -> Result<Change, Reason> {
    let action = if header.creates == Some(true) {
        Action::Create
    } else if header.deletes == Some(true) {
        Action::Delete
    } else if header.renames {
        Action::Rename
    } else if header.copies {
        Action::Copy
    } else if header.creates == Some(false) {
        Action::Modify
    } else {
        Action::ModifyOrCreate
    };
    // Only a path to copy from may begin with `./`.
    let from_here = header.old.as_ref().filter(|_| action == Action::Copy);
    if let Some(plain) = from_here.and_then(|name| name.strip_prefix(b"./")) {
        header.old = Some(plain.to_vec());
    }
    let path = |name: Option<Vec<u8>>| name.map(|name| PathBuf::from(OsString::from_vec(name)));
    let (old, new) = match (action, path(header.old), path(header.new)) {
        (Action::Create, None, Some(new)) => (new.clone(), new),
        (Action::Delete, Some(old), None) => (old.clone(), old),
        (Action::Create | Action::Delete, ..) => return Err(Reason::Contradiction),
        (_, Some(old), Some(new)) => (old, new),
        _ => return Err(Reason::NoName),
    };
    let (old_kind, new_kind) = (header.old_kind, header.new_kind);
    Ok(Change {
        line: first + 1,
        action,
        old,
        new,
        old_kind,
        new_kind,
        hunks,
    })
}
