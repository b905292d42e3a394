//! What happened, as integers: for every share that was in force, how each arm's requests ended.
//!
//! Integers add in any order, so the same requests give the same counts however they were batched and
//! whichever proxy reported first; what is computed from them starts afresh, share by share in the order of
//! the shares.
//!
//! # What is counted
//!
//! - A request belongs to the share in force when its arm was drawn, however late it ends. So proxies may
//!   switch shares at different instants.
//! - It counts once, when it has ended: retries keep their arm and are part of it. A success that took one
//!   counts as that besides, once, however many it took.
//! - Requests a caller gave up on are no failures but count.
//! - Requests that a rule other than the coin sent to an arm (a header) are left out altogether.
//! - Where the coin is thrown for a *user* (sticky), the user is the unit: one success for the first request
//!   that did not fail, one failure for the first that did, and nothing else. A user whose requests all
//!   fail is one coin, however often it comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{arm_test::BadEvents, histogram::Histogram, resources::Window, share::Share};

/// How the requests of one arm ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Arm {
    /// Requests that ended and did not fail.
    pub successes: u64,
    /// Requests a user saw fail: 5xx, reset, time-out, nobody there.
    pub failures: u64,
    /// Among the failures, those the application itself answered (5xx).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub server_errors: u64,
    /// Among the successes, those answered with 4xx.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub client_errors: u64,
    /// Among the successes, those that callers gave up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cancelled: u64,
    /// Among the successes, those of which a try had failed before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retried: u64,
    /// Requests whose draw fell on this arm, ended or not; 0 on both arms where this is not reported.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub routed: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Arm {
    pub fn requests(&self) -> u64 {
        self.successes.saturating_add(self.failures)
    }

    /// Failures that no answer of the application explains: resets, time-outs, nobody there.
    pub(crate) fn broken(&self) -> u64 {
        self.failures.saturating_sub(self.server_errors)
    }

    /// Requests that came to an end of their own: those that callers gave up tell nothing of it.
    pub(crate) fn answers(&self) -> u64 {
        self.requests().saturating_sub(self.cancelled)
    }

    /// Requests of which any try failed, whether or not another one hid it.
    pub(crate) fn tried_in_vain(&self) -> u64 {
        self.failures.saturating_add(self.retried)
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (sum, count) in self.counts_mut().into_iter().zip(other.counts()) {
            *sum = sum.saturating_add(count);
        }
    }

    pub(crate) fn halve(&mut self) {
        for count in self.counts_mut() {
            *count /= 2;
        }
    }

    fn counts(mut self) -> [u64; 7] {
        self.counts_mut().map(|count| *count)
    }

    fn counts_mut(&mut self) -> [&mut u64; 7] {
        [
            &mut self.successes,
            &mut self.failures,
            &mut self.server_errors,
            &mut self.client_errors,
            &mut self.cancelled,
            &mut self.retried,
            &mut self.routed,
        ]
    }
}

/// Both arms side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    pub canary: Arm,
    pub stable: Arm,
}

impl Tally {
    pub fn requests(&self) -> u64 {
        self.canary
            .requests()
            .saturating_add(self.stable.requests())
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.canary.add(other.canary);
        self.stable.add(other.stable);
    }

    pub(crate) fn halve(&mut self) {
        self.canary.halve();
        self.stable.halve();
    }
}

/// How long the requests of both arms took that ended, callers who gave up left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latencies {
    pub canary: Histogram,
    pub stable: Histogram,
}

impl Latencies {
    pub fn is_empty(&self) -> bool {
        self.canary.is_empty() && self.stable.is_empty()
    }

    /// Leaves out what took longer than `limit`.
    pub fn truncate(&mut self, limit: Duration) {
        self.canary.truncate(limit);
        self.stable.truncate(limit);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.canary.merge(&other.canary);
        self.stable.merge(&other.stable);
    }
}

/// What is new at one share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    pub share: Share,
    pub tally: Tally,
    #[serde(default, skip_serializing_if = "Latencies::is_empty")]
    pub latency: Latencies,
}

impl Level {
    /// What is new where latencies are not known.
    pub fn new(share: Share, tally: Tally) -> Self {
        Self {
            share,
            tally,
            latency: Latencies::default(),
        }
    }

