//! Patches: parsed, summed up and applied with the verdict of `git apply`.
//!
//! A patch file is what `git format-patch`, `git diff` or `diff -u` write: any number of file
//! changes between any amount of other text. [`Patch::parse`] reads one, [`Patch::stat`] sums it
//! up, [`Patch::apply`] makes a new tree of an old one, or says which hunk of which file stands
//! against it. There is no fuzz: context must match exactly, though it may be found at another line
//! than the hunk says.
//!
//! What git accepts outside a repository is accepted, with the same result, and what it refuses is
//! refused; a test compares both on thousands of generated trees and damaged patches. Known
//! differences, all towards refusing:
//!
//! * binary patches are refused, where git applies those that carry data and full object names;
//! * submodules, and modes that are neither a file's nor a symbolic link's or that have a sign, are
//!   refused, where git makes a directory;
//! * a change to what is a directory in the tree is refused, where git passes over it;
//! * quotes that are not closed on their line are refused, where git closes them on a later one, or
//!   takes them literally;
//! * a deletion whose header gives the file a name afterwards is refused, where git deletes but
//!   forgets about it;
//! * an old line without a line end is found only where the file ends, where git also finds it
//!   inside, and joins lines;
//! * a copy from outside the tree, or by way of `..`, is refused, where git reads what is there;
//! * a zero byte has no special meaning, where git takes it for the end of some names;
//! * git's configuration and attributes are not asked, so that a patch means the same for
//!   everybody.

mod apply;
mod header;
mod hunk;
mod name;
mod parse;
mod place;
mod refusal;
mod stat;
mod text;
mod timestamp;

use std::path::{Path, PathBuf};

pub use refusal::{HunkPlace, Reason, Refusal};
pub use stat::{Bar, DiffStat, FileStat};

use crate::tree::{Kind, Tree};
use hunk::Hunk;

/// The parsed changes of one patch file.
#[derive(Clone, Debug)]
pub struct Patch {
    changes: Vec<Change>,
}

/// What is done to one file.
#[derive(Clone, Debug)]
struct Change {
    /// The line of the patch on which its header begins.
    line: usize,
    action: Action,
    /// The path before; of a new file, its path.
    old: PathBuf,
    /// The path after; of a deleted file, its path.
    new: PathBuf,
    /// The kind of file that the patch says it was.
    old_kind: Option<Kind>,
    /// The kind of file that the patch says it becomes.
    new_kind: Option<Kind>,
    hunks: Vec<Hunk>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Modify,
    /// A plain diff that only adds lines: it makes the file if it is missing.
    ModifyOrCreate,
    Create,
    Delete,
    Rename,
    Copy,
}

impl Patch {
    /// Reads a patch file.
    pub fn parse(text: &[u8]) -> Result<Self, Refusal> {
        Ok(Self {
            changes: parse::changes(text)?,
        })
    }

    /// How many lines it adds to and removes from which files.
    pub fn stat(&self) -> DiffStat {
        DiffStat {
            files: self.changes.iter().map(FileStat::of).collect(),
        }
    }

    /// The tree with all changes made. `tree` stays as it is.
    pub fn apply(&self, tree: &Tree) -> Result<Tree, Refusal> {
        apply::apply(tree, &self.changes)
    }
}

impl Change {
    /// The path to speak of.
    fn path(&self) -> &Path {
        &self.old
    }
}
