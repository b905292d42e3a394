//! The embedded driver: tasks are processes of this machine, on loopback ports.
//!
//! Tasks outlive the server unless it shuts the driver down. A driver that opens the same state directory
//! later adopts what still runs and starts what does not; a [`reaper`] stops what nobody comes back for.
//! Needs Linux 5.3 (process handles, `/proc`).

mod blocking;
mod check;
mod clock;
mod dispatcher;
mod identity;
mod launch;
mod layout;
mod lifecycle;
mod lock;
mod log;
mod marker;
mod open_error;
mod plan;
mod port;
mod probe;
pub mod reaper;
mod record;
mod recovery;
mod run;
mod set;
mod start;
mod supervisor;
mod usage;
mod watched;
mod working_copy;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub use self::lifecycle::Backoff;
pub use self::open_error::OpenError;
pub use self::reaper::ReaperCommand;

use self::blocking::blocking;
use self::dispatcher::{Command, Dispatcher};
use self::layout::Layout;
use self::lock::StateLock;
use self::supervisor::Shared;
use self::usage::Processes;
use crate::driver::{BoxFuture, Driver, Error, Fleet, SetUsage, TaskSet, TaskSetId};

const LOG_LIMIT: u64 = 16 * 1024 * 1024;

#[derive(Clone, Debug)]
pub struct Options {
    /// Everything the driver remembers or makes lies below this directory.
    pub state: PathBuf,
    /// Without a reaper, tasks whose server was killed run on until the next server comes.
    pub reaper: Option<ReaperCommand>,
    pub backoff: Backoff,
    /// In bytes. A task's log is cut when it grows beyond; one earlier log is kept.
    pub log_limit: u64,
}

impl Options {
    pub fn new(state: impl Into<PathBuf>) -> Self {
        Self {
            state: state.into(),
            reaper: None,
            backoff: Backoff::default(),
            log_limit: LOG_LIMIT,
        }
    }
}

/// Runs tasks as local processes. Dropped without [`Process::shutdown`], it leaves them running.
#[derive(Debug)]
pub struct Process {
    state: Arc<Path>,
    commands: mpsc::Sender<Command>,
    fleet: watch::Receiver<Arc<Fleet>>,
    dispatcher: JoinHandle<()>,
}

impl Process {
    /// Locks the state directory, starts the reaper, adopts the tasks that an earlier server left, and
    /// starts what is missing.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        identity::open(std::process::id()).map_err(OpenError::NoProcessHandles)?;
        let layout = make_state(&options.state)?;
        let lock = StateLock::take(&layout).await?;
        let reaper = options
            .reaper
            .map(|command| start_reaper(&command, &layout))
            .transpose()?;

