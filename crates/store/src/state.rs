//! The rules of a change, as a pure function from one state to the next.
//!
//! Both stores call [`State::apply`] and then only keep what it decided, so they cannot differ in what a change means.
//! A state is persistent: the next one shares almost all of its memory with the one before, which stays as it was.

use std::ops::Bound;
use std::sync::Arc;

use model::{Resource, ResourceId, Snapshot};
use rpds::RedBlackTreeMapSync;

use crate::record::Edit;
use crate::token::{Tokens, UsedToken};
use crate::{Append, Change, Committed, Conflict, Entry, Error, Expect, IdempotencyToken, Write};

/// All that a verdict depends on. Journal records themselves are not part of it, only where each stream ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    snapshot: Snapshot,
    tokens: Tokens,
    ends: RedBlackTreeMapSync<String, u64>,
}

/// What a change comes to.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It had been made before; there is nothing to do.
    Replayed(Committed),
    Accepted(Box<Accepted>),
}

/// A change that holds: the state after it, and what a store has to keep.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) state: State,
    pub(crate) committed: Committed,
    pub(crate) entries: Vec<Entry>,
    pub(crate) edits: Vec<Edit>,
}

impl State {
    /// A state as it was kept: resources, used tokens, and the last position of each stream.
    pub(crate) fn restored(
        revision: u64,
        resources: impl IntoIterator<Item = Arc<Resource>>,
        used_tokens: impl IntoIterator<Item = Arc<UsedToken>>,
        ends: impl IntoIterator<Item = (String, u64)>,
    ) -> Self {
        Self {
            snapshot: resources
                .into_iter()
                .fold(Snapshot::new(), |snapshot, resource| {
                    snapshot.insert(resource)
                })
                .at_revision(revision),
            tokens: used_tokens.into_iter().collect(),
            ends: ends.into_iter().collect(),
        }
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The streams whose names begin with `prefix`, in order.
    pub(crate) fn streams(&self, prefix: &str) -> Vec<String> {
        self.ends
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .map(|(stream, _)| stream)
            .take_while(|stream| stream.starts_with(prefix))
            .cloned()
            .collect()
    }

    /// Judges a change against this state and tells what follows from it. This state stays as it is.
    pub(crate) fn apply(&self, change: &Change) -> Result<Verdict, Error> {
        if let Some(token) = &change.token {
            let earlier = self
                .tokens
                .recall(&token.token, &token.fingerprint, token.now)?;
            if let Some(committed) = earlier {
                return Ok(Verdict::Replayed(committed));
            }
        }
        for expect in &change.expect {
            self.check(expect)?;
        }
        let effect = change.effect_on(&self.snapshot)?;

        let mut state = self.clone();
        let mut edits = state.write(&effect.writes)?;
        let entries = state.record(&effect.journal);
        let committed = Committed {
            revision: state.snapshot.revision(),
            positions: entries.iter().map(|entry| entry.position).collect(),
            answer: effect.answer.clone(),
            replayed: false,
        };
        for entry in &entries {
            edits.push(Edit::append(entry)?);
        }
        if let Some(token) = &change.token {
            edits.extend(state.remember(token, &committed)?);
        }
        Ok(Verdict::Accepted(Box::new(Accepted {
            state,
            committed,
            entries,
            edits,
        })))
    }

    fn check(&self, expect: &Expect) -> Result<(), Conflict> {
        match expect {
            Expect::Absent(id) => match self.version_of(id) {
                None => Ok(()),
                Some(found) => Err(Conflict::Present {
                    id: id.clone(),
                    found,
                }),
            },
            Expect::Version { id, version } => match self.version_of(id) {
                Some(found) if found == *version => Ok(()),
                Some(found) => Err(Conflict::Version {
                    id: id.clone(),
                    expected: *version,
                    found,
                }),
                None => Err(Conflict::Absent {
                    id: id.clone(),
                    expected: *version,
                }),
            },
            Expect::Revision(expected) => match self.snapshot.revision() {
                found if found == *expected => Ok(()),
                found => Err(Conflict::Revision {
                    expected: *expected,
                    found,
                }),
            },
            Expect::Position { stream, position } => match self.end_of(stream) {
                found if found == *position => Ok(()),
                found => Err(Conflict::Position {
                    stream: stream.clone(),
                    expected: *position,
                    found,
                }),
            },
        }
    }

    fn version_of(&self, id: &ResourceId) -> Option<i64> {
        Some(self.snapshot.get(id)?.metadata.version)
    }

    /// The position of a stream's last record, 0 if it has none.
    fn end_of(&self, stream: &str) -> u64 {
        self.ends.get(stream).copied().unwrap_or(0)
    }

    /// Only writes make a new revision, so that journal records wake nobody who watches the mesh.
    fn write(&mut self, writes: &[Write]) -> Result<Vec<Edit>, Error> {
        let mut edits = Vec::with_capacity(writes.len());
        for write in writes {
            match write {
                Write::Put(resource) => {
                    edits.push(Edit::put_resource(resource)?);
                    self.snapshot = self.snapshot.insert(Arc::clone(resource));
                }
                Write::Remove(id) => {
                    edits.push(Edit::RemoveResource { path: id.path() });
                    self.snapshot = self.snapshot.remove(id);
                }
            }
        }
        if !writes.is_empty() {
            self.snapshot = self
                .snapshot
                .at_revision(self.snapshot.revision().saturating_add(1));
        }
        Ok(edits)
    }

    fn record(&mut self, journal: &[Append]) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(journal.len());
        for append in journal {
            let position = self.end_of(&append.stream).saturating_add(1);
            self.ends.insert_mut(append.stream.clone(), position);
            entries.push(Entry {
                stream: append.stream.clone(),
                position,
                revision: self.snapshot.revision(),
                body: append.body.clone(),
            });
        }
        entries
    }

    fn remember(
        &mut self,
        token: &IdempotencyToken,
        committed: &Committed,
    ) -> Result<Vec<Edit>, Error> {
        let used = UsedToken {
            order: self.tokens.next_order(),
            token: token.token.clone(),
            fingerprint: token.fingerprint.clone(),
            used_at: token.now,
            revision: committed.revision,
            positions: committed.positions.clone(),
            answer: committed.answer.clone(),
        };
        let mut edits = vec![Edit::put_token(&used)?];
        self.tokens.insert(Arc::new(used));
        let forgotten = self.tokens.prune(token.now);
        edits.extend(forgotten.map(|token| Edit::ForgetToken { token }));
        Ok(edits)
    }
}
