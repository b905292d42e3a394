//! One server per state directory: an exclusive lock that the kernel releases when its holder dies.
//!
//! The file says who holds it. What it says is only believed of a process that lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::identity::Identity;
use super::layout::Layout;
use super::open_error::OpenError;

const RETRY_INTERVAL: Duration = Duration::from_millis(20);
const MOST_UNSEEN: u32 = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Role {
    Server,
    /// Stops what a dead server left, and is soon done.
    Reaper,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Holder {
    pub role: Role,
    pub process: Identity,
}

/// Held until dropped.
#[derive(Debug)]
pub(super) struct StateLock {
    _file: File,
}

#[derive(Debug)]
pub(super) enum Attempt {
    Taken(StateLock),
    /// By whom, if it says so already.
    Held(Option<Holder>),
}

impl StateLock {
    /// For a server. Waits for a reaper to finish, and a little for a holder that is not to be seen: it
    /// may be dead and its lock about to be released, or have the lock and not have signed yet.
    pub(super) async fn take(layout: &Layout) -> Result<Self, OpenError> {
        let path = layout.lock();
        let state = layout.root().to_owned();
        let mut unseen = 0;
        let mut announced = false;
        loop {
            let attempt = Self::attempt(&path, Role::Server);
            let holder = match attempt.map_err(OpenError::io("lock", &path))? {
                Attempt::Taken(lock) => return Ok(lock),
                Attempt::Held(holder) => holder.filter(|holder| holder.process.lives()),
            };
            match holder.map(|holder| (holder.role, holder.process.pid)) {
                Some((Role::Server, pid)) => return Err(OpenError::InUse { state, pid }),
                Some((Role::Reaper, _)) if announced => {}
                Some((Role::Reaper, pid)) => {
                    announced = true;
                    tracing::info!(pid, "waiting for the reaper of an earlier server to finish");
                }
                None if unseen == MOST_UNSEEN => return Err(OpenError::Locked { state }),
                None => unseen += 1,
            }
            sleep(RETRY_INTERVAL).await;
        }
    }

    pub(super) fn attempt(path: &Path, role: Role) -> io::Result<Attempt> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {
                let holder = Holder {
                    role,
                    process: Identity::own()?,
                };
                file.set_len(0)?;
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&serde_json::to_vec(&holder)?)?;
                Ok(Attempt::Taken(Self { _file: file }))
            }
            Err(TryLockError::WouldBlock) => Ok(Attempt::Held(read(&mut file)?)),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Who held the lock last, dead or alive.
pub(super) fn last_holder(path: &Path) -> io::Result<Option<Holder>> {
    match File::open(path) {
        Ok(mut file) => read(&mut file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A holder that has the lock but has not signed yet leaves nothing to read.
fn read(file: &mut File) -> io::Result<Option<Holder>> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text).ok())
}
