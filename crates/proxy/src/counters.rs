//! What became of a split's requests: plain integers of one worker, read out as increments.
//!
//! A cell belongs to one split under one set of weights. A request holds the cell its arm was drawn
//! from until it ends, so the cell of past weights lives exactly as long as requests drawn under them.

mod users;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use view::observe::answers::Answers;
use view::observe::{self, Kind, Latency, Observations, Outcome};

use crate::clock::{self, Instant};
use crate::coverage::{Coverage, Row};
use crate::split::{Split, Target};
use users::Users;

const OUTCOMES: [Outcome; 8] = [
    Outcome::Success,
    Outcome::Redirect,
    Outcome::ClientError,
    Outcome::ServerError,
    Outcome::Unavailable,
    Outcome::Reset,
    Outcome::Timeout,
    Outcome::Cancelled,
];

/// A node's name and a split's.
type Place = (String, String);

/// Every cell of a worker that is in use or has something left to report.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// By node and split, as a change looks for the cells of every route.
    cells: RefCell<BTreeMap<Place, Vec<Rc<SplitCell>>>>,
}

#[derive(Debug)]
pub(crate) struct SplitCell {
    split: String,
    kind: Kind,
    arms: Vec<ArmCell>,
    /// Of a split that keeps them, shared with its cells under other weights.
    users: Option<Rc<Users>>,
    /// Of a split with several arms, shared likewise.
    coverage: Option<Rc<Coverage>>,
}

#[derive(Debug)]
struct ArmCell {
    name: String,
    weight: u32,
    routed: Cell<u64>,
    outcomes: [Cell<u64>; OUTCOMES.len()],
    retried: Cell<u64>,
    latency: Box<[Cell<u64>]>,
    /// What is new of them.
    users: RefCell<observe::Users>,
}

/// One request's entry in its cell; ends once, as cancelled if nothing else is said.
#[derive(Debug)]
pub(crate) struct Tally {
    cell: Rc<SplitCell>,
    arm: usize,
    /// Whoever stays on that arm.
    user: Option<u64>,
    started: Instant,
    /// A try has failed, and another one followed.
    is_retried: bool,
    ended: bool,
    /// What became of the other one of a mirrored pair, once it has ended.
    twin: Option<Rc<Cell<Option<Ended>>>>,
    /// What it is a request for.
    asks_for: Option<Rc<Row>>,
    /// Nobody waits for the answer.
    is_copy: bool,
}

#[derive(Clone, Copy, Debug)]
struct Ended {
    arm: usize,
    outcome: Outcome,
    is_retried: bool,
    latency: Option<Duration>,
}

impl Counters {
    /// The cell of this split under its present weights.
    pub(crate) fn cell(&self, node: &str, split: &Split, kind: Kind) -> Rc<SplitCell> {
        let mut all = self.cells.borrow_mut();
        let cells = all.entry((node.to_owned(), split.id.clone())).or_default();
        if let Some(cell) = cells.iter().find(|cell| cell.is_of(split, kind)) {
            return Rc::clone(cell);
        }
        let before = || cells.iter().filter(|cell| cell.has_arms_of(split));
        let users = (kind == Kind::Kept).then(|| {
            let known = before().find_map(|cell| cell.users.clone());
            known.unwrap_or_default()
        });
        let arms = split.targets().count();
        let is_tried = matches!(kind, Kind::Drawn | Kind::Kept | Kind::Mirrored);
        let coverage = (arms > 1 && is_tried).then(|| {
            let known = before().find_map(|cell| cell.coverage.clone());
            known.unwrap_or_else(|| Rc::new(Coverage::new(arms)))
        });
        let cell = Rc::new(SplitCell {
            users,
            coverage,
            ..SplitCell::new(split, kind)
        });
        cells.push(Rc::clone(&cell));
        cell
    }

