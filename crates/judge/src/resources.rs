//! Whether the canary's tasks use more processor time or memory than the stable version's.
//!
//! Both are compared in windows. An equal canary uses what the stable version uses for its part of the tasks
//! (what a task takes when idle), or of the requests (what a request takes), or something between: so at most
//! for the larger of the two parts. A canary that uses more than that by more than is allowed uses *more* in
//! this window. Compared a request alone, a healthy canary with few requests would bear its idle time over
//! too few.
//!
//! The null hypothesis: whatever was seen before, the chance that the canary uses more in the next window is at
//! most one half. Then a bet on "more" at even odds gains nothing in the mean, and what it has become is a
//! supermartingale at every look, whatever the distributions are and however windows depend on each other. The
//! bet is made only after a window in which the canary used more: the good windows before a leak shows cost
//! nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::mixture::{log_mean, times};

/// What both versions used from one reading to the next, by tasks that ran all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub length: Duration,
    pub canary: Used,
    pub stable: Used,
}

/// What the tasks of one version used in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    pub tasks: u64,
    /// That ended.
    pub requests: u64,
    pub processor: Duration,
    /// Of all tasks, resident at the end of the window, in bytes.
    pub memory: u64,
}

impl Used {
    fn processor_a_request(&self) -> Duration {
        let seconds = self.processor.as_secs_f64() / self.requests.max(1) as f64;
        Duration::from_secs_f64(seconds)
    }

    fn memory_a_task(&self) -> u64 {
        self.memory / self.tasks.max(1)
    }
}

impl Window {
    /// Fixed beforehand: a window ends with the first reading that finds it so long...
    pub const LENGTH: Duration = Duration::from_secs(2);
    /// ...and so many requests of each version.
    pub const REQUESTS: u64 = 20;

    /// A canary's task may use this share of a processor on top: readings are as coarse as that.
    const PROCESSOR: f64 = 0.02;
    /// And this much memory, in bytes: nobody misses it.
    const MEMORY: f64 = (16_u64 << 20) as f64;

    pub fn is_long_enough(&self) -> bool {
        let requests = self.canary.requests.min(self.stable.requests);
        self.length >= Self::LENGTH && requests >= Self::REQUESTS
    }

    /// What a canary like the stable version uses at most, of what that uses.
    ///
    /// None where a few requests of the stable version would have to speak for many of the canary's: chance
    /// spares the few the rare expensive one.
    fn part(&self) -> Option<f64> {
        let Self { canary, stable, .. } = self;
        let speaks = self.is_long_enough()
            && stable.requests >= canary.requests / 2
            && canary.tasks.min(stable.tasks) > 0;
        speaks.then(|| {
            let of_tasks = canary.tasks as f64 / stable.tasks as f64;
            let of_requests = canary.requests as f64 / stable.requests as f64;
            of_tasks.max(of_requests)
        })
    }
}

/// How often the canary used more, and what became of the bets on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Bets {
    /// Windows in which the canary used more.
    pub(crate) more: u64,
    won: u64,
    lost: u64,
    /// The last window was one.
    last: bool,
}

impl Bets {
    /// How often the canary is supposed to use more.
    const CHANCES: [f64; 4] = [0.6, 0.75, 0.9, 0.99];

    fn settle(&mut self, more: bool) {
        if self.last {
            self.won += u64::from(more);
            self.lost += u64::from(!more);
        }
        self.more += u64::from(more);
        self.last = more;
    }

    pub(crate) fn log_e(&self) -> f64 {
        let weight = 1.0 / Self::CHANCES.len() as f64;
        let log_e = |chance: f64| {
            times(self.won, libm::log(2.0 * chance))
                + times(self.lost, libm::log(2.0 * (1.0 - chance)))
        };
        log_mean(
            Self::CHANCES
                .map(|chance| (weight, log_e(chance)))
                .into_iter(),
        )
    }
}

/// All the judge remembers of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Resources {
    /// That could be compared.
    windows: u64,
    pub(crate) processor: Bets,
    pub(crate) memory: Bets,
    /// Of those windows: sums, but for the tasks and their memory, which are the last's.
    canary: Used,
    stable: Used,
}

impl Resources {
    /// Compares, where `allowed_growth` says how much more is allowed, as a share.
    pub(crate) fn absorb(&mut self, allowed_growth: f64, window: &Window) {
        let Some(part) = window.part() else {
            return;
        };
        let Window {
            length,
            canary,
            stable,
        } = window;
        let allowed = part * (1.0 + allowed_growth);
        let tasks = canary.tasks as f64;
        let time = |used: &Used| used.processor.as_secs_f64();
        let on_top = tasks * Window::PROCESSOR * length.as_secs_f64();
        self.processor
            .settle(time(canary) > allowed * time(stable) + on_top);
        let memory = |used: &Used| used.memory as f64;
        self.memory
            .settle(memory(canary) > allowed * memory(stable) + tasks * Window::MEMORY);
        self.windows += 1;
        for (sum, used) in [(&mut self.canary, canary), (&mut self.stable, stable)] {
            *sum = Used {
                requests: sum.requests.saturating_add(used.requests),
                processor: sum.processor.saturating_add(used.processor),
                ..*used
            };
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.windows == 0
    }

    /// Whether the canary used more than is allowed in the last window.
    pub(crate) fn exceed(&self) -> bool {
        self.processor.last || self.memory.last
    }

    pub(crate) fn log_e(&self) -> f64 {
        let halves = [(0.5, self.processor.log_e()), (0.5, self.memory.log_e())];
        log_mean(halves.into_iter())
    }

    pub(crate) fn evidence(&self) -> Option<ResourceEvidence> {
        let usage = |used: &Used| ResourceUsage {
            processor: used.processor_a_request(),
            memory: used.memory_a_task(),
        };
        (!self.is_empty()).then(|| ResourceEvidence {
            windows: self.windows,
            canary: usage(&self.canary),
            stable: usage(&self.stable),
            more_processor: self.processor.more,
            more_memory: self.memory.more,
        })
    }
}

/// What both versions used, and in how many windows the canary used more than is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceEvidence {
    pub windows: u64,
    pub canary: ResourceUsage,
    pub stable: ResourceUsage,
    pub more_processor: u64,
    pub more_memory: u64,
}

/// Of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceUsage {
    /// Processor time a request, over all windows.
    pub processor: Duration,
    /// Memory a task, in bytes, in the last window.
    pub memory: u64,
}

#[cfg(test)]
mod tests;
