//! The contract every driver keeps: apply, observe, drain, remove, and tell what tasks use.
//!
//! All of it is idempotent, so that an executor that was killed may simply repeat it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where tasks run.
pub trait Driver: Send + Sync + fmt::Debug {
    /// Makes the task set so: starts, replaces or stops tasks until it holds. Returns once the wish is
    /// durable; progress is seen in [`Driver::observe`].
    fn apply(&self, desired: TaskSet) -> BoxFuture<'_, Result<(), Error>>;

    /// What is seen now, and every change after it.
    fn observe(&self) -> watch::Receiver<Arc<Fleet>>;

    /// Asks every task of the set to stop: terminate, wait for the grace period, kill. Returns when all
    /// are gone. A set that is not there is drained.
    fn drain<'a>(&'a self, id: &'a TaskSetId) -> BoxFuture<'a, Result<(), Error>>;

    /// Drains, then forgets the set and deletes its working copies. Logs stay.
    fn remove<'a>(&'a self, id: &'a TaskSetId) -> BoxFuture<'a, Result<(), Error>>;

    /// Reads what the tasks of these sets use, once. A set is left out where that cannot be told.
    fn usage<'a>(&'a self, ids: &'a [TaskSetId]) -> BoxFuture<'a, BTreeMap<TaskSetId, SetUsage>>;
}

/// By run: a task that was started again is another run, and one that does not run has none.
pub type SetUsage = BTreeMap<String, Usage>;

/// Of one run of a task, with all its processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time since it began.
    pub processor: Duration,
    /// Resident now, in bytes.
    pub memory: u64,
}

/// `service/version`, as in `crystal/epoch`; also written so, because JSON wants text for keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TaskSetId {
    pub service: String,
    pub version: String,
}

impl fmt::Display for TaskSetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.version)
    }
}

impl From<TaskSetId> for String {
    fn from(id: TaskSetId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for TaskSetId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some((service, version)) if !version.contains('/') => Ok(Self {
                service: service.to_owned(),
                version: version.to_owned(),
            }),
            _ => Err(format!("`{text}` is not of the form service/version")),
        }
    }
}

/// N equal tasks of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSet {
    pub id: TaskSetId,
    /// The built version: a directory that every task gets a working copy of.
    pub artifact: PathBuf,
    /// Program and arguments, run in the working copy. `{task}` and `{port}` in an argument or in a
    /// value of the environment stand for the task's index and port.
    pub command: Vec<String>,
    /// Beside what the driver sets itself: `PORT`, `SERIN_TASK`, `SERIN_SERVICE`, `SERIN_VERSION`.
    pub environment: BTreeMap<String, String>,
    pub count: u32,
    pub health: Option<HealthProbe>,
    /// From SIGTERM to SIGKILL.
    pub stop_grace: Duration,
}

/// A task is healthy once `healthy_threshold` probes in a row passed. Without a probe, as soon as its
/// port accepts. An unhealthy task is reported, not restarted: its cause may lie outside of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthProbe {
    /// `GET` of this path must answer 2xx.
    pub path: String,
    pub interval: Duration,
    pub timeout: Duration,
    pub healthy_threshold: u32,
    pub unhealthy_threshold: u32,
}

/// Everything a driver runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    pub task_sets: BTreeMap<TaskSetId, TaskSetStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSetStatus {
    pub desired: u32,
    pub draining: bool,
    pub tasks: Vec<Task>,
}

impl TaskSetStatus {
    pub fn healthy(&self) -> usize {
        self.tasks
            .iter()
            .filter(|task| task.state == TaskState::Healthy)
            .count()
    }

    /// All the tasks that are wished for are healthy, and no other is left.
    pub fn is_steady(&self) -> bool {
        !self.draining
            && self.tasks.len() == self.desired as usize
            && self.healthy() == self.tasks.len()
            && self.tasks.iter().all(|task| !task.outdated)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// `crystal/epoch/0`.
    pub id: String,
    pub index: u32,
    /// Runs an earlier definition of its set; it serves until its successor, which has the same index,
    /// is healthy.
    pub outdated: bool,
    pub address: SocketAddr,
    pub state: TaskState,
    pub pid: Option<u32>,
    pub restarts: u32,
    /// How the last run ended, in words: `exited with 1`, `killed by signal 11`.
    pub last_exit: Option<String>,
    /// Why the last probe failed, in words: `GET /health answered 503`.
    pub probe_failure: Option<String>,
    pub log: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskState {
    /// Running, no probe has decided yet.
    Starting,
    Healthy,
    Unhealthy,
    /// Exited; waits to be started again.
    BackingOff,
    Stopping,
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("task set {id}: {reason}")]
    Invalid { id: TaskSetId, reason: String },
    #[error("task set {id}: could not {operation}")]
    Io {
        id: TaskSetId,
        operation: String,
        #[source]
        source: std::io::Error,
    },
    #[error("task set {id}: the driver has been shut down")]
    Closed { id: TaskSetId },
}
