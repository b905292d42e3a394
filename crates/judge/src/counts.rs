//! What happened, as integers: for every share that was in force, how each arm's requests ended.
//!
//! These counts are all the judge remembers of the traffic. Integers add in any order, so the same
//! requests give the same counts however they were batched and whichever proxy reported first; all
//! floating-point work starts afresh from them, level by level in the order of the shares.
//!
//! A request belongs to the share in force when its arm was drawn, however late it ends, and counts once,
//! when it has ended, retries included. Requests a caller gave up on are no failures but still count.
//! Requests that a rule other than the coin sent to an arm (a header) must be left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::share::Share;

/// How the requests of one arm ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arm {
    /// Requests that ended and did not fail.
    pub successes: u64,
    /// Requests a user saw fail: 5xx, reset, time-out, nobody there.
    pub failures: u64,
}

impl Arm {
    pub fn requests(&self) -> u64 {
        self.successes.saturating_add(self.failures)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.successes = self.successes.saturating_add(other.successes);
        self.failures = self.failures.saturating_add(other.failures);
    }

    pub(crate) fn halve(&mut self) {
        self.successes /= 2;
        self.failures /= 2;
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

    pub(crate) fn failures(&self) -> u64 {
        self.canary.failures.saturating_add(self.stable.failures)
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

/// What happened while one share was in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    pub share: Share,
    pub tally: Tally,
}

/// What is new since the last batch, oldest share first: the last one is the share now in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    pub levels: Vec<Level>,
}

/// Everything counted so far, by share.
///
/// At most [`Counts::MOST_SHARES`] shares are told apart, which bounds the memory. Requests under further
/// ones are counted as `beyond` and give no evidence; that leaves the tests valid, because which requests
/// are left out is settled by the share before the coin is thrown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Record", into = "Record")]
pub struct Counts {
    levels: BTreeMap<Share, Tally>,
    beyond: Tally,
}

impl Counts {
    pub const MOST_SHARES: usize = 64;

    pub fn add(&mut self, level: Level) {
        let room = self.levels.len() < Self::MOST_SHARES;
        match self.levels.get_mut(&level.share) {
            Some(tally) => tally.add(level.tally),
            None if room => {
                self.levels.insert(level.share, level.tally);
            }
            None => self.beyond.add(level.tally),
        }
    }

    /// Smallest share first.
    pub fn levels(&self) -> impl Iterator<Item = Level> + Clone + '_ {
        self.levels
            .iter()
            .map(|(&share, &tally)| Level { share, tally })
    }

    pub fn at(&self, share: Share) -> Tally {
        self.levels.get(&share).copied().unwrap_or_default()
    }

    /// Requests that give no evidence because too many different shares were in force before.
    pub fn beyond(&self) -> Tally {
        self.beyond
    }

    pub fn total(&self) -> Tally {
        let mut total = self.beyond;
        self.levels.values().for_each(|&tally| total.add(tally));
        total
    }
}

/// Counts as they are written down.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    levels: Vec<Level>,
    beyond: Tally,
}

impl From<Record> for Counts {
    fn from(record: Record) -> Self {
        let mut counts = Self {
            beyond: record.beyond,
            ..Self::default()
        };
        record
            .levels
            .into_iter()
            .for_each(|level| counts.add(level));
        counts
    }
}

impl From<Counts> for Record {
    fn from(counts: Counts) -> Self {
        Self {
            levels: counts.levels().collect(),
            beyond: counts.beyond,
        }
    }
}
