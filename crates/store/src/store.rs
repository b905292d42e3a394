//! The one trait that the rest of Serin knows: read a snapshot, follow it, commit a change, read a journal.
//!
//! It is object safe and its slow operations are futures, so that a distributed engine fits behind it as well as the
//! embedded file does. Reading a snapshot never waits for a writer.

use std::fmt::Debug;
use std::pin::Pin;

use model::{Snapshot, Timestamp};
use tokio::sync::watch;

use crate::{Archive, Change, Committed, Entry, Error, Fingerprint};

/// A future that can be sent between threads, as trait objects need it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A mesh's state: resources at a revision, and journals.
pub trait Store: Debug + Send + Sync {
    /// The latest committed snapshot.
    fn snapshot(&self) -> Snapshot;

    /// Follows the snapshots. A slow reader misses revisions in between but always sees the latest one.
    fn watch(&self) -> watch::Receiver<Snapshot>;

    /// Makes the whole change, or none of it.
    ///
    /// A caller that drops the future before its end does not learn the verdict; the change may still be made.
    fn commit(&self, change: Change) -> BoxFuture<'_, Result<Committed, Error>>;

    /// What came of an earlier change with this token, if the same request was committed before.
    ///
    /// `commit` looks for it too, before anything else. Ask here when a refusal would come before the commit. Another
    /// request under the same token is a conflict.
    fn recall(
        &self,
        token: &str,
        fingerprint: &Fingerprint,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Committed>, Error>>;

    /// The records of one stream after a position, oldest first. Positions start at 1, so 0 asks for all.
    fn journal(&self, stream: &str, after: u64) -> BoxFuture<'_, Result<Vec<Entry>, Error>>;

    /// The names of the streams that begin with `prefix`, in order.
    fn streams(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<String>, Error>>;

    /// All that the store holds, at one revision.
    fn export(&self) -> BoxFuture<'_, Result<Archive, Error>>;
}
