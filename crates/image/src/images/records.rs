//! The small files that point at versions: one for each input that was built, one for each tag.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ImageError;
use crate::digest::Digest;
use crate::disk;
use crate::patch::DiffStat;

/// What came of building an input.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InputRecord {
    /// The digest of the artifacts.
    pub(super) content: Digest,
}

/// What a tag stands for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TagRecord {
    /// The digest of the artifacts.
    pub(super) content: Digest,
    /// What was patched to get there.
    pub(super) diffstat: DiffStat,
}

/// Reads a record; `None` if there is none.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ImageError> {
    let Some(bytes) = disk::read_if_there(path)? else {
        return Ok(None);
    };
    match serde_json::from_slice(&bytes) {
        Ok(record) => Ok(Some(record)),
        Err(source) => Err(ImageError::Record {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Writes a record, whole or not at all.
pub(super) fn write<T: Serialize>(path: &Path, record: &T) -> Result<(), ImageError> {
    let bytes = serde_json::to_vec_pretty(record).map_err(|source| ImageError::Record {
        path: path.to_owned(),
        source,
    })?;
    Ok(disk::write_whole(path, &bytes)?)
}
