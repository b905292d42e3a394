//! Watches over a server that may be killed and never come back.
//!
//! A process of its own waits for the server's end. If no other server has taken over the state directory
//! when the grace is over, it stops all tasks, as the server would have done. After a regular shutdown
//! there is nothing to stop and it ends at once.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use super::layout::Layout;
use super::lock::{self, Attempt, Holder, Role, StateLock};
use super::marker;
use super::open_error::OpenError;
use super::recovery::{self, RecoveredTask};
use super::start::forget;
use super::watched::Watched;

/// How often the reaper looks whether another server has come.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// How to start the reaper: a program that calls [`run`] with what the driver appends to the arguments,
/// `--state DIRECTORY --server-pid PID --grace SECONDS`. The seconds may have a fraction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaperCommand {
    /// An absolute path, such as [`std::env::current_exe`] gives.
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// How long to wait for another server.
    pub grace: Duration,
}

/// How the reaper's watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server had stopped its tasks itself.
    NothingToDo,
    /// Another server holds the state directory.
    TakenOver,
    Stopped {
        tasks: usize,
    },
}

/// Blocks until the server with this pid has ended and its tasks are in good hands or stopped. Makes a
/// runtime of its own, so it must not be called within one.
pub fn run(state: &Path, server_pid: u32, grace: Duration) -> Result<Outcome, OpenError> {
    let root = state
        .canonicalize()
        .map_err(OpenError::io("find the state directory", state))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(OpenError::io("start the reaper of", state))?;
    runtime.block_on(watch(&Layout::new(root), server_pid, grace))
}

/// The reaper lives apart from the server's terminal and pipes, so that neither Ctrl-C nor a closed pipe
/// is meant for it; what it has to say goes to its log.
pub(super) fn start(command: &ReaperCommand, layout: &Layout) -> io::Result<Child> {
    let log = layout.reaper_log();
    fs::create_dir_all(log.parent().unwrap_or(layout.root()))?;
    let log = OpenOptions::new().create(true).append(true).open(log)?;
    Command::new(&command.program)
        .args(&command.arguments)
        .arg("--state")
        .arg(layout.root())
        .args(["--server-pid", &std::process::id().to_string()])
        .args(["--grace", &command.grace.as_secs_f64().to_string()])
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

async fn watch(layout: &Layout, server_pid: u32, grace: Duration) -> Result<Outcome, OpenError> {
    let io_error = |error| OpenError::io("watch the server of", layout.root())(error);
    let server = lock::last_holder(&layout.lock()).map_err(io_error)?;
    let Some(server) = server.filter(|holder| holder.process.pid == server_pid) else {
        return Ok(Outcome::TakenOver);
    };
    if let Some(handle) = server.process.open().map_err(io_error)? {
        Watched::new(handle).map_err(io_error)?.ended().await;
    }
    let wait = wait_for_another(layout, &server);
    if let Ok(outcome) = timeout(grace, wait).await {
        return outcome;
    }
    match StateLock::attempt(&layout.lock(), Role::Reaper).map_err(io_error)? {
        Attempt::Held(_) => Ok(Outcome::TakenOver),
        Attempt::Taken(_lock) => stop_all(layout).await,
    }
}

/// Until another server has come, or there is nothing to come for.
async fn wait_for_another(layout: &Layout, server: &Holder) -> Result<Outcome, OpenError> {
    let path = layout.lock();
    while path.exists() {
        let holder = lock::last_holder(&path).map_err(OpenError::io("read", &path))?;
        if holder.is_some_and(|holder| holder != *server) {
            return Ok(Outcome::TakenOver);
        }
        if !recovery::has_tasks(layout)? {
            return Ok(Outcome::NothingToDo);
        }
        sleep(LOOK_INTERVAL).await;
    }
    // Somebody deleted the state directory; nobody can take over what it held.
    match stop_strays(layout)? {
        0 => Ok(Outcome::NothingToDo),
        tasks => Ok(Outcome::Stopped { tasks }),
    }
}

async fn stop_all(layout: &Layout) -> Result<Outcome, OpenError> {
    let mut stopping = tokio::task::JoinSet::new();
    for task in recovery::all_tasks(layout)? {
        let directory = layout.task(&task.record.definition.id, task.record.slot());
        stopping.spawn(stop(task, directory));
    }
    let ran = stopping.join_all().await;
    stop_strays(layout)?;
    Ok(Outcome::Stopped {
        tasks: ran.into_iter().filter(|ran| *ran).count(),
    })
}

fn stop_strays(layout: &Layout) -> Result<usize, OpenError> {
    marker::kill_strays(layout.root(), &[])
        .map_err(OpenError::io("look for stray tasks of", layout.root()))
}

/// Whether the task still ran.
async fn stop(task: RecoveredTask, directory: PathBuf) -> bool {
    let ran = task.run.is_some();
    if let Some(run) = task.run {
        run.signal(Signal::TERM).await;
        // Over the grace or not, what is left is killed now.
        let grace = task.record.definition.stop_grace;
        timeout(grace, run.all_ended()).await.ok();
        run.finish().await;
    }
    if let Err(error) = forget(&directory) {
        tracing::warn!(directory = %directory.display(), %error, "could not delete");
    }
    ran
}
