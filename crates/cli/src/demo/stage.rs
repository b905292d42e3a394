//! Where the demo lies: the source of its example, and the state of its mesh.
//!
//! Both are the demo's own, below the state directory; one demo at a time may use them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use compute::process::{OpenError, reaper};
use release::Manifest;
use rustix::fs::FlockOperation;
use server::{Layout, Presence};

use super::example::Example;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::server_process::unusable;

/// Tasks of a demo that was killed are stopped by its reaper; this long is more than that takes.
const REAPING: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Stage {
    pub example: &'static Example,
    pub source: PathBuf,
    pub state: PathBuf,
    /// Held as long as the demo runs.
    _lock: File,
}

/// For builds of two versions and working copies of six tasks, with some room to spare.
const NEEDED: u64 = 100 << 20;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("too little space in {}: the demo needs 100 MiB, {} MiB are free", .0.display(), .1 >> 20)]
    NoSpace(PathBuf, u64),
    #[error("another demo is running in {}", .0.display())]
    Taken(PathBuf),
    #[error("could not stop the tasks of an earlier demo, which was killed")]
    Leftover(#[source] OpenError),
    #[error("an earlier demo in {} was killed, and its tasks are still stopping", .0.display())]
    StillStopping(PathBuf),
}

impl Stage {
    /// Unpacks the example, and forgets the mesh of an earlier demo; its builds are kept.
    pub async fn set(example: &'static Example, directory: &Path) -> Result<Self, Failure> {
        let unusable = |source| unusable(directory, source);
        std::fs::create_dir_all(directory).map_err(unusable)?;
        let free = free_space(directory).map_err(unusable)?;
        if free < NEEDED {
            return Err(Failure::new(
                Exit::CheckFailed,
                Error::NoSpace(directory.to_owned(), free),
            )
            .hint("make room on that disk, or name a directory on another with --state"));
        }
        let lock = lock(directory)?;
        let source = example.unpack(directory).map_err(unusable)?;
        let state = directory.join("state");
        stop_leftovers(&state).await?;
        Layout::new(&state).forget_mesh().map_err(unusable)?;
        Ok(Self {
            example,
            source,
            state,
            _lock: lock,
        })
    }

    /// The example's own manifest, on any free port.
    pub fn manifest(&self) -> Result<Manifest, Failure> {
        let manifest = Manifest::load(&self.source.join("serin.yaml"));
        let mut manifest = manifest.map_err(|error| Failure::new(Exit::Failed, error))?;
        manifest.gateway.port = 0;
        Ok(manifest)
    }
}

fn free_space(directory: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(directory)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn lock(directory: &Path) -> Result<File, Failure> {
    let file =
        File::create(directory.join("lock")).map_err(|source| unusable(directory, source))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Failure::new(
            Exit::Failed,
            Error::Taken(directory.to_owned()),
        )
        .hint("wait for its end, or give this one a place of its own with --state")),
        Err(error) => Err(unusable(directory, error.into())),
    }
}

/// Stops what a demo that was killed has left running.
async fn stop_leftovers(state: &Path) -> Result<(), Failure> {
    let layout = Layout::new(state);
    let presence = match std::fs::read(layout.presence()) {
        Ok(presence) => presence,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(state, error)),
    };
    // What is no presence was not written by a server: nothing was left.
    let Ok(Presence { pid, .. }) = serde_json::from_slice(&presence) else {
        return Ok(());
    };
    let tasks = layout.tasks();
    let reaping = tokio::task::spawn_blocking(move || reaper::run(&tasks, pid, Duration::ZERO));
    match tokio::time::timeout(REAPING, reaping).await {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Ok(Err(error))) => Err(Failure::new(Exit::Failed, Error::Leftover(error))),
        Ok(Err(_)) | Err(_) => Err(Failure::new(
            Exit::Failed,
            Error::StillStopping(state.to_owned()),
        )
        .hint("try again in a moment, or give this demo a place of its own with --state")),
    }
}
