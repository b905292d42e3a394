//! A change and what comes of it, as data.
//!
//! Nothing here acts: a `Change` is built by a caller, judged by `State::apply` and written by a store. Positions in a
//! journal stream start at 1 and have no gaps. A revision counts the changes that wrote a resource.

use std::borrow::Cow;
use std::sync::Arc;

use model::{Resource, ResourceId, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decide::Decide;
use crate::{Error, IdempotencyToken};

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
    /// nor something older than what it keeps. For evidence, which comes again. Only a change that is known to append to
    /// journals and to do nothing else can be eventual; any other is durable all the same.
    Eventual,
}

/// What a change writes and records, and what its request is answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    pub writes: Vec<Write>,
    pub journal: Vec<Append>,
    /// Kept with the token, so that a repetition of the request gets it too.
    pub answer: String,
}

impl Effect {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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

    #[must_use]
    pub fn answer(mut self, answer: impl Into<String>) -> Self {
        self.answer = answer.into();
        self
    }

    /// This effect and then another, whose answer it is.
    fn and(mut self, other: Self) -> Self {
        self.writes.extend(other.writes);
        self.journal.extend(other.journal);
        self.answer = other.answer;
        self
    }
}

/// What shall happen in one step, under which conditions: an effect that is known, or one to be decided.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub expect: Vec<Expect>,
    pub effect: Effect,
    /// Decides what comes on top of `effect`, and the answer.
    pub decide: Option<Decide>,
    pub token: Option<IdempotencyToken>,
    pub durability: Durability,
}

impl Change {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A change whose effect is decided on the very state that it is made on, with no other change in between: for rules
    /// that look at more than the resources which are written. A refusal comes back as [`Error::Refused`].
    ///
    /// The embedded store decides in its writer, so nothing is ever tried twice there. An engine that cannot do that
    /// decides on the latest snapshot it has, commits expecting that revision, and decides anew on a conflict.
    /// So a decision may be made more than once, must follow from the snapshot and from what it captured alone, and has
    /// to be quick: other writers wait.
    #[must_use]
    pub fn decided_by<F>(decide: F) -> Self
    where
        F: Fn(&Snapshot) -> Result<Effect, model::Error> + Send + Sync + 'static,
    {
        Self {
            decide: Some(Decide::new(decide)),
            ..Self::default()
        }
    }

    /// Adds a condition. All conditions are checked against the state before the change.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect.push(expect);
        self
    }

    #[must_use]
    pub fn put(mut self, resource: impl Into<Arc<Resource>>) -> Self {
        self.effect = self.effect.put(resource);
        self
    }

    #[must_use]
    pub fn remove(mut self, id: ResourceId) -> Self {
        self.effect = self.effect.remove(id);
        self
    }

    #[must_use]
    pub fn append(mut self, stream: impl Into<String>, body: Value) -> Self {
        self.effect = self.effect.append(stream, body);
        self
    }

    #[must_use]
    pub fn answer(mut self, answer: impl Into<String>) -> Self {
        self.effect = self.effect.answer(answer);
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

    /// What the change comes to on this snapshot.
    pub(crate) fn effect_on(&self, snapshot: &Snapshot) -> Result<Cow<'_, Effect>, Error> {
        match &self.decide {
            Some(decide) => Ok(Cow::Owned(self.effect.clone().and(decide.on(snapshot)?))),
            None => Ok(Cow::Borrowed(&self.effect)),
        }
    }

    /// Whether the answer may be given before the change is on disk.
    pub(crate) fn may_be_eventual(&self) -> bool {
        self.durability == Durability::Eventual
            && self.decide.is_none()
            && self.effect.writes.is_empty()
            && self.token.is_none()
    }
}

/// A change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The store's revision after the change. A change without writes leaves it as it was.
    pub revision: u64,
    /// Where each record of `Effect::journal` went, in the same order.
    pub positions: Vec<u64>,
    /// What the request is answered: `Effect::answer` of this change, or of the one it repeats.
    pub answer: String,
    /// Whether the change had been made before: then nothing was done now.
    pub replayed: bool,
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
