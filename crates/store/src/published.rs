//! What readers see: the latest committed state, and a signal when the mesh has changed.
//!
//! Readers load one pointer and never wait for a writer. A writer publishes only what is kept.

use std::sync::Arc;

use arc_swap::ArcSwap;
use model::{Snapshot, Timestamp};
use tokio::sync::watch;

use crate::state::State;
use crate::{Committed, Error, Fingerprint};

#[derive(Debug)]
pub(crate) struct Published {
    state: ArcSwap<State>,
    snapshots: watch::Sender<Snapshot>,
}

impl Published {
    pub(crate) fn new(state: State) -> Self {
        Self {
            snapshots: watch::Sender::new(state.snapshot().clone()),
            state: ArcSwap::from_pointee(state),
        }
    }

    pub(crate) fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.state.load().snapshot().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Snapshot> {
        self.snapshots.subscribe()
    }

    pub(crate) fn recall(
        &self,
        token: &str,
        fingerprint: &Fingerprint,
        now: Timestamp,
    ) -> Result<Option<Committed>, Error> {
        Ok(self.state.load().tokens().recall(token, fingerprint, now)?)
    }

    /// The state comes first, so that whoever is woken finds at least the snapshot that woke it.
    pub(crate) fn publish(&self, state: Arc<State>) {
        let snapshot = state.snapshot().clone();
        self.state.store(state);
        self.snapshots.send_if_modified(|seen| {
            let is_new = seen.revision() != snapshot.revision();
            if is_new {
                *seen = snapshot;
            }
            is_new
        });
    }
}