    /// Increments since the last call. A cell that nobody holds any more is dropped with it.
    pub(crate) fn report(&self) -> Vec<Observations> {
        let mut reports: BTreeMap<String, Vec<observe::Cell>> = BTreeMap::new();
        self.cells.borrow_mut().retain(|(node, _), cells| {
            cells.retain(|cell| {
                if let Some(increments) = cell.take() {
                    reports.entry(node.clone()).or_default().push(increments);
                }
                Rc::strong_count(cell) > 1
            });
            !cells.is_empty()
        });
        reports
            .into_iter()
            .map(|(node, cells)| Observations { node, cells })
            .collect()
    }
}

impl SplitCell {
    fn new(split: &Split, kind: Kind) -> Self {
        let arms = split.targets().map(|target| ArmCell {
            name: target.arm.clone(),
            weight: weight_of(target, kind),
            routed: Cell::new(0),
            outcomes: Default::default(),
            retried: Cell::new(0),
            latency: vec![Cell::new(0); Latency::BUCKETS].into_boxed_slice(),
            users: RefCell::default(),
        });
        Self {
            split: split.id.clone(),
            kind,
            arms: arms.collect(),
            users: None,
            coverage: None,
        }
    }

    fn is_of(&self, split: &Split, kind: Kind) -> bool {
        let weights = self.arms.iter().map(|arm| arm.weight);
        self.kind == kind
            && weights.eq(split.targets().map(|target| weight_of(target, kind)))
            && self.has_arms_of(split)
    }

    fn has_arms_of(&self, split: &Split) -> bool {
        let arms = self.arms.iter().map(|arm| &arm.name);
        arms.eq(split.targets().map(|target| &target.arm))
    }

    pub(crate) fn count(self: &Rc<Self>, arm: usize, user: Option<u64>, started: Instant) -> Tally {
        increment(&self.arms[arm].routed);
        Tally {
            cell: Rc::clone(self),
            arm,
            user,
            started,
            is_retried: false,
            ended: false,
            twin: None,
            asks_for: None,
            is_copy: false,
        }
    }

    /// One request on two arms, the copy on the second.
    pub(crate) fn count_pair(self: &Rc<Self>, arms: [usize; 2], started: Instant) -> [Tally; 2] {
        let twin = Rc::default();
        let mut pair = arms.map(|arm| {
            let mut tally = self.count(arm, None, started);
            tally.twin = Some(Rc::clone(&twin));
            tally
        });
        pair[1].is_copy = true;
        pair
    }

    fn add(&self, ended: Ended) {
        let arm = &self.arms[ended.arm];
        increment(&arm.outcomes[ended.outcome as usize]);
        if ended.is_retried && !ended.outcome.is_failure() {
            increment(&arm.retried);
        }
        if let Some(latency) = ended.latency {
            let micros = latency.as_micros();
            let bucket = Latency::bucket_of(u64::try_from(micros).unwrap_or(u64::MAX));
            increment(&arm.latency[bucket as usize]);
        }
    }

    /// A pair of which one was given up says nothing, as the other might have failed in its place.
    fn add_pair(&self, pair: [Ended; 2]) {
        let is_whole = pair.iter().all(|ended| ended.outcome != Outcome::Cancelled);
        for ended in pair {
            self.add(if is_whole {
                ended
            } else {
                Ended {
                    outcome: Outcome::Cancelled,
                    is_retried: false,
                    latency: None,
                    ..ended
                }
            });
        }
    }

    fn take(&self) -> Option<observe::Cell> {
        let mut arms: Vec<observe::Arm> = self.arms.iter().map(ArmCell::take).collect();
        let anything = arms
            .iter()
            .any(|arm| arm.routed > 0 || !arm.outcomes.is_empty());
        if !anything {
            return None;
        }
        let answers = self.coverage.iter().flat_map(|coverage| coverage.take());
        for (arm, answers) in arms.iter_mut().zip(answers) {
            arm.answers = answers;
        }
        Some(observe::Cell {
            split: self.split.clone(),
            kind: self.kind,
            arms,
        })
    }
}

