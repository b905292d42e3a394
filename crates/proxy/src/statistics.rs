//! What a data plane has counted since its start, for those who only look.
//!
//! Reports take increments away from the workers; whoever looks must not, so what a look found is kept for
//! the next report.

use std::collections::BTreeMap;

use view::observe::answers::Answers;
use view::observe::{Arm, Kind, Observations, Users};

use crate::counters;

/// Everything at one moment.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    pub arms: Vec<ArmStatistics>,
    pub workers: Vec<WorkerStatistics>,
}

impl Statistics {
    /// The sum over all workers.
    pub fn of_workers(&self, count: fn(&WorkerStatistics) -> u64) -> u64 {
        self.workers.iter().map(count).sum()
    }
}

/// One target of one split, over all weights it has had; its weight is the last one that it was drawn by.
#[derive(Clone, Debug)]
pub struct ArmStatistics {
    pub node: String,
    pub split: String,
    pub arm: Arm,
}

#[derive(Clone, Debug, Default)]
pub struct WorkerStatistics {
    /// Client connections.
    pub connections: usize,
    /// Closed as soon as they were accepted, as there were as many as there may be. This and what follows
    /// since the start.
    pub shed_connections: u64,
    /// Answered with 503 for the same reason.
    pub shed_requests: u64,
    /// Requests whose bodies were too long.
    pub shed_bodies: u64,
    /// Requests that were not mirrored because too many copies were under way.
    pub dropped_copies: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counted {
    /// By node, split and arm.
    total: BTreeMap<(String, String, String), Arm>,
    /// Taken from the workers, and not reported yet.
    unreported: Vec<Observations>,
}

impl Counted {
    /// What the workers had.
    pub(crate) fn add(&mut self, fresh: Vec<Observations>) {
        self.add_to_total(&fresh);
        let unreported = std::mem::take(&mut self.unreported);
        self.unreported = match unreported.is_empty() {
            true => fresh,
            false => counters::merge(unreported.into_iter().chain(fresh)),
        };
    }

    /// What no report has told yet.
    pub(crate) fn report(&mut self) -> Vec<Observations> {
        std::mem::take(&mut self.unreported)
    }

    pub(crate) fn totals(&self) -> Vec<ArmStatistics> {
        let total = self.total.iter();
        total
            .map(|((node, split, _), arm)| ArmStatistics {
                node: node.clone(),
                split: split.clone(),
                arm: arm.clone(),
            })
            .collect()
    }

    fn add_to_total(&mut self, fresh: &[Observations]) {
        for Observations { node, cells } in fresh {
            for cell in cells {
                for arm in &cell.arms {
                    let key = (node.clone(), cell.split.clone(), arm.name.clone());
                    let total = self.total.entry(key).or_insert_with(|| Arm {
                        name: arm.name.clone(),
                        ..Arm::default()
                    });
                    counters::add(total, arm);
                    if cell.kind != Kind::Mirrored {
                        total.weight = arm.weight;
                    }
                    // Told for releases; as totals they would only grow.
                    total.users = Users::default();
                    total.answers = Answers::default();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use view::observe::{Cell, Outcome};

    fn counted(weight: u32, requests: u64) -> Vec<Observations> {
        let arm = Arm {
            name: "a".into(),
            weight,
            routed: requests,
            outcomes: BTreeMap::from([(Outcome::Success, requests)]),
            ..Arm::default()
        };
        let cell = Cell {
            split: "s".into(),
            kind: Kind::default(),
            arms: vec![arm],
        };
        vec![Observations {
            node: "n".into(),
            cells: vec![cell],
        }]
    }

    #[test]
    fn a_look_takes_nothing_from_the_next_report() {
        let mut all = Counted::default();
        all.add(counted(1, 5));
        assert_eq!(all.report(), counted(1, 5));
        all.add(counted(1, 3));
        assert_eq!(all.totals()[0].arm.routed, 8);
        all.add(counted(1, 2));
        assert_eq!(all.totals()[0].arm.routed, 10);
        assert_eq!(all.report(), counted(1, 5));
        assert_eq!(all.report(), Vec::new());
    }

    #[test]
    fn totals_are_over_all_weights() {
        let mut all = Counted::default();
        all.add(counted(1, 5));
        all.add(counted(2, 5));
        let seen = all.totals();
        assert_eq!(
            (seen.len(), seen[0].arm.routed, seen[0].arm.weight),
            (1, 10, 2)
        );
    }
}
