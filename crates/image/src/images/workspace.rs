//! A private place for one build, named after the digest of what is built.
//!
//! A lock beside it belongs to whoever builds there: other builds of the same input wait for it, in
//! this process or another. The system frees the lock when its holder dies, however it dies; what
//! is left behind then is swept away by the next one who opens the images.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::digest::Digest;
use crate::disk::{self, DiskError};

const LOCK_EXTENSION: &str = "lock";
/// How often a build looks whether the one before it is done.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// A directory that this build has for itself. It is removed when the value is dropped.
#[derive(Debug)]
pub(crate) struct Workspace {
    directory: PathBuf,
    _lock: File,
}

impl Workspace {
    /// Waits until nobody else builds `input`, and takes its place.
    pub(crate) async fn claim(workspaces: &Path, input: &Digest) -> Result<Self, DiskError> {
        let directory = workspaces.join(input.hex());
        loop {
            if let Some(lock) = try_lock(&directory)? {
                disk::remove(&directory)?;
                disk::make_directory(&directory)?;
                return Ok(Self {
                    directory,
                    _lock: lock,
                });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Where the private copy of the source is built.
    pub(crate) fn source(&self) -> PathBuf {
        self.directory.join("source")
    }

    /// Where the artifacts are put together.
    pub(crate) fn artifacts(&self) -> PathBuf {
        self.directory.join("artifacts")
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // What cannot be removed now, because a dying compiler still writes to it, is swept at the
        // next open.
        disk::remove(&self.directory).ok();
    }
}

/// Removes every workspace whose builder is gone.
pub(crate) fn sweep(workspaces: &Path) -> Result<(), DiskError> {
    for path in disk::list(workspaces)? {
        if path
            .extension()
            .is_none_or(|extension| extension != LOCK_EXTENSION)
            && let Some(_lock) = try_lock(&path)?
        {
            disk::remove(&path)?;
        }
    }
    Ok(())
}

/// The lock of a workspace, unless somebody else has it. Lock files stay for ever: removing one
/// would let two builders each lock a file of that name.
fn try_lock(directory: &Path) -> Result<Option<File>, DiskError> {
    let path = directory.with_extension(LOCK_EXTENSION);
    let file = open_lock(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(DiskError::on("lock", &path)(error)),
    }
}

/// Waits for the lock file at `path`; the lock lasts as long as the returned file.
pub(crate) fn lock(path: &Path) -> Result<File, DiskError> {
    let file = open_lock(path)?;
    file.lock().map_err(DiskError::on("lock", path))?;
    Ok(file)
}

fn open_lock(path: &Path) -> Result<File, DiskError> {
    let options = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .to_owned();
    options
        .open(path)
        .map_err(DiskError::on("open the lock file", path))
}
