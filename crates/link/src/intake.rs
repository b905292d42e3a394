//! The server's side of the reports: which ones of a proxy came, and up to which one all are kept for good.
//!
//! A proxy repeats on a new stream what was not taken on the last one; each number counts once. A server
//! that begins anew knows no numbers and takes whatever comes first: what its journals hold already is told
//! from what they do not by the numbers written down beside the evidence.

use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub struct Intake {
    received: u64,
    /// Received, but evidence of a release that is not in its journal yet.
    outstanding: BTreeSet<u64>,
}

impl Intake {
    /// Whether the report of this number is new; then it is outstanding until it is settled.
    pub fn receive(&mut self, number: u64) -> bool {
        let is_new = number > self.received;
        if is_new {
            self.received = number;
            self.outstanding.insert(number);
        }
        is_new
    }

    pub fn settle(&mut self, number: u64) {
        self.outstanding.remove(&number);
    }

    /// All up to this one are settled.
    pub fn taken(&self) -> u64 {
        match self.outstanding.first() {
            Some(first) => first - 1,
            None => self.received,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outbox;
    use proptest::prelude::*;
    use view::observe::Cell;

    #[derive(Clone, Debug)]
    enum Event {
        Count,
        Deliver,
        Settle(usize),
        Receipt,
        /// The stream breaks and a new one begins.
        Reconnect,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            4 => Just(Event::Count),
            4 => Just(Event::Deliver),
            4 => (0usize..8).prop_map(Event::Settle),
            2 => Just(Event::Receipt),
            1 => Just(Event::Reconnect),
        ]
    }

    fn cell() -> Cell {
        Cell {
            split: "s".into(),
            kind: Default::default(),
            arms: Vec::new(),
        }
    }

    proptest! {
        /// However often the stream breaks, every report is counted once, and none is forgotten before it is
        /// settled.
        #[test]
        fn reports_are_neither_lost_nor_counted_twice(events in proptest::collection::vec(event(), 0..200)) {
            let (mut outbox, mut intake) = (Outbox::default(), Intake::default());
            let (mut made, mut wire) = (0, std::collections::VecDeque::new());
            let (mut counted, mut settled) = (Vec::new(), BTreeSet::new());
            let deliver = |wire: &mut std::collections::VecDeque<u64>, intake: &mut Intake, counted: &mut Vec<u64>| {
                if let Some(number) = wire.pop_front() && intake.receive(number) {
                    counted.push(number);
                }
            };
            for event in events {
                match event {
                    Event::Count if outbox.has_room() => {
                        made += 1;
                        wire.push_back(outbox.put(vec![cell()]).unwrap().number);
                    }
                    Event::Count => {}
                    Event::Deliver => deliver(&mut wire, &mut intake, &mut counted),
                    Event::Settle(which) => {
                        let waiting: Vec<u64> = counted.iter().copied().filter(|number| !settled.contains(number)).collect();
                        if let Some(number) = waiting.get(which) {
                            settled.insert(*number);
                            intake.settle(*number);
                        }
                    }
                    Event::Receipt => outbox.taken(intake.taken()),
                    Event::Reconnect => wire = outbox.untaken().map(|report| report.number).collect(),
                }
                let kept: BTreeSet<u64> = outbox.untaken().map(|report| report.number).collect();
                prop_assert!((1..=made).all(|number| settled.contains(&number) || kept.contains(&number)));
            }
            wire = outbox.untaken().map(|report| report.number).collect();
            while !wire.is_empty() {
                deliver(&mut wire, &mut intake, &mut counted);
            }
            prop_assert_eq!(counted, (1..=made).collect::<Vec<_>>());
        }
    }
}
