//! One redb file, opened by one process, that survives its own failures.
//!
//! redb refuses all work after a failed disk access until the file is opened anew. So a failed write closes the file,
//! and [`File::reopen`] brings it back with the state that is really on disk.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase};

use super::read::{self, ReadError};
use super::tables;
use crate::record::Edit;
use crate::state::State;
use crate::{Durability, Error};

/// All resources are in memory anyway; this is for the pages that a write touches.
const CACHE_BYTES: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    /// None after a failure. The lock is held for reading while a transaction runs, for writing to close or reopen.
    database: RwLock<Option<Database>>,
}

impl File {
    /// Opens a file and reads its state.
    pub(super) fn open(path: &Path) -> Result<(Self, State), ReadError> {
        let database = open_database(path)?;
        let state = read::state(&database.begin_read()?)?;
        let file = Self {
            path: path.to_owned(),
            database: RwLock::new(Some(database)),
        };
        Ok((file, state))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads in one transaction, beside a writer.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&ReadTransaction) -> Result<T, ReadError>,
    ) -> Result<T, Error> {
        let slot = self.database.read().unwrap_or_else(PoisonError::into_inner);
        slot.as_ref()
            .ok_or(ReadError::Database(redb::Error::PreviousIo))
            .and_then(|database| read(&database.begin_read()?))
            .map_err(|error| self.failed("read", error))
    }

    /// Writes in one transaction. If that fails the file is closed, and only [`Self::reopen`] tells what it holds.
    pub(super) fn write(
        &self,
        revision: u64,
        edits: &[Edit],
        durability: Durability,
    ) -> Result<(), Error> {
        let written = {
            let slot = self.database.read().unwrap_or_else(PoisonError::into_inner);
            match slot.as_ref() {
                Some(database) => write(database, revision, edits, durability),
                None => Err(redb::Error::PreviousIo),
            }
        };
        written.map_err(|error| {
            self.close();
            self.failed("write", ReadError::Database(error))
        })
    }

    /// After a failure: opens the file again and reads the state that is on disk. None if it is open.
    pub(super) fn reopen(&self) -> Result<Option<State>, Error> {
        let mut slot = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if slot.is_some() {
            return Ok(None);
        }
        let reopened = open_database(&self.path)
            .map_err(ReadError::from)
            .and_then(|database| Ok((read::state(&database.begin_read()?)?, database)));
        match reopened {
            Ok((state, database)) => {
                *slot = Some(database);
                Ok(Some(state))
            }
            Err(error) => Err(self.failed("reopen", error)),
        }
    }

    /// Waits for those who read, and lets go of the file.
    pub(super) fn close(&self) {
        *self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn failed(&self, operation: &'static str, error: ReadError) -> Error {
        let path = self.path.clone();
        match error {
            ReadError::Database(source) => Error::Storage {
                operation,
                path,
                source: Arc::new(source),
            },
            ReadError::Record { name, reason } => Error::Corrupt { name, path, reason },
            ReadError::Format { found } => Error::Corrupt {
                name: "the format number".to_owned(),
                path,
                reason: format!("it has become {found}"),
            },
        }
    }
}

/// Opens an existing file and checks every page of it: redb may panic later over one that was damaged.
fn open_database(path: &Path) -> Result<Database, DatabaseError> {
    Builder::new()
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true)
        .open(path)
}

fn write(
    database: &Database,
    revision: u64,
    edits: &[Edit],
    durability: Durability,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(match durability {
        Durability::Durable => redb::Durability::Immediate,
        Durability::Eventual => redb::Durability::None,
    })?;
    tables::write(&transaction, revision, edits)?;
    transaction.commit()?;
    Ok(())
}
