//! Opening a store, and why that can fail, in words that say what to do.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::create::{self, Created};
use super::file::File;
use super::read::ReadError;
use super::tables;
use crate::record::Edit;
use crate::state::State;
use crate::{Archive, Error};

/// Why a store could not be opened or restored.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error(
        "cannot open the store {path}: another serin holds it; stop that one, or choose another state directory"
    )]
    Held { path: PathBuf },

    #[error(
        "cannot open {path}: it is no store of serin; choose another path, or move the file away"
    )]
    NotAStore {
        path: PathBuf,
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    #[error(
        "cannot open the store {path}: it has format {found}, this version reads format {}; use the serin that wrote it",
        tables::FORMAT
    )]
    Format { path: PathBuf, found: u64 },

    #[error(
        "cannot read {name} in the store {path}: {reason}; move the file away and restore an export"
    )]
    Corrupt {
        name: String,
        path: PathBuf,
        reason: String,
    },

    #[error("cannot restore into {path}: the file exists; choose a new path")]
    Exists { path: PathBuf },

    #[error("cannot restore into {path}")]
    Unfit { path: PathBuf, source: Error },

    #[error(
        "cannot {operation} the store {path}; check that its directory exists, can be written and has free space"
    )]
    Storage {
        operation: &'static str,
        path: PathBuf,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    pub(super) fn storage(
        operation: &'static str,
        path: &Path,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Storage {
            operation,
            path: path.to_owned(),
            source: Box::new(source),
        }
    }
}

/// Opens a file, and makes it first if there is none.
pub(super) fn open(path: &Path) -> Result<(File, State), OpenError> {
    let exists = path
        .try_exists()
        .map_err(|error| OpenError::storage("open", path, error))?;
    if !exists {
        // If another process made it in between, its file is as good as ours.
        create::create(path, 0, &[]).map_err(|error| OpenError::storage("make", path, error))?;
    }
    File::open(path).map_err(|error| explain(path, error))
}

/// Makes a new file with everything that an archive holds, and opens it.
pub(super) fn restore(path: &Path, archive: &Archive) -> Result<(File, State), OpenError> {
    let edits = edits_of(archive).map_err(|source| OpenError::Unfit {
        path: path.to_owned(),
        source,
    })?;
    match create::create(path, archive.revision, &edits) {
        Ok(Created::New) => File::open(path).map_err(|error| explain(path, error)),
        Ok(Created::Existed) => Err(OpenError::Exists {
            path: path.to_owned(),
        }),
        Err(error) => Err(OpenError::storage("restore", path, error)),
    }
}

fn edits_of(archive: &Archive) -> Result<Vec<Edit>, Error> {
    let resources = archive.resources.iter().map(|it| Edit::put_resource(it));
    let entries = archive.journal.iter().map(Edit::append);
    let tokens = archive.tokens.iter().map(|it| Edit::put_token(it));
    resources.chain(entries).chain(tokens).collect()
}

fn explain(path: &Path, error: ReadError) -> OpenError {
    let path = path.to_owned();
    match error {
        ReadError::Format { found } => OpenError::Format { path, found },
        ReadError::Record { name, reason } => OpenError::Corrupt { name, path, reason },
        ReadError::Database(redb::Error::DatabaseAlreadyOpen) => OpenError::Held { path },
        ReadError::Database(redb::Error::Corrupted(reason)) => OpenError::Corrupt {
            name: "the pages".to_owned(),
            path,
            reason,
        },
        ReadError::Database(source) if is_foreign(&source) => OpenError::NotAStore {
            path,
            source: Box::new(source),
        },
        ReadError::Database(source) => OpenError::storage("open", &path, source),
    }
}

/// Whether the error says that the file was made by something else.
fn is_foreign(error: &redb::Error) -> bool {
    match error {
        redb::Error::Io(error) => matches!(
            error.kind(),
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
        ),
        redb::Error::UpgradeRequired(_)
        | redb::Error::TableDoesNotExist(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_) => true,
        _ => false,
    }
}
