//! The one thread that writes: it takes all changes that wait, judges them in turn, and keeps them in one transaction.
//!
//! Each change still gets a verdict of its own. No verdict is given before the transaction is on disk, because a later
//! change may have been judged by what an earlier one in the same transaction did.

use std::iter;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::file::File;
use crate::published::Published;
use crate::record::Edit;
use crate::state::{State, Verdict};
use crate::{Change, Committed, Durability, Error};

/// So many changes at most share a transaction, which bounds how long the first of them waits for the others.
const TOGETHER: usize = 256;

/// How long an eventual change may wait to be on disk when nothing else is written.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// A change, and where its verdict goes.
pub(super) type Request = (Change, oneshot::Sender<Result<Committed, Error>>);

#[derive(Debug)]
pub(super) struct Writer {
    file: Arc<File>,
    published: Arc<Published>,
    requests: Receiver<Request>,
    /// Whether something was written that a crash would lose.
    unflushed: bool,
}

impl Writer {
    pub(super) fn new(
        file: Arc<File>,
        published: Arc<Published>,
        requests: Receiver<Request>,
    ) -> Self {
        Self {
            file,
            published,
            requests,
            unflushed: false,
        }
    }

    /// Runs until nobody can send requests any more. Who closes the file then has redb write what is not on disk yet.
    pub(super) fn run(mut self) {
        loop {
            let received = if self.unflushed {
                self.requests.recv_timeout(FLUSH_AFTER)
            } else {
                self.requests.recv().map_err(RecvTimeoutError::from)
            };
            match received {
                Ok(first) => {
                    let waiting = self.requests.try_iter().take(TOGETHER - 1);
                    let requests = iter::once(first).chain(waiting).collect();
                    self.serve(requests);
                }
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Commits the changes and tells everyone what came of theirs. Who no longer listens need not know.
    fn serve(&mut self, requests: Vec<Request>) {
        let (changes, tellers): (Vec<Change>, Vec<_>) = requests.into_iter().unzip();
        match self.commit(&changes) {
            Ok(verdicts) => {
                for (teller, verdict) in tellers.into_iter().zip(verdicts) {
                    teller.send(verdict).ok();
                }
            }
            Err(error) => {
                for teller in tellers {
                    teller.send(Err(error.clone())).ok();
                }
            }
        }
    }

    /// Judges the changes one after the other, each by the state that the ones before lead to, and keeps what holds.
    /// An error means that none is kept.
    fn commit(&mut self, changes: &[Change]) -> Result<Vec<Result<Committed, Error>>, Error> {
        self.reopen()?;
        let mut state = self.published.state();
        let mut edits = Vec::new();
        let mut verdicts = Vec::with_capacity(changes.len());
        let mut durability = Durability::Eventual;
        for change in changes {
            verdicts.push(match state.apply(change) {
                Ok(Verdict::Accepted(accepted)) => {
                    if !change.may_be_eventual() {
                        durability = Durability::Durable;
                    }
                    edits.extend(accepted.edits);
                    state = Arc::new(accepted.state);
                    Ok(accepted.committed)
                }
                Ok(Verdict::Replayed(committed)) => Ok(committed),
                Err(error) => Err(error),
            });
        }
        if !edits.is_empty() {
            self.keep(state, &edits, durability)?;
        }
        Ok(verdicts)
    }

    fn keep(
        &mut self,
        state: Arc<State>,
        edits: &[Edit],
        durability: Durability,
    ) -> Result<(), Error> {
        self.unflushed = durability == Durability::Eventual;
        self.write(state.snapshot().revision(), edits, durability)?;
        self.published.publish(state);
        Ok(())
    }

    fn flush(&mut self) {
        if !self.unflushed {
            return;
        }
        self.unflushed = false;
        let revision = self.published.snapshot().revision();
        if let Err(error) = self.write(revision, &[], Durability::Durable) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "eventual changes are lost"
            );
        }
    }

    fn write(&self, revision: u64, edits: &[Edit], durability: Durability) -> Result<(), Error> {
        let written = self.file.write(revision, edits, durability);
        if written.is_err()
            && let Err(error) = self.reopen()
        {
            // The next change tries again.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the store stays closed"
            );
        }
        written
    }

    /// After a failure the file is the truth: the last write may have reached it, eventual ones may be gone.
    fn reopen(&self) -> Result<(), Error> {
        if let Some(state) = self.file.reopen()? {
            self.published.publish(Arc::new(state));
        }
        Ok(())
    }
}
