//! A peer's process: started on its core, watched through `/proc`, ended.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a peer may take until it listens.
const START: Duration = Duration::from_secs(10);

/// How long it may take to end: Serin tries for five seconds to report what it counted last.
const END: Duration = Duration::from_secs(15);

pub struct Process {
    child: Child,
    /// Its own, and those of its workers.
    pids: Vec<u32>,
}

impl Process {
    /// Starts the command on these cores, and waits until it listens.
    pub fn start(
        command: &Command,
        cores: &str,
        listen: SocketAddr,
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let output = File::create(directory.join("output.log"))?;
        let mut pinned = Command::new("taskset");
        pinned
            .args(["-c", cores])
            .arg(command.get_program())
            .args(command.get_args());
        pinned
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let child = pinned.spawn().context("taskset cannot be started")?;
        let mut process = Self {
            pids: vec![child.id()],
            child,
        };
        let begin = Instant::now();
        while TcpStream::connect(listen).is_err() {
            if let Some(status) = process.child.try_wait()? {
                let said = fs::read_to_string(directory.join("output.log")).unwrap_or_default();
                bail!("it ended with {status}: {}", said.trim());
            }
            if begin.elapsed() > START {
                bail!("it does not listen at {listen}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        process.pids.extend(children(process.child.id()));
        Ok(process)
    }

    pub fn pids(&self) -> &[u32] {
        &self.pids
    }

    fn signal(&self, signal: Signal) {
        for pid in &self.pids {
            if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
                // It may have ended by itself.
                let _ended = kill_process(pid, signal);
            }
        }
    }

    /// User and system time of all its threads so far, as the scheduler counts it.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        let mut nanoseconds = 0;
        for pid in &self.pids {
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).context("the peer has ended")?;
            for task in tasks {
                // A thread may end between the listing and the reading.
                let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
                let run = text
                    .split(' ')
                    .next()
                    .and_then(|run| run.parse::<u64>().ok());
                nanoseconds += run.unwrap_or(0);
            }
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Its proportional share of memory, in bytes.
    pub fn memory(&self) -> anyhow::Result<u64> {
        let mut kibibytes = 0;
        for pid in &self.pids {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
                .context("the peer has ended")?;
            let pss = text.lines().find_map(|line| line.strip_prefix("Pss:"));
            let pss = pss.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
            kibibytes += pss.context("no Pss in smaps_rollup")?;
        }
        Ok(kibibytes << 10)
    }
}

impl Drop for Process {
    /// By the signal that all peers end quickly at. One that counts for a profile writes it then.
    fn drop(&mut self) {
        self.signal(Signal::INT);
        let begin = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begin.elapsed() > END {
                self.signal(Signal::KILL);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn children(parent: u32) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // After the name, which may hold anything, come the state and the parent.
            let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            rest.split(' ').nth(1) == Some(&parent.to_string())
        })
        .collect()
}

/// An address on loopback that nobody listens at just now.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
