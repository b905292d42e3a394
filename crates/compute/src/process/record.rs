//! What is remembered on disk, so that the next server can go on where this one ended.
//!
//! A file has one writer and is replaced whole. A wish ([`SetRecord`]) survives a power cut; what runs
//! ([`TaskRecord`]) need only survive the server, because no process outlives the machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::layout::Slot;
use crate::driver::TaskSet;

pub(super) const FORMAT: u32 = 1;

/// What a task set is wished to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SetRecord {
    /// Grows when running tasks no longer do and must be replaced.
    pub generation: u64,
    pub draining: bool,
    pub desired: TaskSet,
}

/// One task and what it runs as.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TaskRecord {
    pub index: u32,
    pub generation: u64,
    /// As the set was when this task was made for it.
    pub definition: TaskSet,
    pub port: u16,
    pub starts: u32,
    pub last_exit: Option<String>,
    pub run: Option<RunRecord>,
}

/// Written twice per start: the intent, and then with the process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RunRecord {
    /// Which run of which task a process belongs to, found in its environment.
    pub marker: String,
    pub process: Option<Identity>,
}

impl TaskRecord {
    pub(super) fn slot(&self) -> Slot {
        Slot {
            index: self.index,
            generation: self.generation,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("{path} is in format {found}, and this program knows formats up to {FORMAT}")]
    Newer { path: PathBuf, found: u32 },
    #[error("{path} is not a record")]
    Malformed {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("could not read {path}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl ReadError {
    /// A record of something else than where it lies.
    pub(super) fn misplaced(path: PathBuf) -> Self {
        let source = serde::de::Error::custom("it does not belong where it lies");
        Self::Malformed { path, source }
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    format: u32,
    record: T,
}

/// `None`: there is no such file.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ReadError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            return Err(ReadError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    let malformed = |source| ReadError::Malformed {
        path: path.to_owned(),
        source,
    };
    let envelope: Envelope<serde_json::Value> =
        serde_json::from_slice(&bytes).map_err(malformed)?;
    if envelope.format > FORMAT {
        return Err(ReadError::Newer {
            path: path.to_owned(),
            found: envelope.format,
        });
    }
    serde_json::from_value(envelope.record)
        .map(Some)
        .map_err(malformed)
}

/// Replaces the file; a reader sees the old record or the new one.
pub(super) fn write<T: Serialize>(path: &Path, record: &T) -> io::Result<()> {
    let temporary = write_beside(path, record)?.0;
    fs::rename(temporary, path)
}

/// [`write()`], and a power cut cannot undo it.
pub(super) fn write_durably<T: Serialize>(path: &Path, record: &T) -> io::Result<()> {
    let (temporary, file) = write_beside(path, record)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    sync_parent(path)
}

/// Deletes the file for good, if it is there.
pub(super) fn delete_durably(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_parent(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn write_beside<T: Serialize>(path: &Path, record: &T) -> io::Result<(PathBuf, File)> {
    let temporary = path.with_extension("json.new");
    // An environment may hold secrets.
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    let envelope = Envelope {
        format: FORMAT,
        record,
    };
    file.write_all(&serde_json::to_vec_pretty(&envelope)?)?;
    Ok((temporary, file))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
