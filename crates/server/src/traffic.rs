//! What the proxies counted, here and elsewhere: totals by arm for people, and evidence by share for the judge.

mod pending;

#[cfg(test)]
mod mirrored;
mod users;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use judge::{Batch, Bin, Histogram, Latencies, Level, Tally};
use model::Timestamp;
use proxy::DataPlane;
use release::coverage::Row;
use users::Users;
use view::observe::answers::{Answers, Case};
use view::observe::{Arm, Cell, Kind, Latency, Outcome};

pub(crate) use pending::{Evidence, Origin, Receipt};
use pending::{Pending, Queue, reports_of};

/// Rates are averages over this long.
const WINDOW: Duration = Duration::from_secs(3);

#[derive(Debug, Default)]
pub(crate) struct Traffic {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    arms: HashMap<(String, String), Totals>,
    /// Likewise of requests that named their arm.
    pinned: HashMap<(String, String), Totals>,
    /// Likewise of requests hit by a fault made on purpose.
    faulted: HashMap<(String, String), Totals>,
    users: HashMap<String, Users>,
    /// Cells by split that no release has taken as evidence yet.
    pending: HashMap<String, Queue>,
    /// By split and arm: what was answered while a release judged, and is not written down yet.
    answers: HashMap<String, BTreeMap<String, Answers>>,
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
        let cells = observations
            .into_iter()
            .flat_map(|observations| observations.cells);
        self.add(cells, None, now);
    }

    /// Takes in the counts of a remote proxy's report.
    pub(crate) fn receive(&self, cells: Vec<Cell>, origin: Origin, now: Timestamp) {
        self.add(cells, Some(origin), now);
    }

    fn add(&self, cells: impl IntoIterator<Item = Cell>, origin: Option<Origin>, now: Timestamp) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        for mut cell in cells {
            let totals = match cell.kind {
                Kind::Drawn | Kind::Kept | Kind::Mirrored => &mut inner.arms,
                Kind::Pinned => &mut inner.pinned,
                Kind::Faulted => &mut inner.faulted,
            };
            let is_judged = inner.pending.get(&cell.split).is_some_and(Queue::is_judged);
            for arm in &mut cell.arms {
                let answers = std::mem::take(&mut arm.answers);
                if is_judged && !answers.is_empty() {
                    let of_split = inner.answers.entry(cell.split.clone()).or_default();
                    let sum = of_split.entry(arm.name.clone()).or_default();
                    sum.merge(answers);
                }
                let key = (cell.split.clone(), arm.name.clone());
                totals.entry(key).or_default().add(arm, now);
            }
            match cell.kind {
                Kind::Drawn | Kind::Mirrored => {}
                Kind::Kept => {
                    let users = inner.users.entry(cell.split.clone()).or_default();
                    users.unite(&mut cell);
                }
                Kind::Pinned | Kind::Faulted => continue,
            }
            let queue = inner.pending.entry(cell.split.clone()).or_default();
            let origin = origin.clone();
            queue.push(Pending { cell, origin });
        }
    }

    /// A release judges the split from now on; its journal holds these reports of remote proxies.
    pub(crate) fn judge(&self, split: &str, reports: &BTreeMap<String, u64>) {
        let mut inner = self.lock();
        let queue = inner.pending.entry(split.to_owned()).or_default();
        queue.judge(reports);
    }

    /// The release has ended: nobody needs the rest.
    pub(crate) fn dismiss(&self, split: &str) {
        let mut inner = self.lock();
        let dismissed = inner.pending.remove(split);
        inner.answers.remove(split);
        // They would be no news to the next release.
        inner.users.remove(split);
        drop(inner);
        drop(dismissed);
    }

    pub(crate) fn arm(&self, split: &str, arm: &str) -> Totals {
        let key = (split.to_owned(), arm.to_owned());
        self.lock().arms.get(&key).cloned().unwrap_or_default()
    }

    /// Requests that named this arm.
    pub(crate) fn pinned(&self, split: &str, arm: &str) -> Totals {
        let key = (split.to_owned(), arm.to_owned());
        self.lock().pinned.get(&key).cloned().unwrap_or_default()
    }

    /// Requests for this arm that were hit by a fault.
    pub(crate) fn faulted(&self, split: &str, arm: &str) -> Totals {
        let key = (split.to_owned(), arm.to_owned());
        self.lock().faulted.get(&key).cloned().unwrap_or_default()
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
    pub(crate) fn take_evidence(&self, split: &str, canary: &str) -> Evidence {
        let mut inner = self.lock();
        let cells = inner.pending.get_mut(split).map(Queue::take);
        drop(inner);
        let cells = cells.unwrap_or_default();
        let levels = cells
            .iter()
            .filter_map(|pending| level(&pending.cell, canary));
        Evidence {
            batch: Batch {
                levels: levels.collect(),
                ..Batch::default()
            },
            reports: reports_of(&cells),
            cells,
        }
    }

    /// What was answered since the last call; every arm but `canary` is the stable side.
    pub(crate) fn take_answers(&self, split: &str, canary: &str) -> Vec<Row> {
        let arms = self.lock().answers.remove(split).unwrap_or_default();
        let mut rows: BTreeMap<Case, (u64, u64)> = BTreeMap::new();
        for (arm, answers) in &arms {
            for (case, answered) in answers.iter() {
                let (of_stable, of_canary) = rows.entry(case.clone()).or_default();
                match arm == canary {
                    true => *of_canary += answered.callers + answered.copies,
                    // Which requests are copied is nothing that production asks for.
                    false => *of_stable += answered.callers,
                }
            }
        }
        let rows = rows.into_iter();
        rows.map(|(case, (stable, canary))| Row {
            case,
            stable,
            canary,
        })
        .collect()
    }

    /// Puts back evidence that could not be written down.
    pub(crate) fn give_back(&self, split: &str, evidence: Evidence) {
        let mut inner = self.lock();
        let queue = inner.pending.entry(split.to_owned()).or_default();
        queue.give_back(evidence.cells);
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
        match cell.kind {
            // Nothing else about these requests is independent of each other.
            Kind::Kept => {
                side.failures += arm.users.failed.len() as u64;
                side.successes += arm.users.served.len() as u64;
            }
            // Only one of a pair waits for its client, and both are always routed.
            Kind::Mirrored => {
                add(side, arm);
                side.routed = 0;
            }
            _ => {
                add(side, arm);
                add_latency(latency, &arm.latency);
            }
        }
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
    side.retried += arm.retried;
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
    use view::observe;
    use view::observe::answers::{Answered, Class};

    fn arm(name: &str, weight: u32, outcomes: &[(Outcome, u64)]) -> Arm {
        Arm {
            name: name.to_owned(),
            weight,
            routed: outcomes.iter().map(|(_, count)| count).sum(),
            outcomes: outcomes.iter().copied().collect(),
            ..Arm::default()
        }
    }

    #[test]
    fn what_both_versions_answered_is_kept_for_the_release_that_judges() {
        let answers = |rows: &[(&str, u64, u64)]| {
            let mut answers = Answers::default();
            for &(path, callers, copies) in rows {
                answers.add(case(path), Answered { callers, copies });
            }
            answers
        };
        let told = || {
            let mut stable = arm("vanilla", 1, &[(Outcome::Success, 9)]);
            stable.answers = answers(&[("/a", 7, 1), ("/b", 0, 1)]);
            let mut canary = arm("epoch", 1, &[(Outcome::Success, 3)]);
            canary.answers = answers(&[("/a", 1, 2)]);
            Cell {
                split: "s".to_owned(),
                kind: Kind::Drawn,
                arms: vec![stable, canary],
            }
        };
        let traffic = Traffic::default();
        let now = Timestamp::from_millis(0);
        traffic.add([told()], None, now);
        assert_eq!(traffic.take_answers("s", "epoch"), [], "nobody judges");
        traffic.judge("s", &BTreeMap::new());
        traffic.add([told(), told()], None, now);
        let row = |path, stable, canary| Row {
            case: case(path),
            stable,
            canary,
        };
        let rows = traffic.take_answers("s", "epoch");
        assert_eq!(rows, [row("/a", 14, 6), row("/b", 0, 0)]);
        assert_eq!(traffic.take_answers("s", "epoch"), []);
    }

    fn case(path: &str) -> Case {
        Case {
            method: "GET".to_owned(),
            path: Some(path.to_owned()),
            class: Class::Success,
        }
    }

    #[test]
    fn a_cell_is_evidence_under_its_own_weights() {
        let cell = Cell {
            split: "s".to_owned(),
            kind: Kind::Drawn,
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

    /// Where users stay on their version, requests are not independent of each other, nor are their tries.
    #[test]
    fn retried_requests_are_evidence_but_those_of_users_who_stay() {
        let of = |kind| {
            let retried = |name, count| Arm {
                retried: count,
                ..arm(name, 1, &[(Outcome::Success, 9), (Outcome::Reset, 1)])
            };
            let cell = Cell {
                split: "s".to_owned(),
                kind,
                arms: vec![retried("vanilla", 1), retried("epoch", 4)],
            };
            let tally = level(&cell, "epoch").map(|level| level.tally);
            tally.map(|tally| (tally.stable.retried, tally.canary.retried))
        };
        let kinds = [Kind::Drawn, Kind::Mirrored, Kind::Kept];
        assert_eq!(kinds.map(of), [Some((1, 4)), Some((1, 4)), None]);
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

    fn kept(arms: [(&str, &[u64], &[u64]); 2]) -> Cell {
        let arms = arms.map(|(name, served, failed)| Arm {
            users: observe::Users {
                served: served.to_vec(),
                failed: failed.to_vec(),
            },
            ..arm(name, 1, &[(Outcome::Reset, 50), (Outcome::Success, 500)])
        });
        Cell {
            split: "s".to_owned(),
            kind: Kind::Kept,
            arms: arms.into(),
        }
    }

    #[test]
    fn a_user_counts_once_whoever_tells_of_them() {
        let mut users = Users::default();
        let mut tallies = Vec::new();
        for mut told in [
            kept([("vanilla", &[1], &[]), ("epoch", &[7], &[8, 9])]),
            kept([("vanilla", &[1], &[]), ("epoch", &[7, 8], &[9, 10])]),
        ] {
            users.unite(&mut told);
            let tally = level(&told, "epoch").unwrap().tally;
            tallies.push([
                (tally.stable.successes, tally.stable.failures),
                (tally.canary.successes, tally.canary.failures),
            ]);
        }
        assert_eq!(tallies, [[(1, 0), (1, 2)], [(0, 0), (1, 1)]]);
    }

    /// As when a version that was rolled back is released again under its tag.
    #[test]
    fn a_release_that_ended_takes_its_users_with_it() {
        let traffic = Traffic::default();
        for attempt in 1..=2 {
            traffic.judge("s", &BTreeMap::new());
            let told = kept([("vanilla", &[], &[]), ("epoch", &[7], &[8])]);
            traffic.add([told], None, Timestamp::from_millis(0));
            let tally = traffic.take_evidence("s", "epoch").batch.levels[0].tally;
            assert_eq!(
                (tally.canary.successes, tally.canary.failures),
                (1, 1),
                "{attempt}"
            );
            traffic.dismiss("s");
        }
    }

    #[test]
    fn another_release_of_a_split_knows_nobody() {
        let mut users = Users::default();
        for canary in ["epoch", "next"] {
            let mut told = kept([("vanilla", &[], &[]), (canary, &[], &[8])]);
            users.unite(&mut told);
            assert_eq!(told.arms[1].users.failed, [8], "{canary}");
        }
    }
}
