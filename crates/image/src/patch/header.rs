//! The lines that say which file is changed and how: git's `diff --git` with its extended lines, or
//! the plain pair of `---` and `+++`.

use super::name::{self, Name, Prefix};
use super::refusal::{Reason, Refusal};
use super::text::{Text, is_space};
use super::timestamp;
use crate::tree::Kind;

/// What the header of one change says. `None` where it says nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    pub(super) old: Option<Name>,
    pub(super) new: Option<Name>,
    pub(super) creates: Option<bool>,
    pub(super) deletes: Option<bool>,
    pub(super) renames: bool,
    pub(super) copies: bool,
    pub(super) old_kind: Option<Kind>,
    pub(super) new_kind: Option<Kind>,
    /// The name in the `diff --git` line.
    named: Option<Name>,
}

impl Header {
    /// Whether it changes something without a hunk. A plain header does not say that it deletes
    /// nothing.
    pub(super) fn changes_without_hunks(&self) -> bool {
        let changes_kind = self
            .old_kind
            .zip(self.new_kind)
            .is_some_and(|(old, new)| old != new);
        let creates_or_deletes = self.creates == Some(true) || self.deletes != Some(false);
        self.renames || self.copies || creates_or_deletes || changes_kind
    }

    /// Reads the header that the `diff --git` line at `first` begins. Gives the line behind it,
    /// which is the next one if it has no other lines.
    pub(super) fn read_git(
        &mut self,
        text: &Text<'_>,
        first: usize,
        prefix: Prefix,
    ) -> Result<usize, Refusal> {
        self.creates = Some(false);
        self.deletes = Some(false);
        let names = text
            .line(first)
            .strip_prefix(b"diff --git ")
            .unwrap_or_default();
        self.named = name::in_git_header(names, prefix);

        let mut at = first + 1;
        while text.line(at).ends_with(b"\n") {
            let known = self
                .read_line(text.line(at), prefix)
                .map_err(|reason| Refusal::at_line(at, reason))?;
            let kinds = [
                self.creates == Some(true),
                self.deletes == Some(true),
                self.renames,
                self.copies,
            ];
            if kinds.into_iter().filter(|kind| *kind).count() > 1 {
                return Err(Refusal::at_line(at, Reason::Contradiction));
            }
            if !known {
                break;
            }
            at += 1;
        }
        if self.old.is_none() && self.new.is_none() {
            self.old.clone_from(&self.named);
            self.new.clone_from(&self.named);
        }
        let old_known = self.old.is_some() || self.creates == Some(true);
        let new_known = self.new.is_some() || self.deletes == Some(true);
        if old_known && new_known && (self.old.is_some() || self.new.is_some()) {
            Ok(at)
        } else {
            Err(Refusal::at_line(first, Reason::NoName))
        }
    }

    /// Reads one line after `diff --git`. Says whether the line belongs to the header.
    fn read_line(&mut self, line: &[u8], prefix: Prefix) -> Result<bool, Reason> {
        let after = |word: &str| line.strip_prefix(word.as_bytes());
        if after("@@ -").is_some() {
            return Ok(false);
        } else if let Some(rest) = after("--- ") {
            check_name(rest, &mut self.old, self.creates == Some(true), prefix)?;
        } else if let Some(rest) = after("+++ ") {
            check_name(rest, &mut self.new, self.deletes == Some(true), prefix)?;
        } else if let Some(rest) = after("old mode ") {
            self.old_kind = Some(mode(rest)?);
        } else if let Some(rest) = after("new mode ") {
            self.new_kind = Some(mode(rest)?);
        } else if let Some(rest) = after("deleted file mode ") {
            self.deletes = Some(true);
            self.old.clone_from(&self.named);
            self.old_kind = Some(mode(rest)?);
        } else if let Some(rest) = after("new file mode ") {
            self.creates = Some(true);
            self.new.clone_from(&self.named);
            self.new_kind = Some(mode(rest)?);
        } else if let Some(rest) = after("copy from ") {
            self.copies = true;
            self.old = name::in_extended_line(well_quoted(rest)?);
        } else if let Some(rest) = after("copy to ") {
            self.copies = true;
            self.new = name::in_extended_line(well_quoted(rest)?);
        } else if let Some(rest) = after("rename from ").or_else(|| after("rename old ")) {
            self.renames = true;
            self.old = name::in_extended_line(well_quoted(rest)?);
        } else if let Some(rest) = after("rename to ").or_else(|| after("rename new ")) {
            self.renames = true;
            self.new = name::in_extended_line(well_quoted(rest)?);
        } else if let Some(rest) = after("index ") {
            if let Some(given) = mode_of_index_line(rest) {
                self.old_kind = Some(mode(given)?);
            }
        } else {
            return Ok(after("similarity index ")
                .or_else(|| after("dissimilarity index "))
                .is_some());
        }
        Ok(true)
    }

