//! Whole releases of a healthy canary, request by request.

use std::collections::BTreeMap;

use fastrand::Rng;
use view::observe::answers::{Case, Class};

use super::*;
use crate::coverage::Row;
use crate::journal::{Event, Record};
use crate::testing::{admitted, at, calm, happen, percent, request};

/// Requests a second.
const RATE: u64 = 200;

/// So many cases that are asked for once in a thousand requests; the rest is one.
const RARE: u64 = 100;

struct Run {
    state: State,
    seconds: i64,
    shares: Vec<u16>,
    records: Vec<Record>,
}

fn case(index: u64) -> Case {
    let letter = |digit: u64| char::from_u32(0x61 + digit as u32).unwrap_or('z');
    Case {
        method: "GET".to_owned(),
        path: Some(format!("/{}/{}", letter(index / 10), letter(index % 10))),
        class: Class::Success,
    }
}

/// Lives through a release until it is decided; `rare` of the cases above exist.
fn release(mode: Mode, wanted: Share, rare: u64, seed: u64) -> Run {
    let policy = crate::Policy::Auto {
        mode,
        max_share: percent(50),
    };
    let mut state = admitted(policy.clone());
    state.request.limits.coverage = wanted;
    let mut asked = request(policy);
    asked.limits.coverage = wanted;
    let before = [
        Event::Requested {
            request: Box::new(asked),
        },
        Event::Built {
            version: crate::testing::version("epoch"),
        },
        Event::Joined {
            virtual_node: "crystal-sd-epoch".to_owned(),
        },
        Event::TasksStarted,
        Event::TasksHealthy,
    ];
    let mut records: Vec<Record> = before.map(|event| Record { at: at(0), event }).into();
    let mut rng = Rng::with_seed(seed);
    let mut shares = Vec::new();
    for second in 0..3600 {
        let world = World {
            rate: RATE as f64,
            ..calm()
        };
        let Plan {
            step,
            why: reason,
            seen,
        } = super::super::plan(&state, &world, at(second));
        let event = match step {
            Step::SetShare(share) => {
                shares.push(share.basis_points());
                Some(Event::ShareSet {
                    share,
                    reason,
                    seen,
                })
            }
            Step::Decide(ending) => Some(Event::Decided {
                ending,
                reason,
                seen,
            }),
            _ => None,
        };
        let events = event
            .into_iter()
            .chain(traffic(&mut rng, state.share, rare));
        for event in events {
            records.push(Record {
                at: at(second),
                event: event.clone(),
            });
            happen(&mut state, second, event);
            if state.decided.is_some() {
                return Run {
                    state,
                    seconds: second,
                    shares,
                    records,
                };
            }
        }
    }
    panic!(
        "seed {seed} was not decided within an hour: {}",
        state.verdict().sentence
    );
}

/// One second of it.
fn traffic(rng: &mut Rng, share: Share, rare: u64) -> [Event; 2] {
    let mut rows: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let (mut of_canary, mut of_stable) = (0, 0);
    for _ in 0..RATE {
        let index = rng.u64(..1000);
        let row = rows
            .entry(if index < rare { index } else { RARE })
            .or_default();
        if rng.u16(..10_000) < share.basis_points() {
            row.1 += 1;
            of_canary += 1;
        } else {
            row.0 += 1;
            of_stable += 1;
        }
    }
    let rows = rows.into_iter();
    let rows = rows.map(|(index, (stable, canary))| Row {
        case: case(index),
        stable,
        canary,
    });
    [
        crate::testing::observed(share, (of_canary, 0), (of_stable, 0)),
        Event::Covered {
            rows: rows.collect(),
        },
    ]
}

fn covered(run: &Run) -> f64 {
    run.state.coverage.mix().unwrap().covered()
}

fn is_promoted(run: &Run) -> bool {
    run.state.decided.as_ref().map(|decided| decided.ending) == Some(Ending::Promote)
}

#[test]
fn coverage_is_reached_before_a_promotion_which_other_modes_do_not_wait_for() {
    let wanted = percent(99);
    let mut missed = 0;
    for seed in 0..12 {
        let run = release(Mode::Coverage, wanted, RARE, seed);
        assert!(is_promoted(&run), "seed {seed}");
        assert!(covered(&run) >= 0.99, "seed {seed}: {}", covered(&run));
        assert!(
            *run.shares.last().unwrap() > 500,
            "seed {seed}: {:?}",
            run.shares
        );
        assert!(run.seconds < 300, "seed {seed}: {} s", run.seconds);
        let balanced = release(Mode::Balanced, wanted, RARE, seed);
        assert!(is_promoted(&balanced));
        missed += usize::from(covered(&balanced) < 0.99);
    }
    assert!(
        missed >= 10,
        "{missed} of 12 balanced releases promoted what they had not tried"
    );
}

#[test]
fn the_share_stays_small_where_coverage_comes_by_itself() {
    let run = release(Mode::Coverage, percent(99), 5, 1);
    assert!(is_promoted(&run) && covered(&run) >= 0.99);
    assert!(
        run.shares.iter().all(|&share| share <= 500),
        "{:?}",
        run.shares
    );
}

#[test]
fn decisions_by_coverage_are_computed_again_from_the_journal() {
    let run = release(Mode::Coverage, percent(99), RARE, 7);
    let written = serde_json::to_string(&run.records).unwrap();
    let read: Vec<Record> = serde_json::from_str(&written).unwrap();
    let decisions = crate::replay(read.clone());
    assert!(decisions.len() > 3 && decisions.iter().all(crate::Decision::is_same));
    let untried = read
        .into_iter()
        .filter(|record| !matches!(record.event, Event::Covered { .. }));
    assert!(!crate::replay(untried).iter().all(crate::Decision::is_same));
}

#[test]
fn a_certified_canary_waits_for_what_it_has_not_served_and_says_so() {
    let mut state = admitted(crate::Policy::Auto {
        mode: Mode::Coverage,
        max_share: percent(5),
    });
    let share = percent(5);
    happen(
        &mut state,
        0,
        Event::ShareSet {
            share,
            reason: String::new(),
            seen: None,
        },
    );
    happen(
        &mut state,
        1,
        crate::testing::observed(share, (4000, 0), (76_000, 0)),
    );
    let words = |state: &State| super::super::plan(state, &calm(), at(9)).why;
    assert_eq!(
        words(&state),
        "good enough, but nothing is known of production's mix yet"
    );
    let rows = [(1, 900, 40), (2, 100, 0)];
    let rows = rows.map(|(index, stable, canary)| Row {
        case: case(index),
        stable,
        canary,
    });
    happen(
        &mut state,
        9,
        Event::Covered {
            rows: rows.to_vec(),
        },
    );
    assert_eq!(
        words(&state),
        "good enough, but covers 90 % of production's mix; not yet: GET /a/c (10 %); 95 % are wanted"
    );
    let last = Row {
        case: case(2),
        stable: 0,
        canary: 1,
    };
    happen(&mut state, 9, Event::Covered { rows: vec![last] });
    let plan = super::super::plan(&state, &calm(), at(9));
    assert_eq!(plan.step, Step::Decide(Ending::Promote));
}

#[test]
fn what_is_rare_needs_a_larger_share_where_traffic_is_low() {
    let share = |rarest, rate| share_to_meet(rarest, rate).get();
    assert_eq!(share(0.04, 100.0), 500);
    assert_eq!(share(0.004, 100.0), 1500);
    assert_eq!(share(0.001, 100.0), 5000);
    assert_eq!([share(0.001, 1.0), share(0.1, 0.0)], [10_000, 10_000]);
}
