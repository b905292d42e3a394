//! What the operating system must offer.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use rustix::process::{PidfdFlags, Resource, getpid, getrlimit, pidfd_open};

use super::{Checked, Outcome};
use crate::render::number;

const HOST: &str = "host";
const STATE: &str = "state";

/// A request takes two descriptors; fewer than this are soon too few.
const ENOUGH_FILES: u64 = 1024;
const GIBIBYTE: u64 = 1 << 30;
/// Below it, builds and the store may stop in the middle.
const LEAST_DISK: u64 = GIBIBYTE / 10;

pub fn checks(state: &Path) -> Vec<Checked> {
    vec![
        kernel(),
        loopback(),
        open_files(),
        writable(state),
        disk(state),
    ]
}

fn kernel() -> Checked {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    match pidfd_open(getpid(), PidfdFlags::empty()) {
        Ok(_) => Checked::new(
            HOST,
            "kernel",
            Outcome::Passed,
            format!("Linux {release}, with process handles"),
        ),
        Err(error) => Checked::new(
            HOST,
            "kernel",
            Outcome::Failed,
            format!("Linux {release}: {error}"),
        )
        .hint("process handles need Linux 5.3 or later, and no sandbox that forbids them"),
    }
}

fn loopback() -> Checked {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) {
        Ok(_) => Checked::new(
            HOST,
            "loopback",
            Outcome::Passed,
            "127.0.0.1 takes connections",
        ),
        Err(error) => Checked::new(
            HOST,
            "loopback",
            Outcome::Failed,
            format!("127.0.0.1: {error}"),
        )
        .hint("`ip link set lo up`, as root"),
    }
}

fn open_files() -> Checked {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let found = match limit {
        u64::MAX => "any number of open files".to_owned(),
        limit => format!("{} open files", number::count(limit)),
    };
    match limit >= ENOUGH_FILES {
        true => Checked::new(HOST, "open-files", Outcome::Passed, found),
        false => Checked::new(HOST, "open-files", Outcome::Warning, found).hint(format!(
            "`ulimit -n {ENOUGH_FILES}` allows more connections at once"
        )),
    }
}

fn writable(state: &Path) -> Checked {
    let directory = nearest(state);
    match try_to_write(&directory) {
        Ok(()) => Checked::new(
            STATE,
            "writable",
            Outcome::Passed,
            format!("{} can be written", directory.display()),
        ),
        Err(error) => {
            let found = format!("{} cannot be written: {error}", directory.display());
            Checked::new(STATE, "writable", Outcome::Failed, found)
                .hint("name a directory of yours with --state")
        }
    }
}

/// The directory itself, or the one that it will be made in.
fn nearest(state: &Path) -> PathBuf {
    let absolute = std::path::absolute(state).unwrap_or_else(|_| state.to_owned());
    let existing = absolute.ancestors().find(|ancestor| ancestor.is_dir());
    existing.unwrap_or(&absolute).to_owned()
}

/// Permissions alone do not tell: the file system may be read-only, or full.
fn try_to_write(directory: &Path) -> io::Result<()> {
    let probe = directory.join(format!(".serin-check-{}", std::process::id()));
    let written = std::fs::write(&probe, "can this be written?\n");
    let removed = match std::fs::remove_file(&probe) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    written.and(removed)
}

fn disk(state: &Path) -> Checked {
    let free = match rustix::fs::statvfs(nearest(state)) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => {
            return Checked::new(
                STATE,
                "disk",
                Outcome::Warning,
                format!("cannot tell what is free: {error}"),
            );
        }
    };
    let found = format!("{:.1} GiB free", free as f64 / GIBIBYTE as f64);
    match free {
        0..LEAST_DISK => Checked::new(STATE, "disk", Outcome::Failed, found)
            .hint("make room, or name another disk with --state"),
        LEAST_DISK..GIBIBYTE => {
            Checked::new(STATE, "disk", Outcome::Warning, found).hint("builds may need more")
        }
        _ => Checked::new(STATE, "disk", Outcome::Passed, found),
    }
}
