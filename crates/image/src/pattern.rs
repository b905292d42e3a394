//! Patterns that choose paths of a tree: what a source leaves out, and which artifacts of a build
//! are kept.
//!
//! A pattern is a path relative to the tree's root. `*` stands for any characters and `?` for one,
//! within one part of the path; a part `**` stands for any number of parts. A pattern that chooses
//! a directory chooses all below it.

use std::fmt;
use std::path::{Component, Path};

/// A checked pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<Vec<u8>>,
}

/// Why a text is no pattern.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "pattern {given:?} does not name something inside the tree: write a relative path without `.` or \
     `..`"
)]
pub struct PatternError {
    given: String,
}

impl Pattern {
    /// A pattern counted from the root of the tree.
    pub fn anchored(text: &str) -> Result<Self, PatternError> {
        let wrong = || PatternError {
            given: text.to_owned(),
        };
        let relative = text.strip_suffix('/').unwrap_or(text);
        let parts: Vec<Vec<u8>> = relative
            .split('/')
            .map(|part| part.as_bytes().to_vec())
            .collect();
        let usable = |part: &Vec<u8>| !matches!(part.as_slice(), b"" | b"." | b"..");
        if !parts.iter().all(usable) || text.contains('\0') {
            return Err(wrong());
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// A pattern of an ignore list: counted from the root if it contains a `/` before its end
    /// (`/target`, `docs/old`), else for a name at any depth (`node_modules`, `*.o`).
    pub fn ignored(text: &str) -> Result<Self, PatternError> {
        let wrong = |_| PatternError {
            given: text.to_owned(),
        };
        let name = text.strip_suffix('/').unwrap_or(text);
        match name.strip_prefix('/') {
            Some(from_root) => Self::anchored(from_root),
            None if name.contains('/') => Self::anchored(name),
            None => Self::anchored(&format!("**/{name}")),
        }
        .map(|pattern| Self {
            text: text.to_owned(),
            ..pattern
        })
        .map_err(wrong)
    }

    /// Whether the pattern chooses `path`, itself or as something below a chosen directory.
    pub fn chooses(&self, path: &Path) -> bool {
        let names: Vec<&[u8]> = path
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name.as_encoded_bytes()),
                _ => None,
            })
            .collect();
        (1..=names.len())
            .any(|depth| matches_path(&self.parts, names.get(..depth).unwrap_or_default()))
    }
}

fn matches_path(parts: &[Vec<u8>], names: &[&[u8]]) -> bool {
    matches(
        parts,
        names,
        |part| part == b"**",
        |part, name| matches_name(part, name),
    )
}

fn matches_name(part: &[u8], name: &[u8]) -> bool {
    matches(
        part,
        name,
        |sign| *sign == b'*',
        |sign, byte| *sign == b'?' || sign == byte,
    )
}

/// Matches all `items` against all `signs`, of which those that are `any` stand for any number of
/// items.
///
/// On a mismatch only the last `any` takes one item more: what stood before it needs no second try.
/// So the work is bounded by the product of both lengths.
fn matches<S, I>(
    signs: &[S],
    items: &[I],
    any: impl Fn(&S) -> bool,
    one: impl Fn(&S, &I) -> bool,
) -> bool {
    let (mut sign, mut item) = (0, 0);
    let mut last_any = None;
    loop {
        match (signs.get(sign), items.get(item)) {
            (None, None) => return true,
            (Some(expected), _) if any(expected) => {
                sign += 1;
                last_any = Some((sign, item));
            }
            (Some(expected), Some(found)) if one(expected, found) => {
                (sign, item) = (sign + 1, item + 1)
            }
            _ => match last_any {
                Some((after, taken)) if taken < items.len() => {
                    (sign, item) = (after, taken + 1);
                    last_any = Some((after, taken + 1));
                }
                _ => return false,
            },
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchored_patterns_choose_paths_and_what_is_below() {
        let table = [
            ("bin/server", "bin/server", true),
            ("bin", "bin/server", true),
            ("bin/", "bin/server", true),
            ("bin", "src/bin/server", false),
            ("bin", "binary", false),
            ("*.txt", "a.txt", true),
            ("*.txt", "d/a.txt", false),
            ("**/*.txt", "a.txt", true),
            ("**/*.txt", "d/e/a.txt", true),
            ("a/**/b", "a/b", true),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/x/y/c", false),
            ("**/x/**/y", "q/x/x/r/y", true),
            ("s?rver*", "server-2", true),
            ("s?rver", "srver", false),
            ("*a*b", "xaybzb", true),
            ("**", "anything/at/all", true),
        ];
        for (pattern, path, chosen) in table {
            assert_eq!(
                Pattern::anchored(pattern).unwrap().chooses(Path::new(path)),
                chosen,
                "{pattern} on {path}"
            );
        }
    }

    #[test]
    fn ignored_names_match_at_any_depth_unless_anchored() {
        let table = [
            ("node_modules", "web/node_modules/left/pad.js", true),
            ("*.o", "a/b/c.o", true),
            ("/target", "target/debug/x", true),
            ("/target", "src/target/mod.rs", false),
            ("docs/old", "docs/old/x", true),
            ("docs/old", "more/docs/old/x", false),
            ("docs/", "more/docs/x", true),
        ];
        for (pattern, path, chosen) in table {
            assert_eq!(
                Pattern::ignored(pattern).unwrap().chooses(Path::new(path)),
                chosen,
                "{pattern} on {path}"
            );
        }
    }

    #[test]
    fn patterns_stay_inside_the_tree() {
        for bad in ["", "/", "/etc", "../x", "a/../b", "./a", "a//b", "a\0b"] {
            assert!(Pattern::anchored(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_hostile_pattern_is_not_slow() {
        let pattern = Pattern::anchored(&"*a".repeat(200)).unwrap();
        assert!(!pattern.chooses(Path::new(&"a".repeat(199))));
    }
}
