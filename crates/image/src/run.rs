//! Runs a build command: in a process group of its own, its output streamed line by line and kept
//! in a log file.
//!
//! Invariant: when [`run`] has returned, or its future was dropped, nothing that stayed in the
//! group is alive.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;
use tokio::time::timeout;

use crate::disk::DiskError;
use crate::recipe::BuildCommand;

/// How many of the log's last lines an error repeats.
const TAIL: usize = 20;
/// Output without a line end is cut into lines of this length, so that it cannot fill the memory.
const LONGEST_LINE: usize = 16 * 1024;
/// How long output may still arrive after the command has ended and its group was killed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why a build command did not build.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The command has no words.
    #[error("cannot run the build command: it is empty; name a program, or leave the command out")]
    Empty,
    /// The program could not be started.
    #[error(
        "cannot start the build command `{command}`: {}",
        start_advice(program, source)
    )]
    Start {
        /// The whole command.
        command: String,
        /// Its program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The command ended with a failure.
    #[error(
        "the build command `{command}` failed with {status}{}; its last lines:\n{}\nwhole log: {}",
        status_advice(status), indented(tail), log.display()
    )]
    Failed {
        /// The whole command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of its output.
        tail: Vec<String>,
        /// The file with all of its output.
        log: PathBuf,
    },
    /// The output could not be read, or the command's end not be observed.
    #[error("lost sight of the build command `{command}`: {source}")]
    Lost {
        /// The whole command.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// The log file could not be written.
    #[error(transparent)]
    Log(#[from] DiskError),
}

fn start_advice(program: &str, source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => {
            format!("there is no program `{program}`; install it, or put it on the PATH")
        }
        io::ErrorKind::PermissionDenied => {
            format!("`{program}` may not be executed; check its mode")
        }
        _ => source.to_string(),
    }
}

fn status_advice(status: &ExitStatus) -> &'static str {
    const COMMAND_NOT_FOUND: i32 = 127;
    if status.code() == Some(COMMAND_NOT_FOUND) {
        " (the shell did not find a program)"
    } else {
        ""
    }
}

fn indented(lines: &[String]) -> String {
    if lines.is_empty() {
        "  (it wrote nothing)".to_owned()
    } else {
        format!("  {}", lines.join("\n  "))
    }
}

/// A build command and where it runs.
pub(crate) struct Run<'a> {
    pub(crate) command: &'a BuildCommand,
    pub(crate) directory: &'a Path,
    pub(crate) environment: &'a BTreeMap<String, String>,
    pub(crate) log: &'a Path,
}

/// Runs the command to its end and gives each line of its output to `on_line`.
pub(crate) async fn run(run: &Run<'_>, on_line: impl FnMut(&str) + Send) -> Result<(), BuildError> {
    let lost = |source| BuildError::Lost {
        command: run.command.to_string(),
        source,
    };
    let mut log = Log::create(run.log, on_line)?;
    let (output, input) = io::pipe().map_err(lost)?;
    let mut lines = Lines::of(OwnedFd::from(output)).map_err(lost)?;
    let mut child = start(run, input)?;
    let mut group = Group(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));

    let status = loop {
        tokio::select! {
            line = lines.next() => match line.map_err(lost)? {
                Some(line) => log.add(line)?,
                None => break child.wait().await,
            },
            status = child.wait() => break status,
        }
    };
    // What the command left running would keep the pipe open, and outlive the build.
    group.end();
    let rest = async {
        while let Ok(Some(line)) = lines.next().await {
            log.add(line)?;
        }
        Ok::<(), BuildError>(())
    };
    if let Ok(written) = timeout(LAST_WORDS, rest).await {
        written?;
    }
    let status = status.map_err(lost)?;
    if status.success() {
        return Ok(());
    }
    Err(BuildError::Failed {
        command: run.command.to_string(),
        status,
        tail: log.tail.into_iter().collect(),
        log: run.log.to_owned(),
    })
}

fn start(run: &Run<'_>, output: io::PipeWriter) -> Result<tokio::process::Child, BuildError> {
    let (program, arguments) = run
        .command
        .program_and_arguments()
        .ok_or(BuildError::Empty)?;
    let failed = |source| BuildError::Start {
        command: run.command.to_string(),
        program: program.to_owned(),
        source,
    };
    let errors = output.try_clone().map_err(failed)?;
    // The command value holds the pipe's writing end: it must be gone before the end of the output
    // can be seen.
    Command::new(program)
        .args(arguments)
        .current_dir(run.directory)
        .envs(run.environment)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(failed)
}

/// Kills a process group when it is no longer wanted.
struct Group(Option<Pid>);

impl Group {
    fn end(&mut self) {
        if let Some(leader) = self.0.take() {
            // An error means that nobody is left in the group.
            kill_process_group(leader, Signal::KILL).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

/// The lines of a pipe. Bytes that are not UTF-8 are replaced.
struct Lines {
    pipe: Receiver,
    pending: Vec<u8>,
}

impl Lines {
    fn of(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            pipe: Receiver::from_owned_fd(pipe)?,
            pending: Vec::new(),
        })
    }

    /// The next line; `None` at the end. Nothing is lost when the future is dropped.
    async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            let line_end = self.pending.iter().position(|byte| *byte == b'\n');
            if let Some(end) = line_end {
                return Ok(Some(self.take(end + 1)));
            }
            if self.pending.len() >= LONGEST_LINE {
                return Ok(Some(self.take(LONGEST_LINE)));
            }
            if self.pipe.read_buf(&mut self.pending).await? == 0 {
                let rest = self.pending.len();
                return Ok((rest > 0).then(|| self.take(rest)));
            }
        }
    }

    fn take(&mut self, length: usize) -> String {
        let line: Vec<u8> = self.pending.drain(..length).collect();
        String::from_utf8_lossy(&line)
            .trim_end_matches(['\n', '\r'])
            .to_owned()
    }
}

/// Where the output goes: to the log file, to whoever listens, and its end to the error.
struct Log<'a, F> {
    file: File,
    path: &'a Path,
    tail: VecDeque<String>,
    on_line: F,
}

impl<'a, F: FnMut(&str) + Send> Log<'a, F> {
    fn create(path: &'a Path, on_line: F) -> Result<Self, DiskError> {
        let file = File::create(path).map_err(DiskError::on("write the build log", path))?;
        Ok(Self {
            file,
            path,
            tail: VecDeque::new(),
            on_line,
        })
    }

    fn add(&mut self, line: String) -> Result<(), DiskError> {
        writeln!(self.file, "{line}").map_err(DiskError::on("write the build log", self.path))?;
        (self.on_line)(&line);
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(line);
        Ok(())
    }
}
