//! A store that keeps nothing: for tests, and for whatever need not outlive its process.
//!
//! It judges changes by the same rules as the embedded store, since both call `State::apply`.

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::{Snapshot, Timestamp};
use tokio::sync::watch;

use crate::published::Published;
use crate::state::{State, Verdict};
use crate::store::{BoxFuture, Store};
use crate::{Archive, Change, Committed, Entry, Error, Fingerprint};

#[derive(Debug)]
pub struct Memory {
    published: Published,
    /// Every stream's records, in order. Its lock is also what makes commits come one after another.
    journal: Mutex<BTreeMap<String, Vec<Entry>>>,
}

impl Memory {
    /// An empty store at revision 0.
    #[must_use]
    pub fn new() -> Self {
        Self::restore(Archive::default())
    }

    /// A store with everything that an archive holds.
    #[must_use]
    pub fn restore(archive: Archive) -> Self {
        let mut journal: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for entry in archive.journal {
            journal.entry(entry.stream.clone()).or_default().push(entry);
        }
        let ends = journal
            .iter()
            .filter_map(|(stream, entries)| Some((stream.clone(), entries.last()?.position)));
        let state = State::restored(archive.revision, archive.resources, archive.tokens, ends);
        Self {
            published: Published::new(state),
            journal: Mutex::new(journal),
        }
    }

    /// Another store that holds what this one holds now; from here on they know nothing of each other.
    #[must_use]
    pub fn fork(&self) -> Self {
        let journal = self.lock_journal();
        Self {
            published: Published::new(State::clone(&self.published.state())),
            journal: Mutex::new(journal.clone()),
        }
    }

    fn commit_now(&self, change: &Change) -> Result<Committed, Error> {
        let mut journal = self.lock_journal();
        match self.published.state().apply(change)? {
            Verdict::Replayed(committed) => Ok(committed),
            Verdict::Accepted(accepted) => {
                for entry in accepted.entries {
                    journal.entry(entry.stream.clone()).or_default().push(entry);
                }
                self.published.publish(Arc::new(accepted.state));
                Ok(accepted.committed)
            }
        }
    }

    fn journal_now(&self, stream: &str, after: u64) -> Vec<Entry> {
        let journal = self.lock_journal();
        let entries = journal.get(stream).map(Vec::as_slice).unwrap_or_default();
        let first = entries.partition_point(|entry| entry.position <= after);
        entries[first..].to_vec()
    }

    fn export_now(&self) -> Archive {
        let journal = self.lock_journal();
        let state = self.published.state();
        Archive {
            revision: state.snapshot().revision(),
            resources: state.snapshot().iter().cloned().collect(),
            journal: journal.values().flatten().cloned().collect(),
            tokens: state.tokens().iter().cloned().collect(),
        }
    }

    /// A panic in between leaves the journal whole: nothing that can fail happens while it is changed.
    fn lock_journal(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Entry>>> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for Memory {
    fn snapshot(&self) -> Snapshot {
        self.published.snapshot()
    }

    fn watch(&self) -> watch::Receiver<Snapshot> {
        self.published.watch()
    }

    fn commit(&self, change: Change) -> BoxFuture<'_, Result<Committed, Error>> {
        Box::pin(async move { self.commit_now(&change) })
    }

    fn recall(
        &self,
        token: &str,
        fingerprint: &Fingerprint,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Committed>, Error>> {
        Box::pin(ready(self.published.recall(token, fingerprint, now)))
    }

    fn journal(&self, stream: &str, after: u64) -> BoxFuture<'_, Result<Vec<Entry>, Error>> {
        Box::pin(ready(Ok(self.journal_now(stream, after))))
    }

    fn streams(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<String>, Error>> {
        Box::pin(ready(Ok(self.published.state().streams(prefix))))
    }

    fn export(&self) -> BoxFuture<'_, Result<Archive, Error>> {
        Box::pin(ready(Ok(self.export_now())))
    }
}
