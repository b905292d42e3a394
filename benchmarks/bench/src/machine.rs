//! The machine: what it is, and whether it was quiet while something was measured.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

/// The kernel counts processor time in ticks of this length.
const TICK: Duration = Duration::from_millis(10);
/// More than this of the machine taken by others, and a measurement does not count.
pub const QUIET: f64 = 0.05;

/// All processor time so far.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    at: Instant,
    busy: Duration,
    stolen: Duration,
    own: Duration,
}

/// What others took of the machine, as shares of all its cores.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Noise {
    pub foreign: f64,
    pub steal: f64,
}

impl Moment {
    pub fn now() -> anyhow::Result<Self> {
        let text = std::fs::read_to_string("/proc/stat").context("/proc/stat cannot be read")?;
        let first = text.lines().next().context("/proc/stat is empty")?;
        let ticks: Vec<u32> = first
            .split_whitespace()
            .skip(1)
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        let [user, nice, system, _idle, _wait, irq, softirq, steal, ..] = ticks[..] else {
            anyhow::bail!("/proc/stat has too few fields: {first}");
        };
        let own = clock_gettime(ClockId::ProcessCPUTime);
        Ok(Self {
            at: Instant::now(),
            busy: (user + nice + system + irq + softirq) * TICK,
            stolen: steal * TICK,
            own: Duration::new(own.tv_sec as u64, own.tv_nsec as u32),
        })
    }

    /// Since `before`, in which the proxy took so much for itself.
    pub fn noise_since(&self, before: &Self, proxy: Duration) -> Noise {
        let all = (self.at - before.at).as_secs_f64() * cores() as f64;
        let busy = (self.busy - before.busy).as_secs_f64();
        let known = (self.own - before.own + proxy).as_secs_f64();
        Noise {
            foreign: ((busy - known) / all).max(0.0),
            steal: (self.stolen - before.stolen).as_secs_f64() / all,
        }
    }
}

impl Noise {
    pub fn is_quiet(self) -> bool {
        self.foreign <= QUIET && self.steal <= QUIET
    }
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// One line: processor, cores, system.
pub fn description(cores: usize) -> String {
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, name)| name)
        .to_owned();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim();
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .unwrap_or_default()
        .trim_matches('"')
        .to_owned();
    format!("{processor}, {cores} cores, {system}, Linux {kernel}")
}

/// The commit that is measured.
pub fn commit() -> String {
    said_by(Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=10"]))
}

pub fn date() -> String {
    said_by(Command::new("date").args(["-u", "+%F %R UTC"]))
}

fn said_by(command: &mut Command) -> String {
    let output = command
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    String::from_utf8_lossy(&output).trim().to_owned()
}
