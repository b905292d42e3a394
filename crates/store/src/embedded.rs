//! The store in a file of its own: the default, for one machine.
//!
//! All resources are in memory and readers never touch the file, journals apart. Changes go through one writer thread
//! that has them on disk before it answers. One process holds the file at a time.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use model::{Snapshot, Timestamp};
use redb::ReadTransaction;
use tokio::sync::{oneshot, watch};

use self::file::File;
use self::read::ReadError;
use self::writer::{Request, Writer};
use crate::published::Published;
use crate::state::State;
use crate::store::{BoxFuture, Store};
use crate::{Archive, Change, Committed, Entry, Error, Fingerprint};

pub use self::open::OpenError;

mod create;
mod file;
mod open;
mod read;
mod tables;
mod writer;

#[derive(Debug)]
pub struct Embedded {
    file: Arc<File>,
    published: Arc<Published>,
    requests: Option<mpsc::Sender<Request>>,
    writer: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Opens the store in this file and reads all of it; makes the file if there is none, but not its directory.
    ///
    /// This blocks the thread until it is done.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        Self::start(open::open(path)?)
    }

    /// Makes a new file with everything that an archive holds.
    pub fn restore(path: &Path, archive: &Archive) -> Result<Self, OpenError> {
        Self::start(open::restore(path, archive)?)
    }

    fn start((file, state): (File, State)) -> Result<Self, OpenError> {
        let file = Arc::new(file);
        let published = Arc::new(Published::new(state));
        let (requests, received) = mpsc::channel();
        let writer = Writer::new(Arc::clone(&file), Arc::clone(&published), received);
        let thread = thread::Builder::new()
            .name("store writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| OpenError::storage("open", file.path(), error))?;
        Ok(Self {
            file,
            published,
            requests: Some(requests),
            writer: Some(thread),
        })
    }

    fn closed(&self) -> Error {
        Error::Closed {
            path: self.file.path().to_owned(),
        }
    }

    /// Reads the file on a thread that may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, Error> {
        let file = Arc::clone(&self.file);
        tokio::task::spawn_blocking(move || file.read(read))
            .await
            .unwrap_or_else(|_| Err(self.closed()))
    }
}

impl Store for Embedded {
    fn snapshot(&self) -> Snapshot {
        self.published.snapshot()
    }

    fn watch(&self) -> watch::Receiver<Snapshot> {
        self.published.watch()
    }

    fn commit(&self, change: Change) -> BoxFuture<'_, Result<Committed, Error>> {
        Box::pin(async move {
            let (teller, told) = oneshot::channel();
            // What cannot be sent is dropped, its teller too, which is how the receiver learns of it.
            if let Some(requests) = &self.requests {
                requests.send((change, teller)).ok();
            }
            told.await.unwrap_or_else(|_| Err(self.closed()))
        })
    }

    fn recall(
        &self,
        token: &str,
        fingerprint: &Fingerprint,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Option<Committed>, Error>> {
        let recalled = self.published.recall(token, fingerprint, now);
        Box::pin(async move { recalled })
    }

    fn journal(&self, stream: &str, after: u64) -> BoxFuture<'_, Result<Vec<Entry>, Error>> {
        let stream = stream.to_owned();
        Box::pin(self.read(move |transaction| read::stream(transaction, &stream, after)))
    }

    fn streams(&self, prefix: &str) -> BoxFuture<'_, Result<Vec<String>, Error>> {
        let streams = self.published.state().streams(prefix);
        Box::pin(async move { Ok(streams) })
    }

    fn export(&self) -> BoxFuture<'_, Result<Archive, Error>> {
        Box::pin(self.read(read::archive))
    }
}

impl Drop for Embedded {
    /// Writes what waits, eventual changes too, and lets go of the file, so that it can be opened again at once.
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!(path = %self.file.path().display(), "the store's writer has panicked");
        }
        self.file.close();
    }
}
