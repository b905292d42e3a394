//! Why a patch is refused, and where.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::disk::DiskError;

/// A patch that cannot be read or does not apply. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub struct Refusal {
    /// The line of the patch file that it is about, counted from 1.
    pub line: Option<usize>,
    /// The file that could not be changed.
    pub path: Option<PathBuf>,
    /// The hunk that has no place in it.
    pub hunk: Option<Box<HunkPlace>>,
    /// What is wrong.
    pub reason: Reason,
}

/// Which hunk of a file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HunkPlace {
    /// Its number in its file, counted from 1.
    pub number: usize,
    /// Its `@@` line.
    pub header: String,
    /// The line of the patch file on which it begins, counted from 1.
    pub line: usize,
}

/// What is wrong with a patch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    #[error("there is no change in it; give the output of `git diff` or `git format-patch`")]
    NoChanges,
    #[error("it is larger than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("corrupt patch: this line does not fit what the `@@` line of its hunk announces")]
    CorruptHunk,
    #[error("this hunk follows no file header")]
    HunkWithoutFile,
    #[error("this header has nothing behind it that changes the file")]
    OnlyGarbage,
    #[error("this header does not say which file it is about")]
    NoName,
    #[error(
        "the quotes around this name are not closed on this line, or contain an unknown escape"
    )]
    BadQuotes,
    #[error("this line names another file than the lines before it")]
    OtherName,
    #[error("this line names a file where `/dev/null` must stand, or the reverse")]
    NotDevNull,
    #[error("this line contradicts an earlier line of the same header")]
    Contradiction,
    #[error("this line does not give a mode, such as 100644")]
    BadMode,
    #[error("mode {0:o} belongs to a submodule or a directory, which a version cannot contain")]
    UnsupportedMode(u32),
    #[error("a new file cannot have old lines")]
    NewWithOldLines,
    #[error("a deleted file cannot get new lines")]
    DeletedWithNewLines,
    #[error("there is no such file")]
    Missing,
    #[error("the file is there already")]
    Exists,
    #[error("an earlier change of the same patch renames or deletes it")]
    Gone,
    #[error("it is a directory")]
    Directory,
    #[error("a part of its path is a file")]
    BelowFile,
    #[error("its path leads through a symbolic link")]
    BelowSymlink,
    #[error("its path leaves the tree, or enters `.git`")]
    UnsafePath,
    #[error("it is a file where the patch says symbolic link, or the reverse")]
    WrongKind,
    #[error("it cannot become a symbolic link, or a file, without being deleted first")]
    KindChange,
    #[error("a symbolic link cannot have this target")]
    BadTarget,
    #[error("it is a binary patch; give the whole file in the source instead")]
    Binary,
    #[error("lines remain in the file that the patch deletes")]
    LeavesContent,
    #[error("{}", no_place(*line, wanted, found.as_deref()))]
    NoPlace {
        /// The line of the file, counted from 1, that is the first to differ where the hunk should
        /// go.
        line: usize,
        /// What the hunk has there; empty if the file should end there.
        wanted: String,
        /// What the file has there, if it is that long.
        found: Option<String>,
    },
    #[error(transparent)]
    Disk(#[from] DiskError),
}

fn no_place(line: usize, wanted: &str, found: Option<&str>) -> String {
    let wanted = if wanted.is_empty() {
        "the file's end".to_owned()
    } else {
        format!("{wanted:?}")
    };
    match found {
        Some(found) if format!("{found:?}") == wanted => {
            format!("line {line} was changed by an earlier hunk")
        }
        Some(found) => format!("line {line} is {found:?}, where the hunk has {wanted}"),
        None => format!("the file ends before line {line}, where the hunk has {wanted}"),
    }
}

impl Refusal {
    /// About a line of the patch, by index.
    pub(super) fn at_line(index: usize, reason: Reason) -> Self {
        Self {
            line: Some(index + 1),
            path: None,
            hunk: None,
            reason,
        }
    }

    /// About the whole patch.
    pub(super) fn of_patch(reason: Reason) -> Self {
        Self {
            line: None,
            path: None,
            hunk: None,
            reason,
        }
    }

    /// About a file of the tree.
    pub(super) fn of_file(path: &Path, reason: Reason) -> Self {
        Self {
            line: None,
            path: Some(path.to_owned()),
            hunk: None,
            reason,
        }
    }

    /// About the change to a file that begins on a line of the patch.
    pub(super) fn of_change(path: &Path, line: usize, reason: Reason) -> Self {
        Self {
            line: Some(line),
            ..Self::of_file(path, reason)
        }
    }

    /// About a hunk of a file.
    pub(super) fn of_hunk(path: &Path, hunk: &HunkPlace, reason: Reason) -> Self {
        Self {
            line: Some(hunk.line),
            path: Some(path.to_owned()),
            hunk: Some(Box::new(hunk.clone())),
            reason,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(out, "{}: ", path.display())?;
        }
        if let Some(hunk) = &self.hunk {
            write!(
                out,
                "hunk {} (`{}`) does not apply: ",
                hunk.number, hunk.header
            )?;
        }
        write!(out, "{}", self.reason)?;
        match self.line {
            Some(line) => write!(out, " (line {line} of the patch)"),
            None => Ok(()),
        }
    }
}
