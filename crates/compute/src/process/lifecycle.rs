//! The life of one task, as a pure state machine: an event and the time go in, at most one action comes
//! out. It starts nothing and waits for nothing itself; the supervisor does as it says.
//!
//! ```text
//! Waiting -> Launching -> Running -> Stopping -> Gone
//!    ^           |           |
//!    +-----------+-----------+  (could not start, exited)
//! ```

use std::time::Duration;

use tokio::time::Instant;

use super::clock;
use super::probe::Pace;
use crate::driver::TaskState;

/// Until a run passes its first probe, it is asked at least this often: a task that is up is not kept
/// waiting for a long interval.
const EAGER_INTERVAL: Duration = Duration::from_millis(100);

/// How long an exited task waits to be started again: doubling from `first` to `longest`. A run that
/// lasted `stable_after` starts over with `first`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
    pub stable_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            stable_after: Duration::from_secs(60),
        }
    }
}

impl Backoff {
    fn delay(&self, failures: u32) -> Duration {
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The time that [`Lifecycle::wake_at`] named has come.
    Elapsed,
    Started,
    CouldNotStart,
    Probed {
        passed: bool,
    },
    /// Nothing of the run is left.
    Exited,
    Stop {
        grace: Duration,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// To be answered by `Started` or `CouldNotStart` before any other event.
    Start,
    /// To be answered by `Probed`.
    Probe,
    Terminate,
    Kill,
    /// The task is over; nothing more will come.
    Finish,
}

#[derive(Debug)]
pub(super) struct Lifecycle {
    phase: Phase,
    pace: Pace,
    backoff: Backoff,
    starts: u32,
    /// Runs in a row that ended before they were stable.
    failures: u32,
}

#[derive(Debug)]
enum Phase {
    Waiting { until: Instant },
    Launching,
    Running { since: Instant, health: Health },
    Stopping { kill_at: Option<Instant> },
    Gone,
}

#[derive(Debug)]
struct Health {
    state: TaskState,
    passed_in_a_row: u32,
    failed_in_a_row: u32,
    /// `None` while a probe is under way.
    next_probe: Option<Instant>,
}

impl Lifecycle {
    /// A task that is to be started now; `starts` counts its earlier ones.
    pub(super) fn to_start(pace: Pace, backoff: Backoff, starts: u32, now: Instant) -> Self {
        Self {
            phase: Phase::Waiting { until: now },
            pace,
            backoff,
            starts,
            failures: 0,
        }
    }

    /// A task that already runs. It has shown an earlier server that it is healthy, or had the time to,
    /// so a single probe confirms it.
    pub(super) fn adopted(pace: Pace, backoff: Backoff, starts: u32, now: Instant) -> Self {
        let health = Health {
            passed_in_a_row: pace.healthy_threshold.saturating_sub(1),
            ..Health::unknown(now)
        };
        Self {
            phase: Phase::Running { since: now, health },
            ..Self::to_start(pace, backoff, starts, now)
        }
    }

    pub(super) fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    pub(super) fn starts(&self) -> u32 {
        self.starts
    }

    pub(super) fn restarts(&self) -> u32 {
        self.starts.saturating_sub(1)
    }

    pub(super) fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping { .. })
    }

    /// The grace period is not over yet.
    pub(super) fn is_in_grace(&self) -> bool {
        matches!(self.phase, Phase::Stopping { kill_at: Some(_) })
    }

    pub(super) fn state(&self) -> TaskState {
        match &self.phase {
            Phase::Waiting { .. } if self.starts == 0 => TaskState::Starting,
            Phase::Waiting { .. } => TaskState::BackingOff,
            Phase::Launching => TaskState::Starting,
            Phase::Running { health, .. } => health.state,
            Phase::Stopping { .. } | Phase::Gone => TaskState::Stopping,
        }
    }

