//! Who a process is. A pid alone is soon somebody else's; with its start time it is not, and with the
//! boot it happened in not even after a restart of the machine.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Identity {
    pub pid: u32,
    /// In clock ticks since boot.
    start_time: u64,
    boot: String,
}

impl Identity {
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        Ok(Self {
            pid,
            start_time: Stat::of(pid)?.start_time,
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id")?
                .trim_end()
                .to_owned(),
        })
    }

    pub(super) fn own() -> io::Result<Self> {
        Self::of(std::process::id())
    }

    /// A handle on the process if it still lives.
    pub(super) fn open(&self) -> io::Result<Option<OwnedFd>> {
        let Some(handle) = open(self.pid)? else {
            return Ok(None);
        };
        // Compared after the handle was opened: from here on the pid cannot change hands unseen.
        let same = Self::of(self.pid).is_ok_and(|now| now == *self);
        Ok((same && !has_ended(&handle)).then_some(handle))
    }

    pub(super) fn lives(&self) -> bool {
        matches!(self.open(), Ok(Some(_)))
    }
}

/// `None`: there is no such process.
pub(super) fn open(pid: u32) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = to_pid(pid) else {
        return Ok(None);
    };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => Ok(Some(handle)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A zombie has ended; a process whose first thread has ended has not.
pub(super) fn has_ended(handle: &OwnedFd) -> bool {
    let mut handle = [PollFd::new(handle, PollFlags::IN)];
    matches!(poll(&mut handle, Some(&Timespec::default())), Ok(1..))
}

pub(super) fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// The fields of `/proc/<pid>/stat` that matter here.
#[derive(Debug, PartialEq)]
pub(super) struct Stat {
    pub parent: u32,
    pub group: u32,
    /// Processor time in clock ticks: its own, and of the children that it has waited for.
    pub ticks: u64,
    pub start_time: u64,
    pub resident_pages: u64,
}

impl Stat {
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let line = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Self::parse(&line).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("/proc/{pid}/stat has an unknown form"),
            )
        })
    }

    /// The second field is the program's name in parentheses and may itself hold spaces and
    /// parentheses, hence the search from the right.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
        let of_itself = number(11)?.saturating_add(number(12)?);
        let of_children = number(13)?.saturating_add(number(14)?);
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            ticks: of_itself.saturating_add(of_children),
            start_time: number(19)?,
            resident_pages: number(21)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let line = "7 (a) R 9 (b) S 1 42 42 0 -1 4194560 1 0 0 0 2 1 3 4 20 0 1 0 98765 4096 17";
        let expected = Stat {
            parent: 1,
            group: 42,
            ticks: 10,
            start_time: 98765,
            resident_pages: 17,
        };
        assert_eq!(Stat::parse(line), Some(expected));
        assert_eq!(Stat::parse("7 (a) S 1"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn a_process_is_itself_and_not_another_with_its_pid() {
        let own = Identity::own().unwrap();
        assert!(own.lives());
        let earlier = Identity {
            start_time: own.start_time - 1,
            ..own.clone()
        };
        assert!(!earlier.lives());
        let before_boot = Identity {
            boot: "another".to_owned(),
            ..own
        };
        assert!(!before_boot.lives());
    }

    #[test]
    fn a_zombie_does_not_live() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let identity = Identity::of(child.id()).unwrap();
        let handle = open(child.id()).unwrap().unwrap();
        let mut ended = [PollFd::new(&handle, PollFlags::IN)];
        poll(&mut ended, None).unwrap();
        assert!(!identity.lives());
        child.wait().unwrap();
        assert!(!identity.lives());
    }
}
