//! How much a patch changes, file by file: what `--stat` shows before anything is touched.

use serde::{Deserialize, Serialize};

use super::hunk::Sign;
use super::{Action, Change};

/// What patches change, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffStat {
    /// One item for each changed file.
    pub files: Vec<FileStat>,
}

/// What is changed in one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStat {
    /// The path, after the change.
    pub path: String,
    /// The path before, of a file that was renamed or copied.
    pub from: Option<String>,
    /// How many lines are added.
    pub added: u64,
    /// How many lines are deleted.
    pub deleted: u64,
}

/// A row of signs for one file, in proportion to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// How many `+`.
    pub plus: usize,
    /// How many `-`.
    pub minus: usize,
}

impl DiffStat {
    /// How many lines are added in all files.
    pub fn added(&self) -> u64 {
        self.files.iter().map(|file| file.added).sum()
    }

    /// How many lines are deleted in all files.
    pub fn deleted(&self) -> u64 {
        self.files.iter().map(|file| file.deleted).sum()
    }

    /// Adds the files of another patch.
    pub fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
    }

    /// The bar for `file`: one sign for each line while the longest fits into `width`, else scaled
    /// down. What is changed at all has at least one sign.
    pub fn bar(&self, file: &FileStat, width: usize) -> Bar {
        let longest = self.files.iter().map(FileStat::total).max().unwrap_or(0);
        let width = width as u64;
        let scaled = |count: u64| match count {
            0 => 0,
            _ if longest <= width => count,
            _ => (u128::from(count) * u128::from(width) / u128::from(longest)).max(1) as u64,
        };
        let (plus, minus) = (scaled(file.added), scaled(file.deleted));
        // Both ends rounded up to one sign may be one too many.
        let over = (plus + minus).saturating_sub(width);
        let (plus, minus) = if plus > minus {
            (plus - over, minus)
        } else {
            (plus, minus.saturating_sub(over))
        };
        Bar {
            plus: plus as usize,
            minus: minus as usize,
        }
    }
}

impl FileStat {
    pub(super) fn of(change: &Change) -> Self {
        let count = |sign| change.hunks.iter().map(|hunk| hunk.count(sign)).sum();
        let moved = matches!(change.action, Action::Rename | Action::Copy);
        Self {
            path: change.new.to_string_lossy().into_owned(),
            from: moved.then(|| change.old.to_string_lossy().into_owned()),
            added: count(Sign::Added),
            deleted: count(Sign::Removed),
        }
    }

    fn total(&self) -> u64 {
        self.added + self.deleted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(added: u64, deleted: u64) -> FileStat {
        FileStat {
            path: "x".to_owned(),
            from: None,
            added,
            deleted,
        }
    }

    #[test]
    fn bars_are_lines_while_they_fit_and_proportional_beyond() {
        let small = DiffStat {
            files: vec![file(3, 1), file(0, 2)],
        };
        assert_eq!(small.bar(&small.files[0], 10), Bar { plus: 3, minus: 1 });
        assert_eq!(small.bar(&small.files[1], 10), Bar { plus: 0, minus: 2 });

        let large = DiffStat {
            files: vec![file(1000, 1), file(1, 0), file(0, 0), file(500, 500)],
        };
        assert_eq!(large.bar(&large.files[0], 40), Bar { plus: 39, minus: 1 });
        assert_eq!(large.bar(&large.files[1], 40), Bar { plus: 1, minus: 0 });
        assert_eq!(large.bar(&large.files[2], 40), Bar { plus: 0, minus: 0 });
        assert!(
            large
                .files
                .iter()
                .map(|file| large.bar(file, 40))
                .all(|bar| bar.plus + bar.minus <= 40)
        );
        assert_eq!((large.added(), large.deleted()), (1501, 501));
    }
}
