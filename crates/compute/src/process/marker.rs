//! Finds the processes of a task wherever they went.
//!
//! Every task carries `SERIN_TASK_RUN=<run>@<state directory>` in its environment, and its children
//! inherit it. So even a child that left the process group, or a task that was started by a server which
//! died before it could write down the pid, is found in `/proc`. What clears its environment hides.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Signal, pidfd_send_signal};

use super::identity::{self, Stat};

pub(super) const VARIABLE: &str = "SERIN_TASK_RUN";

/// Of one run of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    value: OsString,
}

impl Marker {
    pub(super) fn new(run: &str, state: &Path) -> Self {
        let mut value = OsString::from(run);
        value.push("@");
        value.push(state);
        Self { value }
    }

    pub(super) fn value(&self) -> &OsStr {
        &self.value
    }

    /// The living processes of the run. Blocks, as all that looks through `/proc`.
    pub(super) fn processes(&self) -> io::Result<Vec<Marked>> {
        processes(|value| value == self.value)
    }

    pub(super) fn kill_all(&self) -> io::Result<usize> {
        kill_all(|value| value == self.value)
    }
}

/// Kills every process of the tasks of a state directory but those that carry one of these markers, and
/// says how many there were.
pub(super) fn kill_strays(state: &Path, spared: &[&Marker]) -> io::Result<usize> {
    kill_all(|value| {
        let mut parts = value.as_bytes().splitn(2, |byte| *byte == b'@');
        parts.nth(1) == Some(state.as_os_str().as_bytes())
            && !spared.iter().any(|marker| marker.value == value)
    })
}

/// A process that carries a marker.
#[derive(Debug)]
pub(super) struct Marked {
    pub pid: u32,
    pub group: u32,
    handle: OwnedFd,
}

impl Marked {
    /// A process that has ended meanwhile, or may not be signalled, is passed over.
    pub(super) fn signal(&self, signal: Signal) {
        if let Err(error) = pidfd_send_signal(&self.handle, signal)
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(pid = self.pid, %error, "could not signal a process of a task");
        }
    }

    pub(super) fn into_handle(self) -> OwnedFd {
        self.handle
    }

    fn wait(&self) {
        let mut handle = [PollFd::new(&self.handle, PollFlags::IN)];
        while let Err(rustix::io::Errno::INTR) = poll(&mut handle, None) {}
    }
}

/// Kills until nothing is left to kill, however fast it multiplies.
fn kill_all(wanted: impl Fn(&OsStr) -> bool) -> io::Result<usize> {
    let mut killed = 0;
    loop {
        let found = processes(&wanted)?;
        if found.is_empty() {
            return Ok(killed);
        }
        found
            .iter()
            .for_each(|process| process.signal(Signal::KILL));
        found.iter().for_each(Marked::wait);
        killed += found.len();
    }
}

fn processes(wanted: impl Fn(&OsStr) -> bool) -> io::Result<Vec<Marked>> {
    let is_wanted = |pid| value_of(pid).is_some_and(|value| wanted(&value));
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if pid == std::process::id() || !is_wanted(pid) {
            continue;
        }
        let Some(handle) = identity::open(pid)? else {
            continue;
        };
        // Asked again now that the handle is open: before, the pid may have changed hands.
        if let (true, Ok(stat)) = (is_wanted(pid), Stat::of(pid)) {
            found.push(Marked {
                pid,
                group: stat.group,
                handle,
            });
        }
    }
    Ok(found)
}

/// `None` for a zombie and for another user's process, too.
fn value_of(pid: u32) -> Option<OsString> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment
        .split(|byte| *byte == 0)
        .filter_map(|variable| variable.strip_prefix(VARIABLE.as_bytes()))
        .find_map(|rest| rest.strip_prefix(b"="))
        .map(|value| OsString::from_vec(value.to_vec()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::{Child, Command};

    use super::*;

    struct Sleeper(Child);

    impl Sleeper {
        fn with(marker: &Marker) -> Self {
            let mut sleep = Command::new("sleep");
            let child = sleep.arg("1000").env(VARIABLE, marker.value()).spawn();
            Self(child.unwrap())
        }

        fn has_ended(&mut self) -> bool {
            self.0.try_wait().unwrap().is_some()
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            self.0.kill().unwrap();
            self.0.wait().unwrap();
        }
    }

    #[test]
    fn only_what_carries_the_marker_is_killed() {
        let directory = tempfile::tempdir().unwrap();
        let state = directory.path().join("state");
        // It ends as ours does, and begins as ours does.
        let longer = PathBuf::from(format!("/b@{}", state.display()));
        let [one, two, other] = [("1", &state), ("2", &state), ("1", &longer)]
            .map(|(run, state)| Marker::new(run, state));
        let [mut first, mut second, mut stranger] = [&one, &two, &other].map(Sleeper::with);

        assert_eq!(one.processes().unwrap()[0].pid, first.0.id());
        assert_eq!(one.kill_all().unwrap(), 1);
        assert!(first.has_ended() && !second.has_ended());
        assert_eq!(one.kill_all().unwrap(), 0);

        assert_eq!(kill_strays(&state, &[&two]).unwrap(), 0);
        assert_eq!(kill_strays(&state, &[]).unwrap(), 1);
        assert!(second.has_ended() && !stranger.has_ended());
        assert_eq!(kill_strays(&longer, &[]).unwrap(), 1);
        assert!(stranger.has_ended());
    }
}