    /// When to come back with [`Event::Elapsed`].
    pub(super) fn wake_at(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Waiting { until } => Some(*until),
            Phase::Running { health, .. } => health.next_probe,
            Phase::Stopping { kill_at } => *kill_at,
            Phase::Launching | Phase::Gone => None,
        }
    }

    pub(super) fn next(&mut self, event: Event, now: Instant) -> Option<Action> {
        match (&mut self.phase, event) {
            (Phase::Waiting { until }, Event::Elapsed) if now >= *until => {
                self.starts = self.starts.saturating_add(1);
                self.phase = Phase::Launching;
                Some(Action::Start)
            }
            (Phase::Waiting { .. }, Event::Stop { .. }) => {
                self.phase = Phase::Gone;
                Some(Action::Finish)
            }
            (Phase::Launching, Event::Started) => {
                let health = Health::unknown(now);
                self.phase = Phase::Running { since: now, health };
                None
            }
            (Phase::Launching, Event::CouldNotStart) => {
                self.back_off(now);
                None
            }
            (Phase::Running { health, .. }, Event::Elapsed) => health.is_due(now),
            (Phase::Running { since, health }, Event::Probed { passed }) => {
                health.judge(passed, *since, now, self.pace);
                None
            }
            (Phase::Running { since, .. }, Event::Exited) => {
                if now.duration_since(*since) >= self.backoff.stable_after {
                    self.failures = 0;
                }
                self.back_off(now);
                None
            }
            (Phase::Running { .. }, Event::Stop { grace }) => {
                let kill_at = Some(clock::after(now, grace));
                self.phase = Phase::Stopping { kill_at };
                Some(Action::Terminate)
            }
            (Phase::Stopping { kill_at }, Event::Elapsed) => {
                kill_at.take_if(|at| now >= *at).map(|_| Action::Kill)
            }
            (Phase::Stopping { .. }, Event::Exited) => {
                self.phase = Phase::Gone;
                Some(Action::Finish)
            }
            // An early alarm, the answer to a probe of an earlier phase, or a second wish to stop.
            _ => None,
        }
    }

    fn back_off(&mut self, now: Instant) {
        let until = clock::after(now, self.backoff.delay(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::Waiting { until };
    }
}

impl Health {
    fn unknown(now: Instant) -> Self {
        Self {
            state: TaskState::Starting,
            passed_in_a_row: 0,
            failed_in_a_row: 0,
            next_probe: Some(now),
        }
    }

    fn is_due(&mut self, now: Instant) -> Option<Action> {
        self.next_probe
            .take_if(|at| now >= *at)
            .map(|_| Action::Probe)
    }

    fn judge(&mut self, passed: bool, since: Instant, now: Instant, pace: Pace) {
        if passed {
            self.passed_in_a_row = self.passed_in_a_row.saturating_add(1);
            self.failed_in_a_row = 0;
        } else {
            self.failed_in_a_row = self.failed_in_a_row.saturating_add(1);
            self.passed_in_a_row = 0;
        }
        if self.passed_in_a_row >= pace.healthy_threshold {
            self.state = TaskState::Healthy;
        } else if self.has_failed(since, now, pace) {
            self.state = TaskState::Unhealthy;
        }
        let eager = self.state == TaskState::Starting && self.passed_in_a_row == 0;
        let interval = if eager {
            pace.interval.min(EAGER_INTERVAL)
        } else {
            pace.interval
        };
        self.next_probe = Some(clock::after(now, interval));
    }

    /// Eager probes of a task that starts are many; for it, the time counts that as many ordinary ones
    /// would have taken.
    fn has_failed(&self, since: Instant, now: Instant, pace: Pace) -> bool {
        let patience = pace.interval.saturating_mul(pace.unhealthy_threshold);
        self.failed_in_a_row >= pace.unhealthy_threshold
            && (self.state != TaskState::Starting || now.duration_since(since) >= patience)
    }
}

#[cfg(test)]
mod tests;
