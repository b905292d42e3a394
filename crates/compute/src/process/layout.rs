//! Where everything lies below the state directory.
//!
//! ```text
//! lock                                        held by the server, names it
//! task-sets/<service>/<version>/set.json      the wish
//! task-sets/.../tasks/<index>.<generation>/   task.json and work/, the working copy
//! logs/<service>/<version>/<index>.log        kept when the set is removed
//! set-aside/                                  task sets whose records could not be read
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

use crate::driver::TaskSetId;

/// The place of one task in its set. Two generations of an index live side by side while one replaces
/// the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot {
    pub index: u32,
    pub generation: u64,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// `root` must be canonical: it is a part of the marker that tasks carry.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(super) fn task_sets(&self) -> PathBuf {
        self.root.join("task-sets")
    }

    pub(super) fn set_aside(&self) -> PathBuf {
        self.root.join("set-aside")
    }

    pub(super) fn reaper_log(&self) -> PathBuf {
        self.root.join("logs").join("reaper.log")
    }

    pub(super) fn set(&self, id: &TaskSetId) -> PathBuf {
        self.task_sets().join(&id.service).join(&id.version)
    }

    pub(super) fn task(&self, id: &TaskSetId, slot: Slot) -> PathBuf {
        tasks(&self.set(id)).join(slot.to_string())
    }

    pub(super) fn log(&self, id: &TaskSetId, index: u32) -> PathBuf {
        self.root
            .join("logs")
            .join(&id.service)
            .join(&id.version)
            .join(format!("{index}.log"))
    }
}

pub(super) fn set_record(set: &Path) -> PathBuf {
    set.join("set.json")
}

pub(super) fn tasks(set: &Path) -> PathBuf {
    set.join("tasks")
}

pub(super) fn task_record(task: &Path) -> PathBuf {
    task.join("task.json")
}

pub(super) fn working_copy(task: &Path) -> PathBuf {
    task.join("work")
}