    /// Reads the pair of `---` and `+++` that begins at line `first`.
    pub(super) fn read_plain(
        &mut self,
        text: &Text<'_>,
        first: usize,
        prefix: Prefix,
    ) -> Result<(), Refusal> {
        let (old, new) = plain_names(text, first);
        for (at, line) in [(first, old), (first + 1, new)] {
            well_quoted(line).map_err(|reason| Refusal::at_line(at, reason))?;
        }
        let one = |line| name::in_plain_line(line, None, prefix);
        let (found, creates, deletes) = if name::is_dev_null(old) {
            (one(new), true, false)
        } else if name::is_dev_null(new) {
            (one(old), false, true)
        } else {
            let both = name::in_plain_line(new, one(old).as_deref(), prefix);
            (
                both,
                timestamp::is_epoch(old),
                timestamp::is_epoch(new) && !timestamp::is_epoch(old),
            )
        };
        if found.is_none() {
            return Err(Refusal::at_line(first, Reason::NoName));
        }
        if creates || deletes {
            self.creates = Some(creates);
            self.deletes = Some(deletes);
        }
        if !creates {
            self.old.clone_from(&found);
        }
        if !deletes {
            self.new = found;
        }
        Ok(())
    }
}

/// Whether the pair of `---` and `+++` at line `first` has names without a prefix: the new one
/// contains no slash.
pub(super) fn has_bare_names(text: &Text<'_>, first: usize) -> bool {
    let (_, new) = plain_names(text, first);
    let name = name::in_plain_line(new, None, Prefix::Keep).filter(|_| !name::is_dev_null(new));
    name.is_some_and(|name| !name.contains(&b'/'))
}

fn plain_names<'a>(text: &Text<'a>, first: usize) -> (&'a [u8], &'a [u8]) {
    let behind_mark = |at| text.line(at).get("--- ".len()..).unwrap_or_default();
    (behind_mark(first), behind_mark(first + 1))
}

fn well_quoted(text: &[u8]) -> Result<&[u8], Reason> {
    if name::is_badly_quoted(text) {
        Err(Reason::BadQuotes)
    } else {
        Ok(text)
    }
}

/// Takes the name in a `---` or `+++` line, or compares it to the name that is known already.
fn check_name(
    text: &[u8],
    known: &mut Option<Name>,
    must_be_null: bool,
    prefix: Prefix,
) -> Result<(), Reason> {
    let text = well_quoted(text)?;
    match known {
        Some(_) if must_be_null => Err(Reason::NotDevNull),
        Some(name) if name::in_git_line(text, prefix).as_ref() != Some(name) => {
            Err(Reason::OtherName)
        }
        Some(_) => Ok(()),
        None if must_be_null && !name::is_dev_null(text) => Err(Reason::NotDevNull),
        None if must_be_null => Ok(()),
        None => {
            *known = name::in_git_line(text, prefix);
            Ok(())
        }
    }
}

/// The mode at the end of `index 1234..5678 100644`.
fn mode_of_index_line(text: &[u8]) -> Option<&[u8]> {
    const LONGEST_OBJECT_NAME: usize = 40;
    let dots = text
        .iter()
        .position(|byte| *byte == b'.')
        .filter(|at| *at <= LONGEST_OBJECT_NAME)?;
    let second = text.get(dots..)?.strip_prefix(b"..")?;
    let end = second
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\n'))?;
    second
        .get(end..)?
        .strip_prefix(b" ")
        .filter(|_| end <= LONGEST_OBJECT_NAME)
}

/// Reads an octal mode.
fn mode(text: &[u8]) -> Result<Kind, Reason> {
    const TYPE: u32 = 0o170_000;
    const REGULAR: u32 = 0o100_000;
    const SYMLINK: u32 = 0o120_000;
    const OWNER_MAY_EXECUTE: u32 = 0o100;
    let text = text.trim_ascii_start();
    let digits = text
        .iter()
        .take_while(|byte| matches!(byte, b'0'..=b'7'))
        .count();
    let octal = text
        .get(..digits)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .unwrap_or_default();
    let ended = text.get(digits).copied().is_some_and(is_space);
    let value = u32::from_str_radix(octal, 8)
        .ok()
        .filter(|_| ended)
        .ok_or(Reason::BadMode)?;
    match value & TYPE {
        REGULAR if value & OWNER_MAY_EXECUTE != 0 => Ok(Kind::Executable),
        REGULAR => Ok(Kind::File),
        SYMLINK => Ok(Kind::Symlink),
        _ => Err(Reason::UnsupportedMode(value)),
    }
}
