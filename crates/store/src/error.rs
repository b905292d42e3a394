//! Why a store could not do what it was asked for.
//!
//! A [`Conflict`] is the caller's to solve: it names what was expected and what was found, and nothing was changed. So
//! is a refusal, in the words of whoever decided it. The other errors are the store's own, and changes that come later
//! may succeed again.

use std::path::PathBuf;
use std::sync::Arc;

use model::ResourceId;
use thiserror::Error;

/// The failure of an operation on an open store.
///
/// It can be cloned because changes that share one disk write share its failure as well.
#[derive(Clone, Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Conflict(#[from] Conflict),

    /// The change was to be decided on the latest state, and the decision was against it.
    #[error(transparent)]
    Refused(#[from] model::Error),

    #[error("cannot decide the change, nothing was written: its decision panicked: {reason}")]
    Undecided { reason: String },

    #[error("cannot keep {name}: {reason}")]
    Unfit { name: String, reason: String },

    /// The disk failed. The change was not made; only if the very last step of a write fails may it have been made all
    /// the same, and then the store's next snapshot shows it.
    #[error("cannot {operation} the store {path}; free space or repair the disk, and try again")]
    Storage {
        operation: &'static str,
        path: PathBuf,
        source: Arc<dyn std::error::Error + Send + Sync>,
    },

    #[error(
        "cannot read {name} in the store {path}: {reason}; restore an export into a new file, or open it with the serin that wrote it"
    )]
    Corrupt {
        name: String,
        path: PathBuf,
        reason: String,
    },

    #[error("the store {path} is closed: its writer has ended; restart serin")]
    Closed { path: PathBuf },
}

/// A condition of a change that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Conflict {
    #[error("{id} was expected to be absent, found version {found}")]
    Present { id: ResourceId, found: i64 },

    #[error("{id} was expected in version {expected}, found version {found}")]
    Version {
        id: ResourceId,
        expected: i64,
        found: i64,
    },

    #[error("{id} was expected in version {expected}, found none")]
    Absent { id: ResourceId, expected: i64 },

    #[error("the store was expected at revision {expected}, found revision {found}")]
    Revision { expected: u64, found: u64 },

    #[error("journal {stream} was expected to end at position {expected}, found position {found}")]
    Position {
        stream: String,
        expected: u64,
        found: u64,
    },

    #[error("token {token} was used before with another request; use a new token")]
    Token { token: String },
}
