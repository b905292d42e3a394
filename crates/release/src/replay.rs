//! A release's decisions, computed again from its journal.
//!
//! Before each change of share and each decision the state is what the events before it make it, and what the
//! planner saw of the world stands in the event. So the plan can be had again, and must be the one that was
//! carried out: the same step for the same reason, whose numbers come from the same bits.

use crate::journal::{Event, Record, Seen};
use crate::planner::{Plan, Step, plan};
use crate::state::State;
use model::Timestamp;

/// One decision, as it was and as it comes out again.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub at: Timestamp,
    pub step: Step,
    pub why: String,
    pub again: Plan,
    /// The evidence against the canary at that time, as a natural logarithm.
    pub log_evidence: f64,
}

impl Decision {
    pub fn is_same(&self) -> bool {
        self.again.step == self.step && self.again.why == self.why
    }
}

/// Every decision of a journal that tells what it was made by, oldest first.
pub fn replay(records: impl IntoIterator<Item = Record>) -> Vec<Decision> {
    let mut records = records.into_iter();
    let mut decisions = Vec::new();
    let Some(Record {
        at,
        event: Event::Requested { request },
    }) = records.next()
    else {
        return decisions;
    };
    let mut state = State::requested(*request, at);
    for record in records {
        if let Some((step, why, seen)) = decided(&record.event) {
            decisions.push(Decision {
                at: record.at,
                step,
                why: why.to_owned(),
                again: plan(&state, &seen.world, seen.now),
                log_evidence: state.verdict().evidence.log_e,
            });
        }
        state.apply(&record);
    }
    decisions
}

fn decided(event: &Event) -> Option<(Step, &str, &Seen)> {
    match event {
        Event::ShareSet {
            share,
            reason,
            seen,
        } => Some((Step::SetShare(*share), reason, seen.as_ref()?)),
        Event::Decided {
            ending,
            reason,
            seen,
        } => Some((Step::Decide(*ending), reason, seen.as_ref()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::replay;
    use crate::journal::{Event, Record};
    use crate::planner::{Plan, Step, World, plan};
    use crate::state::State;
    use crate::testing::{at, auto, calm, observed, percent, request, version};

    /// Lives through a release with a canary that begins well and then fails a third of its requests.
    fn journal() -> Vec<Record> {
        let request = request(auto());
        let mut state = State::requested(request.clone(), at(0));
        let request = Box::new(request);
        let mut records = vec![Record {
            at: at(0),
            event: Event::Requested { request },
        }];
        let mut happen = |state: &mut State, second, event| {
            let record = Record {
                at: at(second),
                event,
            };
            state.apply(&record);
            records.push(record);
        };
        let version = version("epoch");
        happen(&mut state, 0, Event::Built { version });
        let virtual_node = "crystal-sd-epoch".to_owned();
        happen(&mut state, 0, Event::Joined { virtual_node });
        happen(&mut state, 0, Event::TasksStarted);
        happen(&mut state, 1, Event::TasksHealthy);
        let world = World {
            rate: 100.0 / 3.0,
            ..calm()
        };
        for second in 2..30 {
            let Plan { step, why, seen } = plan(&state, &world, at(second));
            match step {
                Step::SetShare(share) => happen(
                    &mut state,
                    second,
                    Event::ShareSet {
                        share,
                        reason: why,
                        seen,
                    },
                ),
                Step::Decide(ending) => {
                    happen(
                        &mut state,
                        second,
                        Event::Decided {
                            ending,
                            reason: why,
                            seen,
                        },
                    );
                    break;
                }
                _ => {}
            }
            let (share, failures) = (state.share, u64::from(second > 5));
            happen(&mut state, second, observed(share, (2, failures), (30, 0)));
        }
        records
    }

    #[test]
    fn a_journal_read_back_gives_the_same_decisions() {
        let written = serde_json::to_string(&journal()).unwrap();
        let read: Vec<Record> = serde_json::from_str(&written).unwrap();
        let decisions = replay(read);
        assert!(decisions.len() >= 3, "{decisions:?}");
        assert!(
            decisions.iter().all(super::Decision::is_same),
            "{decisions:?}"
        );
        assert!(matches!(decisions.last().unwrap().step, Step::Decide(_)));
    }

    #[test]
    fn a_journal_that_was_tampered_with_gives_others() {
        let mut records = journal();
        let observed_first = records
            .iter()
            .position(|record| matches!(record.event, Event::Observed { .. }))
            .unwrap();
        records[observed_first].event = observed(percent(10), (2, 0), (20, 10));
        assert!(!replay(records).iter().all(super::Decision::is_same));
    }
}
