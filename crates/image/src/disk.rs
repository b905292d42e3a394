//! What this crate does to the disk, with errors that say what was tried, where, and what to do
//! about it.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// An operation on a file or directory that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {}", path.display(), reason(source))]
pub struct DiskError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl DiskError {
    /// Names what was being done to `path` when `source` happened: `.map_err(DiskError::on("read",
    /// path))`.
    pub(crate) fn on(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> ErrorKind {
        self.source.kind()
    }
}

fn reason(source: &io::Error) -> String {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "the disk is full; free some space there, then do the same again".to_owned()
        }
        ErrorKind::ReadOnlyFilesystem => {
            "it is on a read-only file system; choose another directory".to_owned()
        }
        ErrorKind::PermissionDenied => {
            "permission denied; change who may write there, or choose another place".to_owned()
        }
        ErrorKind::NotFound => "there is no such file or directory".to_owned(),
        ErrorKind::NotADirectory => "a part of the path is a file, not a directory".to_owned(),
        _ => source.to_string(),
    }
}

/// Makes a directory and those above it.
pub(crate) fn make_directory(path: &Path) -> Result<(), DiskError> {
    fs::create_dir_all(path).map_err(DiskError::on("make directory", path))
}

/// Removes a file or a whole directory, if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), DiskError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(DiskError::on("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Moves `from` to `to` in one step, on one file system.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), DiskError> {
    fs::rename(from, to).map_err(DiskError::on("move a finished file to", to))
}

/// Replaces the file at `path` so that a reader, or a crash, sees the old content or the new, never
/// a part.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".draft");
    let draft = PathBuf::from(draft);
    let write = || -> io::Result<()> {
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    let written = write().map_err(DiskError::on("write", &draft));
    match written.and_then(|()| rename(&draft, path)) {
        Ok(()) => Ok(()),
        Err(error) => {
            // The first error tells more than that of tidying up.
            remove(&draft).ok();
            Err(error)
        }
    }
}

/// The content of a file, or `None` if there is no such file.
pub(crate) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, DiskError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DiskError::on("read", path)(error)),
    }
}

/// The sorted paths in a directory; none if there is no such directory.
pub(crate) fn list(directory: &Path) -> Result<Vec<PathBuf>, DiskError> {
    let paths = match fs::read_dir(directory) {
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<Vec<_>>>(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let mut paths = paths.map_err(DiskError::on("list directory", directory))?;
    paths.sort();
    Ok(paths)
}
