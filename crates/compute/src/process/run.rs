//! One run of a task: its leading process and whatever that started.
//!
//! A run is over when nothing of it is left. Signals go to the process group, and one by one to those
//! who left it. The group is signalled only while its leader cannot have been replaced by a stranger:
//! while it lives, or is our own child that we have not reaped.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};

use rustix::process::{Pid, Signal, kill_process_group};

use super::blocking::blocking;
use super::identity::{self, Identity};
use super::marker::{Marked, Marker};
use super::watched::Watched;

#[derive(Debug)]
pub(super) struct Run {
    leader: Pid,
    watched: Watched,
    /// `None`: adopted, so its exit status goes to somebody else.
    child: Option<Child>,
    marker: Marker,
}

impl Run {
    /// Takes charge of a child that was just started. On an error the child is not left behind.
    pub(super) fn of_child(mut child: Child, marker: Marker) -> io::Result<Self> {
        let leader = Pid::from_child(&child);
        let watched = match watch(child.id()) {
            Ok(Some(watched)) => watched,
            failed => {
                child.kill()?;
                child.wait()?;
                failed?;
                return Err(io::ErrorKind::NotFound.into());
            }
        };
        Ok(Self {
            leader,
            watched,
            child: Some(child),
            marker,
        })
    }

    /// `None`: the process has ended.
    pub(super) fn adopt(process: &Identity, marker: Marker) -> io::Result<Option<Self>> {
        let (Some(handle), Some(leader)) = (process.open()?, identity::to_pid(process.pid)) else {
            return Ok(None);
        };
        Ok(Some(Self {
            leader,
            watched: Watched::new(handle)?,
            child: None,
            marker,
        }))
    }

    pub(super) fn pid(&self) -> u32 {
        self.leader.as_raw_nonzero().get().unsigned_abs()
    }

    pub(super) fn marker(&self) -> &Marker {
        &self.marker
    }

    /// Waits for the leading process.
    pub(super) async fn leader_ended(&self) {
        self.watched.ended().await;
    }

    /// Waits until nothing of the run is left.
    pub(super) async fn all_ended(&self) {
        self.leader_ended().await;
        loop {
            let left = self.marked().await;
            if left.is_empty() {
                return;
            }
            for process in left {
                match Watched::new(process.into_handle()) {
                    Ok(watched) => watched.ended().await,
                    Err(error) => tracing::warn!(%error, "could not watch a process of a task"),
                }
            }
        }
    }

    pub(super) async fn signal(&self, signal: Signal) {
        let whole_group = self.signal_group(signal);
        for process in self.marked().await {
            if !(whole_group && process.group == self.pid()) {
                process.signal(signal);
            }
        }
    }

    /// Kills what is left and says in words how the leading process ended.
    pub(super) async fn finish(mut self) -> String {
        self.signal_group(Signal::KILL);
        self.leader_ended().await;
        let marker = self.marker.clone();
        if let Err(error) = blocking(move || marker.kill_all()).await {
            tracing::warn!(%error, "could not look for processes that a task left behind");
        }
        match self.child.as_mut().map(Child::wait) {
            Some(Ok(status)) => in_words(status),
            Some(Err(error)) => format!("exited (status unknown: {error})"),
            None => "exited (status unknown)".to_owned(),
        }
    }

    /// Whether the group was still there to be signalled.
    fn signal_group(&self, signal: Signal) -> bool {
        let owned = self.child.is_some() || !self.watched.has_ended();
        if owned
            && let Err(error) = kill_process_group(self.leader, signal)
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(pid = self.pid(), %error, "could not signal the group of a task");
        }
        owned
    }

    async fn marked(&self) -> Vec<Marked> {
        let marker = self.marker.clone();
        match blocking(move || marker.processes()).await {
            Ok(processes) => processes,
            Err(error) => {
                tracing::warn!(%error, "could not look for the processes of a task");
                Vec::new()
            }
        }
    }
}

fn watch(pid: u32) -> io::Result<Option<Watched>> {
    identity::open(pid)?.map(Watched::new).transpose()
}

fn in_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}