impl ArmCell {
    fn take(&self) -> observe::Arm {
        let mut latency = Latency::default();
        for (bucket, count) in self.latency.iter().enumerate() {
            latency.add(bucket as u32, count.take());
        }
        observe::Arm {
            name: self.name.clone(),
            weight: self.weight,
            routed: self.routed.take(),
            outcomes: OUTCOMES
                .into_iter()
                .zip(&self.outcomes)
                .map(|(outcome, count)| (outcome, count.take()))
                .filter(|&(_, count)| count > 0)
                .collect(),
            retried: self.retried.take(),
            latency,
            users: self.users.take(),
            answers: Answers::default(),
        }
    }
}

impl Tally {
    /// Notes what the request is for, as the service is asked.
    pub(crate) fn asks_for(&mut self, method: &str, path: &str) {
        let coverage = self.cell.coverage.as_ref();
        self.asks_for = coverage.map(|coverage| coverage.row(method, path));
    }

    /// Notes that a try has failed in a way that only another one can hide.
    pub(crate) fn note_retry(&mut self) {
        self.is_retried = true;
    }

    /// The latency of a request whose caller left says nothing about the service and is left out.
    pub(crate) fn end(&mut self, outcome: Outcome, now: Instant) {
        let latency = now.duration_since(self.started);
        self.end_with(outcome, (outcome != Outcome::Cancelled).then_some(latency));
    }

    /// Where something else than the time to the end is the latency, or nothing.
    pub(crate) fn end_with(&mut self, outcome: Outcome, latency: Option<Duration>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Some(row) = &self.asks_for {
            row.count(self.arm, outcome, self.is_copy);
        }
        let ended = Ended {
            arm: self.arm,
            outcome,
            is_retried: self.is_retried,
            latency,
        };
        match &self.twin {
            None => self.cell.add(ended),
            Some(twin) => match twin.take() {
                None => twin.set(Some(ended)),
                Some(first) => self.cell.add_pair([first, ended]),
            },
        }
        if let Some((users, user)) = self.cell.users.as_ref().zip(self.user) {
            let mut news = self.cell.arms[self.arm].users.borrow_mut();
            match outcome {
                // Whoever left was neither served nor failed.
                Outcome::Cancelled => {}
                _ if outcome.is_failure() => {
                    news.failed.extend(users.failed(user).then_some(user));
                }
                _ => news
                    .served
                    .extend(users.served(user, self.arm).then_some(user)),
            }
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Outcome::Cancelled, clock::now());
        }
    }
}

/// The weight that a cell's counts are evidence under.
fn weight_of(target: &Target, kind: Kind) -> u32 {
    match kind {
        Kind::Mirrored => 1,
        _ => target.weight,
    }
}

fn increment(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

/// One report out of those of all workers.
pub(crate) fn merge(reports: impl IntoIterator<Item = Observations>) -> Vec<Observations> {
    type Key = (String, Kind, Vec<(String, u32)>);
    let mut nodes: BTreeMap<String, BTreeMap<Key, observe::Cell>> = BTreeMap::new();
    for Observations { node, cells } in reports {
        let merged = nodes.entry(node).or_default();
        for cell in cells {
            let arms = cell
                .arms
                .iter()
                .map(|arm| (arm.name.clone(), arm.weight))
                .collect();
            match merged.entry((cell.split.clone(), cell.kind, arms)) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(cell);
                }
                std::collections::btree_map::Entry::Occupied(mut entry) => {
                    for (sum, arm) in entry.get_mut().arms.iter_mut().zip(&cell.arms) {
                        add(sum, arm);
                    }
                }
            }
        }
    }
    nodes
        .into_iter()
        .map(|(node, cells)| Observations {
            node,
            cells: cells.into_values().collect(),
        })
        .collect()
}