    /// Whether it tells how long requests took that the coin was thrown for.
    pub fn has_latencies(&self) -> bool {
        self.share.is_split() && !self.latency.is_empty()
    }

    pub(crate) fn cell(&self) -> Cell {
        let Self { share, tally, .. } = *self;
        Cell { share, tally }
    }
}

/// What is new since the last batch, oldest share first: the last one is the share now in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    pub levels: Vec<Level>,
    /// Tasks that ended by themselves, where a driver tells: the share is the canary's share of the tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restarts: Vec<BadEvents>,
    /// What tasks used, where a driver tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Window>,
    /// Since the batch before, where that is known. Where not, this one is taken to be of another moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Duration>,
}

impl Batch {
    pub fn of(level: Level) -> Self {
        Self {
            levels: vec![level],
            ..Self::default()
        }
    }

    /// Puts what is new at the share now in force last.
    pub fn end_with(&mut self, in_force: Share) {
        self.levels.sort_by_key(|level| level.share == in_force);
    }
}

/// All that was counted at one share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cell {
    pub share: Share,
    pub tally: Tally,
}

impl Cell {
    /// As if those requests had failed, and no others.
    pub(crate) fn failing(self, bad: impl Fn(&Arm) -> u64) -> Self {
        let failing = |arm: Arm| Arm {
            successes: arm.requests().saturating_sub(bad(&arm)),
            failures: bad(&arm),
            ..Arm::default()
        };
        let Tally { canary, stable } = self.tally;
        let tally = Tally {
            canary: failing(canary),
            stable: failing(stable),
        };
        Self { tally, ..self }
    }
}

/// Everything counted so far, by share.
///
/// At most [`Counts::MOST_SHARES`] shares are told apart, which bounds the memory. Requests under further
/// ones are counted as `beyond` and give no evidence; that leaves the tests valid, because which requests
/// are left out is settled by the share before the coin is thrown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Record", into = "Record")]
pub struct Counts {
    cells: BTreeMap<Share, Tally>,
    beyond: Tally,
}

impl Counts {
    pub const MOST_SHARES: usize = 64;

    pub fn add(&mut self, cell: Cell) {
        let room = self.cells.len() < Self::MOST_SHARES;
        match self.cells.get_mut(&cell.share) {
            Some(tally) => tally.add(cell.tally),
            None if room => {
                self.cells.insert(cell.share, cell.tally);
            }
            None => self.beyond.add(cell.tally),
        }
    }

    /// Smallest share first.
    pub fn cells(&self) -> impl Iterator<Item = Cell> + Clone + '_ {
        self.cells
            .iter()
            .map(|(&share, &tally)| Cell { share, tally })
    }

    pub fn at(&self, share: Share) -> Tally {
        self.cells.get(&share).copied().unwrap_or_default()
    }

    /// Requests that give no evidence because too many different shares were in force before.
    pub fn beyond(&self) -> Tally {
        self.beyond
    }

    pub fn total(&self) -> Tally {
        let mut total = self.beyond;
        self.cells.values().for_each(|&tally| total.add(tally));
        total
    }
}

/// Counts as they are written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    levels: Vec<Cell>,
    beyond: Tally,
}

impl From<Record> for Counts {
    fn from(record: Record) -> Self {
        let mut counts = Self {
            beyond: record.beyond,
            ..Self::default()
        };
        record.levels.into_iter().for_each(|cell| counts.add(cell));
        counts
    }
}

impl From<Counts> for Record {
    fn from(counts: Counts) -> Self {
        Self {
            levels: counts.cells().collect(),
            beyond: counts.beyond,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, Level, Share, Tally};

    #[test]
    fn the_share_in_force_comes_last_and_the_others_keep_their_order() {
        let share = |percent| Share::new(percent, 100).unwrap();
        let levels = [20, 5, 10].map(|percent| Level::new(share(percent), Tally::default()));
        let mut batch = Batch {
            levels: levels.to_vec(),
            ..Batch::default()
        };
        let order = |batch: &Batch| {
            batch
                .levels
                .iter()
                .map(|level| level.share)
                .collect::<Vec<_>>()
        };
        batch.end_with(share(20));
        assert_eq!(order(&batch), [5, 10, 20].map(share));
        batch.end_with(share(50));
        assert_eq!(order(&batch), [5, 10, 20].map(share));
    }
}
