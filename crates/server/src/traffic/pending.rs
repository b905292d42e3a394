//! Counts that wait to become evidence, and where they came from.
//!
//! What this process counted is written down whenever the release comes to it. A remote proxy keeps its
//! reports until they are written down: every cell holds its report's [`Receipt`], and the last one to let go
//! of it says so. A release that goes on after a crash knows from its journal which reports it has.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use judge::Batch;
use link::Intake;
use tokio::sync::watch;
use view::observe::Cell;

/// Counts that nobody has judged yet are forgotten beyond this many sets of weights in force.
const MOST_PENDING: usize = 256;

/// Says that a report is needed no more, when the last of its cells is settled.
#[derive(Debug)]
pub(crate) struct Receipt {
    pub(crate) number: u64,
    /// The proxy's.
    pub(crate) intake: Arc<watch::Sender<Intake>>,
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.intake.send_modify(|intake| intake.settle(self.number));
    }
}

/// The report that a cell came with.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The proxy.
    pub(crate) instance: String,
    pub(crate) receipt: Arc<Receipt>,
}

#[derive(Debug)]
pub(super) struct Pending {
    pub(super) cell: Cell,
    /// None for what this process counted.
    pub(super) origin: Option<Origin>,
}

/// The cells of one split, oldest first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    cells: VecDeque<Pending>,
    /// Where a release judges the split: the last report of each proxy that its journal holds.
    judged: Option<BTreeMap<String, u64>>,
}

/// What a release takes. Reports are settled when it is dropped.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) batch: Batch,
    /// The last report of each remote proxy in it.
    pub(crate) reports: BTreeMap<String, u64>,
    pub(super) cells: VecDeque<Pending>,
}

impl Queue {
    /// A release judges the split from now on, and has these reports already.
    pub(super) fn judge(&mut self, reports: &BTreeMap<String, u64>) {
        self.judged = Some(reports.clone());
        let cells = std::mem::take(&mut self.cells);
        self.cells.extend(
            cells
                .into_iter()
                .filter(|pending| !pending.is_among(reports)),
        );
    }

    pub(super) fn is_judged(&self) -> bool {
        self.judged.is_some()
    }

    pub(super) fn push(&mut self, mut pending: Pending) {
        match &self.judged {
            Some(reports) if pending.is_among(reports) => return,
            Some(_) => {}
            // Nobody will write it down, so nobody need wait for that.
            None => pending.origin = None,
        }
        self.cells.push_back(pending);
        if self.judged.is_none() && self.cells.len() > MOST_PENDING {
            self.cells.pop_front();
        }
    }

    /// What is handed out counts no more if it comes again: from a proxy that never read the receipt, and was
    /// away for so long that nobody remembers its numbers.
    pub(super) fn take(&mut self) -> VecDeque<Pending> {
        if let Some(judged) = &mut self.judged {
            for (instance, number) in reports_of(&self.cells) {
                let last = judged.entry(instance).or_default();
                *last = number.max(*last);
            }
        }
        std::mem::take(&mut self.cells)
    }

    /// Puts back what a release could not write down. What this process counted goes, as in a crash: it may
    /// have been written down, and would count twice.
    pub(super) fn give_back(&mut self, cells: VecDeque<Pending>) {
        let remote = cells.into_iter().filter(|pending| pending.origin.is_some());
        let newer = std::mem::take(&mut self.cells);
        self.cells.extend(remote.chain(newer));
    }
}

impl Pending {
    fn is_among(&self, reports: &BTreeMap<String, u64>) -> bool {
        let origin = self.origin.as_ref();
        origin.is_some_and(|origin| reports.get(&origin.instance) >= Some(&origin.receipt.number))
    }
}

