use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::{Bets, Resources, Used, Window};
use crate::{Arm, Batch, Config, Decision, Level, Settings, Share, State, Tally};

const MIB: u64 = 1 << 20;

fn used(requests: u64, millis: u64, mib: u64) -> Used {
    Used {
        tasks: 3,
        requests,
        processor: Duration::from_millis(millis),
        memory: 3 * mib * MIB,
    }
}

/// 2 s at half of 200 requests a second.
fn window(canary: Used, stable: Used) -> Window {
    Window {
        length: Window::LENGTH,
        canary,
        stable,
    }
}

fn batch(window: Window) -> Batch {
    Batch {
        resources: Some(window),
        ..Batch::default()
    }
}

/// How many such windows it takes to roll back.
fn windows_until_rolled_back(state: &mut State, next: Window) -> u64 {
    let mut windows = 0;
    while state.decision() != Decision::RollBack && windows < 100 {
        windows += 1;
        state.absorb(&Config::default(), &batch(next));
    }
    windows
}

proptest! {
    /// Whatever a task takes when idle and a request takes on top, and however tasks and requests are shared out.
    #[test]
    fn equal_versions_are_never_found_to_differ(
        tasks in [1..20_u64, 1..20_u64],
        stable_requests in 20..100_000_u64,
        canary_part in 0.0002..2.0_f64,
        idle_micros in 0..1_000_000_u64,
        request_micros in 0..100_000_u64,
        idle_memory in 0..1_000 * MIB,
        request_memory in 0..MIB,
    ) {
        let canary_requests = (stable_requests as f64 * canary_part) as u64;
        let uses = |tasks: u64, requests: u64| Used {
            tasks,
            requests,
            processor: Duration::from_micros(tasks * idle_micros + requests * request_micros),
            memory: tasks * idle_memory + requests * request_memory,
        };
        let canary = uses(tasks[0], canary_requests.max(Window::REQUESTS));
        let mut resources = Resources::default();
        resources.absorb(0.0, &window(canary, uses(tasks[1], stable_requests)));
        prop_assert_eq!((resources.processor.more, resources.memory.more), (0, 0));
    }
}

/// Every bet is fair, so evidence is 1 in the mean; and over a hundred fair windows, a look after each, it
/// reaches any bound as rarely as Ville's inequality says. All paths, no simulation.
#[test]
fn evidence_is_as_rare_as_promised_where_the_canary_uses_more_every_other_time() {
    const RISK: f64 = 0.05;
    let mut paths = vec![(Bets::default(), 1.0)];
    let mut reached = 0.0;
    for _ in 0..100 {
        let mut next: BTreeMap<(u64, u64, bool), f64> = BTreeMap::new();
        for (bets, chance) in paths {
            let after = [true, false].map(|more| {
                let mut bets = bets;
                bets.settle(more);
                bets
            });
            let mean = 0.5 * after.map(|bets| bets.log_e().exp()).iter().sum::<f64>();
            assert!((mean / bets.log_e().exp() - 1.0).abs() < 1e-9, "{bets:?}");
            for bets in after {
                match bets.log_e().exp() * RISK >= 1.0 {
                    true => reached += 0.5 * chance,
                    // Paths too unlikely to change the sum are let go.
                    false if chance < 1e-12 => {}
                    false => {
                        *next.entry((bets.won, bets.lost, bets.last)).or_default() += 0.5 * chance;
                    }
                }
            }
        }
        let bets = |((won, lost, last), chance)| {
            let bets = Bets {
                won,
                lost,
                last,
                more: 0,
            };
            (bets, chance)
        };
        paths = next.into_iter().map(bets).collect();
    }
    assert!((0.01..=RISK).contains(&reached), "{reached}");
}

#[test]
fn a_leak_is_found_as_soon_as_it_shows_however_long_all_was_well() {
    let mut state = State::default();
    for _ in 0..10_000 {
        let well = window(used(200, 100, 101), used(200, 100, 101));
        state.absorb(&Config::default(), &batch(well));
    }
    assert_eq!(state.decision(), Decision::Continue);
    let leaking = window(used(200, 100, 212), used(200, 100, 101));
    assert_eq!(windows_until_rolled_back(&mut state, leaking), 17);
    let verdict = state.verdict(&Config::default());
    assert_eq!(
        verdict.sentence,
        "the canary's tasks use 2.1 times the memory of stable's (212 against 101 MiB), more than \
         allowed in 17 of 10,017 windows; evidence 1:170"
    );
    let evidence = verdict.evidence.resources.unwrap();
    assert_eq!((evidence.windows, evidence.more_memory), (10_017, 17));
    assert_eq!(evidence.more_processor, 0);
    assert_eq!(evidence.canary.memory, 212 * MIB);
    assert_eq!(evidence.stable.processor, Duration::from_micros(500));
}