pub(crate) fn add(sum: &mut observe::Arm, arm: &observe::Arm) {
    sum.routed += arm.routed;
    sum.retried += arm.retried;
    sum.latency.merge(&arm.latency);
    for (&outcome, &count) in &arm.outcomes {
        *sum.outcomes.entry(outcome).or_default() += count;
    }
    sum.users.served.extend(&arm.users.served);
    sum.users.failed.extend(&arm.users.failed);
    sum.answers.merge(arm.answers.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(canary: u32) -> Split {
        let target = |arm: &str, weight| view::Target {
            arm: arm.into(),
            cluster: 0,
            weight,
        };
        let split = view::Split {
            id: "s".into(),
            targets: vec![target("stable", 100 - canary), target("canary", canary)],
        };
        Split::new(&split, &view::Traffic::default())
    }

    #[test]
    fn outcomes_have_their_own_place() {
        assert!(
            OUTCOMES
                .iter()
                .enumerate()
                .all(|(index, &outcome)| outcome as usize == index)
        );
    }

    #[test]
    fn a_request_counts_under_the_weights_it_was_drawn_from_however_late_it_ends() {
        let counters = Counters::default();
        let start = clock::now();
        let mut request = counters
            .cell("n", &split(5), Kind::Drawn)
            .count(1, None, start);
        let _in_force = counters.cell("n", &split(50), Kind::Drawn);

        let first = counters.report();
        assert_eq!(first[0].cells.len(), 1, "an empty cell is not reported");
        assert_eq!(
            (
                first[0].cells[0].arms[1].weight,
                first[0].cells[0].arms[1].routed
            ),
            (5, 1)
        );
        assert_eq!(first[0].cells[0].arms[1].outcomes, BTreeMap::new());

        request.end(Outcome::Success, start + Duration::from_millis(2));
        drop(request);
        let second = counters.report();
        let arm = &second[0].cells[0].arms[1];
        assert_eq!(
            (arm.weight, arm.routed, arm.outcomes[&Outcome::Success]),
            (5, 0, 1)
        );
        assert_eq!(arm.latency.count(), 1);

        assert_eq!(counters.report(), vec![]);
        assert_eq!(
            counters
                .cells
                .borrow()
                .values()
                .map(Vec::len)
                .sum::<usize>(),
            1,
            "the past cell is gone, the present one stays"
        );
    }

    #[test]
    fn a_request_that_was_tried_again_counts_as_that_once_unless_it_failed() {
        let counters = Counters::default();
        let cell = counters.cell("n", &split(5), Kind::Drawn);
        for outcome in OUTCOMES {
            let mut request = cell.count(1, None, clock::now());
            request.note_retry();
            request.note_retry();
            request.end(outcome, clock::now());
        }
        cell.count(1, None, clock::now())
            .end(Outcome::Success, clock::now());
        let reports = [counters.report(), counters.report()].concat();
        let arm = &merge([reports.clone(), reports].concat())[0].cells[0].arms[1];
        let hidden = OUTCOMES.iter().filter(|outcome| !outcome.is_failure());
        assert_eq!(arm.retried, 2 * hidden.count() as u64);
        assert_eq!(arm.outcomes.values().sum::<u64>(), 2 * 9);
    }

    #[test]
    fn a_request_that_is_dropped_was_cancelled() {
        let counters = Counters::default();
        drop(
            counters
                .cell("n", &split(5), Kind::Drawn)
                .count(0, None, clock::now()),
        );
        let arm = &counters.report()[0].cells[0].arms[0];
        assert_eq!(
            (arm.outcomes[&Outcome::Cancelled], arm.latency.count()),
            (1, 0)
        );
    }

    #[test]
    fn workers_add_up_by_node_split_and_weights() {
        let report = |canary| {
            let counters = Counters::default();
            let cell = counters.cell("n", &split(canary), Kind::Drawn);
            cell.count(0, None, clock::now())
                .end(Outcome::ServerError, clock::now());
            counters.report()
        };
        let merged = merge([report(5), report(5), report(50)].concat());
        assert_eq!(merged.len(), 1);
        let routed: Vec<_> = merged[0]
            .cells
            .iter()
            .map(|cell| (cell.arms[1].weight, cell.arms[0].routed))
            .collect();
        assert_eq!(routed, [(50, 1), (5, 2)]);
        assert_eq!(
            merged[0].cells[1].arms[0].outcomes[&Outcome::ServerError],
            2
        );
        assert_eq!(merged[0].cells[1].arms[0].latency.count(), 2);
    }

    #[test]
    fn a_user_is_told_once_whatever_the_weights_are() {
        let counters = Counters::default();
        let now = clock::now();
        let cell = |canary| counters.cell("n", &split(canary), Kind::Kept);
        let (before, after) = (cell(5), cell(50));
        for (cell, user, outcome) in [
            (&before, 7, Outcome::Timeout),
            (&after, 7, Outcome::Reset),
            (&after, 8, Outcome::Success),
            (&before, 8, Outcome::ClientError),
            (&after, 9, Outcome::ServerError),
            (&before, 10, Outcome::Cancelled),
        ] {
            cell.count(1, Some(user), now).end(outcome, now);
        }
        let report = counters.report();
        let users = [0, 1].map(|cell: usize| &report[0].cells[cell].arms[1].users);
        let expected = |served: &[u64], failed: &[u64]| observe::Users {
            served: served.to_vec(),
            failed: failed.to_vec(),
        };
        assert_eq!(users, [&expected(&[], &[7]), &expected(&[8], &[9])]);
    }

    #[test]
    fn pinned_requests_have_a_cell_of_their_own() {
        let counters = Counters::default();
        let cells = [Kind::Drawn, Kind::Pinned].map(|kind| counters.cell("n", &split(5), kind));
        for cell in &cells {
            cell.count(1, None, clock::now())
                .end(Outcome::Success, clock::now());
        }
        let kinds = merge(counters.report())[0]
            .cells
            .iter()
            .map(|cell| (cell.kind, cell.arms[1].routed))
            .collect::<Vec<_>>();
        assert_eq!(kinds, [(Kind::Drawn, 1), (Kind::Pinned, 1)]);
    }

    #[test]
    fn a_mirrored_pair_counts_when_both_have_ended_and_for_nothing_if_one_was_given_up() {
        let counters = Counters::default();
        let cell = counters.cell("n", &split(5), Kind::Mirrored);
        let now = clock::now();
        let [mut primary, mut copy] = cell.count_pair([0, 1], now);
        primary.end(Outcome::Success, now);
        assert_eq!(counters.report()[0].cells[0].arms[0].outcomes, [].into());
        copy.end(Outcome::Timeout, now);
        let outcomes = |arms: &[observe::Arm]| [0, 1].map(|arm: usize| arms[arm].outcomes.clone());
        let arms = &counters.report()[0].cells[0].arms;
        assert_eq!(
            outcomes(arms),
            [
                [(Outcome::Success, 1)].into(),
                [(Outcome::Timeout, 1)].into()
            ]
        );
        assert_eq!([arms[0].weight, arms[1].weight], [1, 1]);

        let [primary, mut copy] = cell.count_pair([1, 0], now);
        drop(primary);
        copy.note_retry();
        copy.end(Outcome::Timeout, now);
        let arms = &counters.report()[0].cells[0].arms;
        let cancelled = || [(Outcome::Cancelled, 1)].into();
        assert_eq!(outcomes(arms), [cancelled(), cancelled()]);
        assert_eq!([arms[0].retried, arms[1].retried], [0, 0]);

        let [mut primary, mut copy] = cell.count_pair([1, 0], now);
        primary.note_retry();
        primary.end(Outcome::Success, now);
        copy.end(Outcome::Success, now);
        let arms = &counters.report()[0].cells[0].arms;
        assert_eq!([arms[0].retried, arms[1].retried], [0, 1]);
    }
}
