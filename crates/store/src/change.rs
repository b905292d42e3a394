//! A change and what comes of it, as data.
//!
//! Nothing here acts: a `Change` is built by a caller, judged by `State::apply` and written by a store. Positions in a
//! journal stream start at 1 and have no gaps. A revision counts the changes that wrote a resource.

use std::sync::Arc;

use model::{Resource, ResourceId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::IdempotencyToken;

/// A condition that must hold for a change to be made.
#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    /// No resource has this id.
    Absent(ResourceId),
    /// The resource exists in this version.
    Version { id: ResourceId, version: i64 },
    /// Nothing was written since this revision.
    Revision(u64),
    /// The stream ends at this position (0: the stream is empty), so that only one of two recorders goes on.
    Position { stream: String, position: u64 },
}

/// One resource written.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Adds the resource or replaces the one with its id, exactly as given: its version is the caller's business.
    Put(Arc<Resource>),
    /// Removes the resource; fine if there is none.
    Remove(ResourceId),
}

/// One journal record to be appended.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    pub stream: String,
    pub body: Value,
}

/// When a change counts as made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It is on disk before the answer is given.
    #[default]
    Durable,
    /// It is visible at once and on disk soon: a crash may lose the last second of it, but never a part of one change
    /// nor something older than what it keeps. For evidence, which comes again. Only a change that appends to journals
    /// and does nothing else can be eventual; any other is durable all the same.
    Eventual,
}

/// What shall be written, under which conditions, in one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    pub expect: Vec<Expect>,
    pub writes: Vec<Write>,
    pub journal: Vec<Append>,
    pub token: Option<IdempotencyToken>,
    pub durability: Durability,
}

impl Change {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition. All conditions are checked against the state before the change.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect.push(expect);
        self
    }

    #[must_use]
    pub fn put(mut self, resource: impl Into<Arc<Resource>>) -> Self {
        self.writes.push(Write::Put(resource.into()));
        self
    }

    #[must_use]
    pub fn remove(mut self, id: ResourceId) -> Self {
        self.writes.push(Write::Remove(id));
        self
    }

    #[must_use]
    pub fn append(mut self, stream: impl Into<String>, body: Value) -> Self {
        self.journal.push(Append {
            stream: stream.into(),
            body,
        });
        self
    }

    /// Makes the change at most once: the same request with the same token gets the recorded answer.
    #[must_use]
    pub fn once(mut self, token: IdempotencyToken) -> Self {
        self.token = Some(token);
        self
    }

    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether the answer may be given before the change is on disk.
    pub(crate) fn may_be_eventual(&self) -> bool {
        self.durability == Durability::Eventual && self.writes.is_empty() && self.token.is_none()
    }
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The store's revision after the change. A change without writes leaves it as it was.
    pub revision: u64,
    /// Where each record of `Change::journal` went, in the same order.
    pub positions: Vec<u64>,
    /// The answer that was recorded earlier, if the change had been made before: then nothing was done now.
    pub replayed: Option<String>,
}

/// One journal record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub stream: String,
    pub position: u64,
    /// The store's revision after the change that brought this record.
    pub revision: u64,
    pub body: Value,
}