#[test]
fn a_canary_that_computes_more_is_found() {
    let mut state = State::default();
    let busy = window(used(200, 620, 100), used(200, 200, 100));
    assert_eq!(windows_until_rolled_back(&mut state, busy), 17);
    let sentence = state.verdict(&Config::default()).sentence;
    assert!(
        sentence.starts_with(
            "the canary's requests take 3.1 times the processor time of stable's (3.100 against \
             1.000 ms), more than allowed in 17 of 17 windows"
        ),
        "{sentence}"
    );
}

#[test]
fn what_is_allowed_and_what_nobody_misses_is_no_evidence() {
    for canary in [
        // Half as much again, and the 20 ms a second and 16 MiB on top that each task may use.
        used(200, 420, 166),
        // Less than stable.
        used(20, 10, 10),
    ] {
        let mut state = State::default();
        let windows = windows_until_rolled_back(&mut state, window(canary, used(200, 200, 100)));
        assert_eq!(windows, 100, "{canary:?}");
    }
}

#[test]
fn windows_that_say_little_are_left_out() {
    let greedy = |requests| used(requests, 10_000, 1_000);
    let short = Window {
        length: Duration::from_millis(1999),
        ..window(greedy(200), used(200, 100, 100))
    };
    let gone = Window {
        stable: Used::default(),
        ..short
    };
    for window in [
        short,
        gone,
        window(greedy(19), used(200, 100, 100)),
        window(greedy(200), used(19, 100, 100)),
        window(greedy(202), used(100, 100, 100)),
    ] {
        let mut resources = Resources::default();
        resources.absorb(0.5, &window);
        assert_eq!(resources, Resources::default(), "{window:?}");
    }
}

#[test]
fn nothing_is_promoted_while_the_canary_uses_more() {
    let arm = |successes| Arm {
        successes,
        ..Arm::default()
    };
    let tally = Tally {
        canary: arm(5_000),
        stable: arm(5_000),
    };
    let good = Level::new(Share::new(1, 2).unwrap(), tally);
    let decide = |mib| {
        let mut state = State::default();
        for _ in 0..5 {
            let next = window(used(200, 100, mib), used(200, 100, 100));
            state.absorb(&Config::default(), &batch(next));
        }
        state.absorb(&Config::default(), &Batch::of(good.clone()))
    };
    assert_eq!(decide(100), Decision::Promote);
    assert_eq!(decide(300), Decision::Continue);
}

#[test]
fn what_the_canary_used_before_holds_nothing() {
    let mut state = State::default();
    let config = Config::default();
    let mut leans = |mib| {
        let next = window(used(200, 100, mib), used(200, 100, 100));
        state.absorb(&config, &batch(next));
        state.leans_against_canary(&config)
    };
    let leaning = [300, 300, 300, 300, 300, 100].map(&mut leans);
    assert_eq!(leaning[4..], [true, false]);
}

#[test]
fn what_is_allowed_is_the_owners_to_say() {
    let config = |allowed_growth| {
        Config::new(Settings {
            allowed_growth,
            ..Settings::default()
        })
        .unwrap()
    };
    let twice = window(used(200, 100, 200), used(200, 100, 100));
    let decide = |allowed_growth| {
        let mut state = State::default();
        for _ in 0..30 {
            state.absorb(&config(allowed_growth), &batch(twice));
        }
        state.decision()
    };
    assert_eq!(decide(Some(0.5)), Decision::RollBack);
    assert_eq!(decide(Some(1.0)), Decision::Continue);
    assert_eq!(decide(None), Decision::Continue);
}

#[test]
fn a_batch_reads_back_as_it_was_written_and_older_ones_still_read() {
    let written = batch(window(used(20, 3, 5), used(40, 7, 9)));
    let json = serde_json::to_string(&written).unwrap();
    assert_eq!(serde_json::from_str::<Batch>(&json).unwrap(), written);
    let older: Batch = serde_json::from_str(r#"{"levels":[]}"#).unwrap();
    assert_eq!(older, Batch::default());
    assert_eq!(serde_json::to_string(&older).unwrap(), r#"{"levels":[]}"#);
}