/// The last report of each proxy.
pub(super) fn reports_of(cells: &VecDeque<Pending>) -> BTreeMap<String, u64> {
    let mut reports = BTreeMap::new();
    for origin in cells.iter().filter_map(|pending| pending.origin.as_ref()) {
        let last = reports.entry(origin.instance.clone()).or_default();
        *last = origin.receipt.number.max(*last);
    }
    reports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Proxy(Arc<watch::Sender<Intake>>);

    impl Proxy {
        fn report(&self, number: u64) -> Pending {
            self.0.send_modify(|intake| {
                intake.receive(number);
            });
            let receipt = Receipt {
                number,
                intake: Arc::clone(&self.0),
            };
            Pending {
                cell: Cell {
                    split: "s".into(),
                    kind: Default::default(),
                    arms: Vec::new(),
                },
                origin: Some(Origin {
                    instance: "p".into(),
                    receipt: Arc::new(receipt),
                }),
            }
        }

        fn taken(&self) -> u64 {
            self.0.borrow().taken()
        }
    }

    #[test]
    fn a_report_that_is_judged_is_settled_when_its_evidence_is_dropped() {
        let (mut queue, proxy) = (Queue::default(), Proxy::default());
        queue.judge(&BTreeMap::new());
        queue.push(proxy.report(1));
        let taken = queue.take();
        assert_eq!((reports_of(&taken)["p"], proxy.taken()), (1, 0));
        drop(taken);
        assert_eq!(proxy.taken(), 1);
    }

    #[test]
    fn a_report_that_was_handed_out_counts_once_though_its_numbers_are_forgotten() {
        let (mut queue, proxy) = (Queue::default(), Proxy::default());
        queue.judge(&BTreeMap::new());
        queue.push(proxy.report(1));
        drop(queue.take());
        let again = Proxy::default();
        queue.push(again.report(1));
        queue.push(again.report(2));
        let taken = queue.take();
        assert_eq!((taken.len(), reports_of(&taken)["p"]), (1, 2));
        drop(taken);
        assert_eq!(again.taken(), 2);
    }

    #[test]
    fn only_what_nobody_judges_is_forgotten_beyond_the_limit() {
        let (mut queue, proxy) = (Queue::default(), Proxy::default());
        let numbers = 1..=MOST_PENDING as u64 + 10;
        for number in numbers.clone() {
            queue.push(proxy.report(number));
        }
        assert_eq!(queue.take().len(), MOST_PENDING);
        queue.judge(&BTreeMap::new());
        for number in numbers.clone() {
            queue.push(proxy.report(number));
        }
        assert_eq!(queue.take().len() as u64, *numbers.end());
    }

    #[test]
    fn a_report_that_nobody_judges_is_settled_at_once() {
        let (mut queue, proxy) = (Queue::default(), Proxy::default());
        queue.push(proxy.report(1));
        assert_eq!(proxy.taken(), 1);
    }

    #[test]
    fn a_report_that_the_journal_holds_counts_no_more() {
        let (mut queue, proxy) = (Queue::default(), Proxy::default());
        queue.judge(&BTreeMap::from([("p".into(), 4)]));
        queue.push(proxy.report(4));
        queue.push(proxy.report(5));
        assert_eq!(proxy.taken(), 4);
        assert_eq!(reports_of(&queue.take()), BTreeMap::from([("p".into(), 5)]));
    }

    #[test]
    fn what_could_not_be_written_down_is_taken_again_but_for_what_was_after_all() {
        let (mut queue, proxy) = (Queue::default(), Proxy::default());
        queue.judge(&BTreeMap::new());
        for number in [1, 2] {
            queue.push(proxy.report(number));
        }
        let taken = queue.take();
        queue.push(proxy.report(3));
        queue.give_back(taken);
        assert_eq!(proxy.taken(), 0);
        queue.judge(&BTreeMap::from([("p".into(), 1)]));
        let numbers: Vec<u64> = queue
            .take()
            .iter()
            .map(|pending| pending.origin.as_ref().unwrap().receipt.number)
            .collect();
        assert_eq!(numbers, [2, 3]);
    }
}