        let shared = Arc::new(Shared {
            layout: layout.clone(),
            backoff: options.backoff,
            log_limit: options.log_limit,
            _lock: lock,
        });
        let recovering = tokio::task::spawn_blocking({
            let layout = layout.clone();
            move || recovery::recover(&layout)
        });
        let recovered = recovering
            .await
            .map_err(|error| OpenError::io("recover", layout.root())(error.into()))??;
        let (commands, obeyed) = mpsc::channel(16);
        let (publisher, fleet) = watch::channel(Arc::default());
        let dispatcher = Dispatcher::new(Arc::clone(&shared), recovered, obeyed, publisher);
        Ok(Self {
            state: Arc::from(layout.root()),
            commands,
            fleet,
            dispatcher: tokio::spawn(run(dispatcher, shared, reaper)),
        })
    }

    /// Stops all tasks, as [`Driver::drain`] does, and the reaper. What was wished for stays written
    /// down: a driver that opens the same state directory starts it again.
    pub async fn shutdown(&self) {
        let (done, over) = oneshot::channel();
        if self.commands.send(Command::Shutdown(done)).await.is_ok() {
            // An error: another shutdown came first and is over.
            over.await.ok();
        }
    }

    /// Lets go of the state directory and leaves the tasks running, for another driver to adopt.
    pub async fn detach(self) {
        drop(self.commands);
        if let Err(error) = self.dispatcher.await {
            tracing::error!(%error, "the dispatcher failed");
        }
    }

    async fn ask(
        &self,
        id: &TaskSetId,
        command: impl FnOnce(oneshot::Sender<Result<(), Error>>) -> Command,
    ) -> Result<(), Error> {
        let (done, answer) = oneshot::channel();
        let closed = || Error::Closed { id: id.clone() };
        let sent = self.commands.send(command(done)).await;
        sent.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

impl Driver for Process {
    fn apply(&self, desired: TaskSet) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            let id = desired.id.clone();
            let state = Arc::clone(&self.state);
            let checking = tokio::task::spawn_blocking(move || check::check(desired, &state));
            let desired = checking.await.map_err(|error| Error::Io {
                id: id.clone(),
                operation: "check it".to_owned(),
                source: error.into(),
            })??;
            self.ask(&id, |done| Command::Apply(desired, done)).await
        })
    }

    fn observe(&self) -> watch::Receiver<Arc<Fleet>> {
        self.fleet.clone()
    }

    fn drain<'a>(&'a self, id: &'a TaskSetId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.ask(id, |done| Command::Drain(id.clone(), done))
                .await?;
            // Over, too, if the set is applied anew meanwhile.
            let drained = |fleet: &Arc<Fleet>| match fleet.task_sets.get(id) {
                Some(set) => set.tasks.is_empty() || !set.draining,
                None => true,
            };
            match self.fleet.clone().wait_for(drained).await {
                Ok(_) => Ok(()),
                Err(_) => Err(Error::Closed { id: id.clone() }),
            }
        })
    }

    fn remove<'a>(&'a self, id: &'a TaskSetId) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.drain(id).await?;
            self.ask(id, |done| Command::Forget(id.clone(), done)).await
        })
    }

    fn usage<'a>(&'a self, ids: &'a [TaskSetId]) -> BoxFuture<'a, BTreeMap<TaskSetId, SetUsage>> {
        Box::pin(async move {
            let processes = match blocking(Processes::now).await {
                Ok(processes) => processes,
                Err(error) => {
                    tracing::warn!(%error, "could not read what tasks use");
                    return BTreeMap::new();
                }
            };
            let fleet = self.fleet.borrow();
            let sets = ids.iter().filter_map(|id| {
                let tasks = &fleet.task_sets.get(id)?.tasks;
                let leaders = tasks.iter().filter_map(|task| task.pid).collect();
                Some((id.clone(), processes.usage_of(&leaders)))
            });
            sets.collect()
        })
    }
}

fn make_state(state: &Path) -> Result<Layout, OpenError> {
    let failed = || OpenError::io("make the state directory", state);
    fs::create_dir_all(state).map_err(failed())?;
    let root = state.canonicalize().map_err(failed())?;
    let layout = Layout::new(root);
    let task_sets = layout.task_sets();
    fs::create_dir_all(&task_sets).map_err(OpenError::io("make the directory", &task_sets))?;
    Ok(layout)
}

fn start_reaper(command: &ReaperCommand, layout: &Layout) -> Result<Child, OpenError> {
    reaper::start(command, layout).map_err(|source| OpenError::Reaper {
        program: command.program.clone(),
        source,
    })
}

async fn run(dispatcher: Dispatcher, shared: Arc<Shared>, reaper: Option<Child>) {
    let waiting = dispatcher.dispatch().await;
    if !waiting.is_empty() {
        let state = shared.layout.root().to_owned();
        if let Err(error) = blocking(move || close(&state, reaper)).await {
            tracing::warn!(%error, "could not make sure that nothing is left running");
        }
    }
    // Releases the lock before anybody hears that all is over.
    drop(shared);
    for done in waiting {
        done.send(()).ok();
    }
}

/// Nothing is left running: neither what ran away from its task, nor the reaper.
fn close(state: &Path, reaper: Option<Child>) -> io::Result<()> {
    marker::kill_strays(state, &[])?;
    if let Some(mut reaper) = reaper {
        reaper.kill()?;
        reaper.wait()?;
    }
    Ok(())
}
