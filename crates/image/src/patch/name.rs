//! File names as patches write them: with a prefix, perhaps quoted, perhaps followed by a
//! timestamp.
//!
//! All functions take the part of one line, with its line end, in which the name stands.

use super::text::is_space;
use super::timestamp;

/// A file name as bytes.
pub(super) type Name = Vec<u8>;

/// How the names of a patch begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prefix {
    /// With a part to take off, such as `a/` and `b/`.
    Strip,
    /// With the name itself.
    Keep,
}

/// Whether the rest of a line names no file.
pub(super) fn is_dev_null(text: &[u8]) -> bool {
    text.strip_prefix(b"/dev/null")
        .and_then(|rest| rest.first())
        .copied()
        .is_some_and(is_space)
}

/// Whether a quoted name is not closed on its line, or has an escape that means nothing.
pub(super) fn is_badly_quoted(text: &[u8]) -> bool {
    text.starts_with(b"\"") && unquote(text).is_none()
}

/// The name in a `---` or `+++` line of a git diff, where a tab ends it.
pub(super) fn in_git_line(text: &[u8], prefix: Prefix) -> Option<Name> {
    quoted(text, prefix).or_else(|| plain(until_end(text, true), None, prefix))
}

/// The name in a `rename` or `copy` line, which has no prefix.
pub(super) fn in_extended_line(text: &[u8]) -> Option<Name> {
    quoted(text, Prefix::Keep).or_else(|| plain(until_end(text, false), None, Prefix::Keep))
}

/// The name in a `---` or `+++` line of a plain diff. A shorter name of the other line is
/// preferred, if this one only has something added to it, like `server.rs.orig`.
pub(super) fn in_plain_line(text: &[u8], other: Option<&[u8]>, prefix: Prefix) -> Option<Name> {
    quoted(text, prefix).or_else(|| {
        let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let region = match timestamp::length(line) {
            0 => until_end(text, true),
            stamp => line.get(..line.len() - stamp).unwrap_or_default(),
        };
        plain(region, other, prefix)
    })
}

/// The name that a `diff --git` line has on both sides; `None` if there is no telling where the
/// first name ends.
pub(super) fn in_git_header(line: &[u8], prefix: Prefix) -> Option<Name> {
    if let Some((first, rest)) = unquote(line) {
        let first = without_prefix(&first, prefix)?;
        let gap = rest.iter().take_while(|byte| is_space(**byte)).count();
        let second = rest.get(gap..)?;
        // The line end counts as a part of an unquoted second name, so that it never equals a
        // quoted first.
        let second = unquote(second).map_or_else(|| second.to_vec(), |(name, _)| name);
        return (without_prefix(&second, prefix)? == first).then(|| first.to_vec());
    }
    let names = without_prefix(line, prefix)?;
    if let Some(quote) = names.iter().position(|byte| *byte == b'"') {
        let (second, _) = unquote(names.get(quote..)?)?;
        let second = without_prefix(&second, prefix)?;
        let separated = names.get(second.len()).copied().is_some_and(is_space);
        return (second.len() < quote && names.starts_with(second) && separated)
            .then(|| second.to_vec());
    }
    twice(names.strip_suffix(b"\n")?, prefix)
}

/// The name in `name b/name`. At most one length can fit, so that the names are compared once.
fn twice(names: &[u8], prefix: Prefix) -> Option<Name> {
    let mut slash = 0;
    for (length, byte) in names.iter().enumerate() {
        if !matches!(byte, b' ' | b'\t') {
            continue;
        }
        let after = length + 1;
        let start = match prefix {
            Prefix::Keep => after,
            Prefix::Strip => {
                if slash < after {
                    slash = after + names.get(after..)?.iter().position(|byte| *byte == b'/')?;
                }
                slash + 1
            }
        };
        let absolute = names.get(after) == Some(&b'/');
        if !absolute && names.len() - start == length && names.get(..length) == names.get(start..) {
            return names.get(..length).map(<[u8]>::to_vec);
        }
    }
    None
}

fn without_prefix(name: &[u8], prefix: Prefix) -> Option<&[u8]> {
    if name.starts_with(b"/") {
        return None;
    }
    match prefix {
        Prefix::Keep => Some(name),
        Prefix::Strip => name
            .iter()
            .position(|byte| *byte == b'/')
            .and_then(|slash| name.get(slash + 1..)),
    }
}

/// The part of a line that is an unquoted name.
fn until_end(text: &[u8], tab_ends: bool) -> &[u8] {
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r') || (tab_ends && *byte == b'\t');
    text.split(ends).next().unwrap_or_default()
}

fn plain(region: &[u8], other: Option<&[u8]>, prefix: Prefix) -> Option<Name> {
    let start = match prefix {
        Prefix::Keep => Some(0),
        Prefix::Strip => region
            .iter()
            .position(|byte| *byte == b'/')
            .map(|slash| slash + 1),
    };
    let name = start
        .and_then(|start| region.get(start..))
        .filter(|name| !name.is_empty());
    match (name, other) {
        (Some(name), Some(other)) if name.len() > other.len() && name.starts_with(other) => {
            Some(other)
        }
        (Some(name), _) => Some(name),
        (None, other) => other,
    }
    .map(single_slashes)
}

fn quoted(text: &[u8], prefix: Prefix) -> Option<Name> {
    let (name, _) = unquote(text)?;
    let start = match prefix {
        Prefix::Keep => 0,
        Prefix::Strip => name.iter().position(|byte| *byte == b'/')? + 1,
    };
    name.get(start..).map(single_slashes)
}

fn single_slashes(name: &[u8]) -> Name {
    let mut single = name.to_vec();
    single.dedup_by(|byte, before| *byte == b'/' && *before == b'/');
    single
}

/// Reads a name in double quotes with the escapes of C. Gives the name and what follows the closing
/// quote.
fn unquote(text: &[u8]) -> Option<(Name, &[u8])> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut name = Vec::new();
    loop {
        let (byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return Some((name, rest)),
            b'\\' => {
                let (escaped, after) = unescape(rest)?;
                name.push(escaped);
                rest = after;
            }
            other => name.push(*other),
        }
    }
}

fn unescape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (letter, rest) = text.split_first()?;
    let byte = match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'\\' | b'"' => *letter,
        b'0'..=b'3' => {
            let (digits, rest) = text.split_at_checked(3)?;
            return Some((
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()?,
                rest,
            ));
        }
        _ => return None,
    };
    Some((byte, rest))
}
