//! What the proxies counted: totals by arm for people, and evidence by share for the judge.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use judge::{Batch, Bin, Histogram, Latencies, Level, Tally};
use model::Timestamp;
use proxy::DataPlane;
use view::observe::{Arm, Cell, Latency, Outcome};

/// Rates are averages over this long.
const WINDOW: Duration = Duration::from_secs(3);

/// Counts that nobody has judged yet are forgotten beyond this many sets of weights in force.
const MOST_PENDING: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Traffic {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    arms: HashMap<(String, String), Totals>,
    /// Cells by split that no release has taken as evidence yet, oldest first.
    pending: HashMap<String, VecDeque<Cell>>,
}

/// One arm of one split, since the server started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) routed: u64,
    pub(crate) ended: u64,
    pub(crate) outcomes: BTreeMap<Outcome, u64>,
    pub(crate) latency: Latency,
    recent: VecDeque<(Timestamp, u64)>,
}

impl Totals {
    pub(crate) fn in_flight(&self) -> u64 {
        self.routed.saturating_sub(self.ended)
    }

    pub(crate) fn failures(&self) -> u64 {
        failures(&self.outcomes)
    }

    pub(crate) fn requests_per_second(&self, now: Timestamp) -> f64 {
        let recent = self.recent.iter().filter(|(at, _)| now.since(*at) < WINDOW);
        recent.map(|(_, count)| *count).sum::<u64>() as f64 / WINDOW.as_secs_f64()
    }

    fn add(&mut self, arm: &Arm, now: Timestamp) {
        self.routed += arm.routed;
        for (&outcome, &count) in &arm.outcomes {
            self.ended += count;
            *self.outcomes.entry(outcome).or_default() += count;
        }
        self.latency.merge(&arm.latency);
        self.recent.push_back((now, arm.routed));
        while self
            .recent
            .front()
            .is_some_and(|(at, _)| now.since(*at) >= WINDOW)
        {
            self.recent.pop_front();
        }
    }
}

impl Traffic {
    /// Asks the data plane for what is new.
    pub(crate) async fn collect(&self, plane: &DataPlane, now: Timestamp) {
        let observations = plane.observe().await;
        let mut inner = self.lock();
        for cell in observations
            .into_iter()
            .flat_map(|observations| observations.cells)
        {
            for arm in &cell.arms {
                let key = (cell.split.clone(), arm.name.clone());
                inner.arms.entry(key).or_default().add(arm, now);
            }
            let pending = inner.pending.entry(cell.split.clone()).or_default();
            pending.push_back(cell);
            if pending.len() > MOST_PENDING {
                pending.pop_front();
            }
        }
    }

    pub(crate) fn arm(&self, split: &str, arm: &str) -> Totals {
        let key = (split.to_owned(), arm.to_owned());
        self.lock().arms.get(&key).cloned().unwrap_or_default()
    }

    /// Every arm by its split and its name.
    pub(crate) fn arms(&self) -> Vec<((String, String), Totals)> {
        let inner = self.lock();
        let arms = inner.arms.iter();
        arms.map(|(key, totals)| (key.clone(), totals.clone()))
            .collect()
    }

    /// Requests a second over all arms of a split.
    pub(crate) fn rate(&self, split: &str, now: Timestamp) -> f64 {
        let inner = self.lock();
        let arms = inner.arms.iter().filter(|((of, _), _)| of == split);
        arms.fold(0.0, |sum, (_, totals)| {
            sum + totals.requests_per_second(now)
        })
    }

    /// What came in since the last call, as evidence about `canary`; every other arm is the stable side.
    pub(crate) fn take_evidence(&self, split: &str, canary: &str) -> Batch {
        let cells = self.lock().pending.remove(split).unwrap_or_default();
        Batch {
            levels: cells
                .iter()
                .filter_map(|cell| level(cell, canary))
                .collect(),
            restarts: Vec::new(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A cell as the judge counts it; none where the canary was no target.
fn level(cell: &Cell, canary: &str) -> Option<Level> {
    let total = cell.arms.iter().map(|arm| arm.weight).sum();
    let weight = cell.arms.iter().find(|arm| arm.name == canary)?.weight;
    let share = judge::Share::new(weight, total).ok()?;
    let mut tally = Tally::default();
    let mut latency = Latencies::default();
    for arm in &cell.arms {
        let (side, latency) = if arm.name == canary {
            (&mut tally.canary, &mut latency.canary)
        } else {
            (&mut tally.stable, &mut latency.stable)
        };
        add(side, arm);
        add_latency(latency, &arm.latency);
    }
    (tally != Tally::default()).then_some(Level {
        share,
        tally,
        latency,
    })
}

fn add(side: &mut judge::Arm, arm: &Arm) {
    let of = |outcome| arm.outcomes.get(&outcome).copied().unwrap_or_default();
    let failures = failures(&arm.outcomes);
    side.failures += failures;
    side.successes += arm.outcomes.values().sum::<u64>() - failures;
    side.server_errors += of(Outcome::ServerError);
    side.client_errors += of(Outcome::ClientError);
    side.cancelled += of(Outcome::Cancelled);
    side.routed += arm.routed;
}

fn add_latency(side: &mut Histogram, latency: &Latency) {
    for (bucket, count) in latency.buckets() {
        let (low, _) = Latency::bounds_of(bucket);
        side.add(Bin::of_micros(low), count);
    }
}

fn failures(outcomes: &BTreeMap<Outcome, u64>) -> u64 {
    let failed = outcomes.iter().filter(|(outcome, _)| outcome.is_failure());
    failed.map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(name: &str, weight: u32, outcomes: &[(Outcome, u64)]) -> Arm {
        Arm {
            name: name.to_owned(),
            weight,
            routed: outcomes.iter().map(|(_, count)| count).sum(),
            outcomes: outcomes.iter().copied().collect(),
            latency: Latency::default(),
        }
    }

    #[test]
    fn a_cell_is_evidence_under_its_own_weights() {
        let cell = Cell {
            split: "s".to_owned(),
            arms: vec![
                arm(
                    "vanilla",
                    9500,
                    &[(Outcome::Success, 90), (Outcome::ServerError, 1)],
                ),
                arm(
                    "epoch",
                    500,
                    &[
                        (Outcome::Cancelled, 2),
                        (Outcome::Reset, 3),
                        (Outcome::ClientError, 4),
                    ],
                ),
            ],
        };
        let level = level(&cell, "epoch").unwrap();
        assert_eq!(level.share, judge::Share::new(1, 20).unwrap());
        assert_eq!(
            (level.tally.stable.successes, level.tally.stable.failures),
            (90, 1)
        );
        let canary = level.tally.canary;
        assert_eq!((canary.successes, canary.failures), (6, 3));
        assert_eq!((canary.client_errors, canary.server_errors), (4, 0));
        assert_eq!(level.tally.stable.server_errors, 1);
        assert!(super::level(&cell, "other").is_none());
    }

    #[test]
    fn rates_forget_what_is_older_than_the_window() {
        let mut totals = Totals::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        totals.add(&arm("vanilla", 1, &[(Outcome::Success, 30)]), at(0));
        totals.add(&arm("vanilla", 1, &[(Outcome::Success, 60)]), at(2));
        assert_eq!(totals.requests_per_second(at(2)), 30.0);
        assert_eq!(totals.requests_per_second(at(4)), 20.0);
        assert_eq!(totals.requests_per_second(at(10)), 0.0);
        assert_eq!(totals.ended, 90);
    }
}
