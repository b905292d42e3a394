mod resumed;

use std::time::Duration;

use super::*;
use crate::journal::Event;
use crate::manifest::{Mode, TextDuration};
use crate::testing::{
    admitted, at, auto, calm, happen, observed, percent, request, started, steps, version,
};

fn step(state: &State, world: &World, second: i64) -> Step {
    plan(state, world, at(second)).step
}

fn set(share: Share) -> Event {
    Event::ShareSet {
        share,
        reason: String::new(),
        seen: None,
    }
}

fn ordered(order: Order) -> Event {
    Event::Ordered {
        order,
        by: "test".to_owned(),
    }
}

#[test]
fn a_version_is_built_joins_the_mesh_and_gets_traffic_when_its_tasks_are_healthy() {
    let mut state = State::requested(request(auto()), at(0));
    assert_eq!(step(&state, &calm(), 0), Step::Build);
    happen(
        &mut state,
        1,
        Event::Built {
            version: version("epoch"),
        },
    );
    assert_eq!(step(&state, &calm(), 1), Step::Join);
    happen(
        &mut state,
        1,
        Event::Joined {
            virtual_node: "crystal-sd-epoch".to_owned(),
        },
    );
    assert_eq!(step(&state, &calm(), 1), Step::StartTasks);
    happen(&mut state, 2, Event::TasksStarted);
    let two_of_three = World {
        healthy: 2,
        ..calm()
    };
    assert_eq!(step(&state, &two_of_three, 3), Step::Wait);
    assert_eq!(step(&state, &calm(), 3), Step::Admit);
    happen(&mut state, 3, Event::TasksHealthy);
    assert!(
        matches!(step(&state, &two_of_three, 4), Step::SetShare(_)),
        "health is now the proxies' affair"
    );
}

#[test]
fn tasks_that_never_get_healthy_end_the_release_before_any_traffic() {
    let mut state = started(auto());
    let world = World {
        healthy: 1,
        trouble: Some("crystal/epoch/2 exited with 1".to_owned()),
        ..calm()
    };
    assert_eq!(step(&state, &world, 59), Step::Wait);
    let plan = plan(&state, &world, at(60));
    assert_eq!(plan.step, Step::Decide(Ending::RollBack));
    assert_eq!(
        plan.why,
        "only 1 of 3 tasks are healthy after 1m (crystal/epoch/2 exited with 1)"
    );
    let reason = plan.why;
    happen(
        &mut state,
        60,
        Event::Decided {
            ending: Ending::RollBack,
            reason,
            seen: None,
        },
    );
    assert_eq!(step(&state, &world, 60), Step::Leave);
    happen(
        &mut state,
        60,
        Event::Left {
            virtual_node: "crystal-sd-epoch".to_owned(),
        },
    );
    assert_eq!(step(&state, &world, 60), Step::Retire);
    happen(
        &mut state,
        61,
        Event::Retired {
            version: "epoch".to_owned(),
        },
    );
    assert_eq!(step(&state, &world, 61), Step::Finish(Outcome::Abandoned));
}

#[test]
fn a_failed_build_leaves_nothing_to_undo() {
    let mut state = State::requested(request(auto()), at(0));
    let reason = "the build failed".to_owned();
    happen(
        &mut state,
        1,
        Event::Decided {
            ending: Ending::RollBack,
            reason,
            seen: None,
        },
    );
    assert_eq!(step(&state, &calm(), 1), Step::Finish(Outcome::Abandoned));
}

#[test]
fn a_first_version_takes_everything_at_once() {
    let mut state = admitted(auto());
    state.request.baseline = None;
    assert_eq!(step(&state, &calm(), 0), Step::Decide(Ending::Promote));
    let reason = String::new();
    happen(
        &mut state,
        0,
        Event::Decided {
            ending: Ending::Promote,
            reason,
            seen: None,
        },
    );
    assert_eq!(step(&state, &calm(), 0), Step::SetShare(Share::WHOLE));
    happen(&mut state, 0, set(Share::WHOLE));
    assert_eq!(step(&state, &calm(), 0), Step::Finish(Outcome::Promoted));
}

#[test]
fn steps_want_their_time_and_their_requests() {
    let mut state = admitted(steps(Duration::from_secs(30), 100));
    assert_eq!(step(&state, &calm(), 0), Step::SetShare(percent(5)));
    happen(&mut state, 10, set(percent(5)));
    happen(&mut state, 20, observed(percent(5), (99, 0), (1900, 0)));
    assert_eq!(step(&state, &calm(), 39), Step::Wait, "too early");
    assert_eq!(
        step(&state, &calm(), 40),
        Step::Wait,
        "one request is missing"
    );
    happen(&mut state, 41, observed(percent(5), (1, 0), (0, 0)));
    assert_eq!(step(&state, &calm(), 41), Step::SetShare(percent(25)));
    happen(&mut state, 50, set(percent(25)));
    happen(&mut state, 51, observed(percent(5), (500, 0), (0, 0)));
    assert_eq!(
        step(&state, &calm(), 90),
        Step::Wait,
        "late ends of an old share do not count"
    );
}

#[test]
fn the_last_step_promotes() {
    let mut state = admitted(steps(Duration::from_secs(30), 0));
    happen(&mut state, 0, set(percent(50)));
    assert_eq!(step(&state, &calm(), 29), Step::Wait);
    assert_eq!(step(&state, &calm(), 30), Step::Decide(Ending::Promote));
}

#[test]
fn the_judge_rolls_back_under_every_policy_even_on_hold() {
    for policy in [auto(), steps(Duration::ZERO, 0), Policy::Manual] {
        let mut state = admitted(policy);
        happen(&mut state, 1, ordered(Order::Set { share: percent(5) }));
        happen(&mut state, 1, set(percent(5)));
        happen(&mut state, 2, observed(percent(5), (20, 10), (380, 0)));
        assert_eq!(step(&state, &calm(), 2), Step::Decide(Ending::RollBack));
    }
}

#[test]
fn auto_starts_small_grows_and_promotes_with_a_certificate() {
    let mut state = admitted(auto());
    let mut second = 0;
    let mut shares = Vec::new();
    loop {
        match step(&state, &calm(), second) {
            Step::SetShare(share) => {
                shares.push(share);
                happen(&mut state, second, set(share));
            }
            Step::Wait => {}
            Step::Decide(ending) => {
                assert_eq!(ending, Ending::Promote);
                break;
            }
            other => panic!("{other:?}"),
        }
        second += 1;
        assert!(second < 300, "no certificate after 300 s at {shares:?}");
        let canary = (state.share.fraction() * 100.0).round() as u64;
        let share = state.share;
        happen(
            &mut state,
            second,
            observed(share, (canary, 0), (100 - canary, 0)),
        );
    }
    assert_eq!(shares.first(), Some(&percent(7)));
    assert!(shares.is_sorted(), "{shares:?}");
    assert_eq!(shares.last(), Some(&percent(50)));
}

/// Mirrored requests are evidence under even weights, whatever the share is.
#[test]
fn copies_alone_promote_nothing() {
    let mut state = admitted(auto());
    happen(&mut state, 1, set(percent(5)));
    happen(&mut state, 2, observed(percent(50), (3_000, 0), (3_000, 0)));
    assert_eq!(state.judge.decision(), Decision::Promote);
    let plan = plan(&state, &calm(), at(2));
    assert_eq!(plan.step, Step::SetShare(percent(10)));
    happen(&mut state, 3, observed(percent(5), (1, 0), (19, 0)));
    assert_eq!(step(&state, &calm(), 3), Step::Decide(Ending::Promote));
}

#[test]
fn a_share_set_by_hand_stays_until_resumed() {
    let mut state = admitted(auto());
    let share = Share::from_basis_points(525).unwrap();
    happen(&mut state, 1, ordered(Order::Set { share }));
    assert_eq!(step(&state, &calm(), 1), Step::SetShare(share));
    happen(&mut state, 1, set(share));
    assert_eq!(step(&state, &calm(), 1000), Step::Wait);
    happen(&mut state, 1000, observed(share, (50, 0), (900, 0)));
    happen(&mut state, 1001, ordered(Order::Resume));
    assert!(matches!(step(&state, &calm(), 1002), Step::SetShare(next) if next > share));
}

#[test]
fn orders_to_end_are_obeyed_at_once_but_promotion_waits_for_tasks() {
    let mut state = State::requested(request(auto()), at(0));
    happen(&mut state, 0, ordered(Order::Promote));
    assert_eq!(step(&state, &calm(), 0), Step::Build);
    happen(&mut state, 0, ordered(Order::Rollback));
    assert_eq!(step(&state, &calm(), 0), Step::Decide(Ending::RollBack));

    let mut state = admitted(Policy::Manual);
    happen(&mut state, 0, ordered(Order::Promote));
    assert_eq!(step(&state, &calm(), 0), Step::Decide(Ending::Promote));
}

#[test]
fn a_side_leaves_only_when_its_requests_have_ended() {
    let mut state = admitted(auto());
    let reason = "good".to_owned();
    happen(
        &mut state,
        1,
        Event::Decided {
            ending: Ending::Promote,
            reason,
            seen: None,
        },
    );
    assert_eq!(step(&state, &calm(), 1), Step::SetShare(Share::WHOLE));
    happen(&mut state, 1, set(Share::WHOLE));
    let unsettled = World {
        settled: false,
        ..calm()
    };
    assert_eq!(
        step(&state, &unsettled, 1),
        Step::Wait,
        "a proxy may still draw the old side"
    );
    let busy = World {
        in_flight: 2,
        ..calm()
    };
    assert_eq!(step(&state, &busy, 2), Step::Wait);
    assert_eq!(
        step(&state, &busy, 31),
        Step::Leave,
        "the drain time-out is over"
    );
    assert_eq!(step(&state, &calm(), 2), Step::Leave);
    happen(
        &mut state,
        2,
        Event::Left {
            virtual_node: "crystal-sd-vanilla".to_owned(),
        },
    );
    assert_eq!(step(&state, &calm(), 2), Step::Retire);
    happen(
        &mut state,
        3,
        Event::Retired {
            version: "vanilla".to_owned(),
        },
    );
    assert_eq!(step(&state, &calm(), 3), Step::Finish(Outcome::Promoted));
}

fn promoted() -> Event {
    Event::Decided {
        ending: Ending::Promote,
        reason: "proved".to_owned(),
        seen: None,
    }
}

fn baking(bake: Duration) -> State {
    let mut state = admitted(auto());
    state.request.limits.bake = TextDuration(bake);
    happen(&mut state, 1, set(percent(50)));
    happen(&mut state, 2, observed(percent(50), (2_000, 2), (2_000, 2)));
    happen(&mut state, 3, promoted());
    assert_eq!(step(&state, &calm(), 3), Step::SetShare(Share::WHOLE));
    happen(&mut state, 3, set(Share::WHOLE));
    state
}

#[test]
fn a_promoted_version_is_watched_before_the_old_one_leaves() {
    let mut state = baking(Duration::from_secs(60));
    happen(&mut state, 10, observed(Share::WHOLE, (1_000, 1), (0, 0)));
    let waiting = plan(&state, &calm(), at(13));
    assert_eq!(waiting.step, Step::Wait);
    assert_eq!(
        waiting.why,
        "watched for 50s more, with the old version at hand"
    );
    assert_eq!(step(&state, &calm(), 62), Step::Wait);
    assert_eq!(step(&state, &calm(), 63), Step::Leave);
    happen(&mut state, 20, ordered(Order::Promote));
    assert_eq!(step(&state, &calm(), 20), Step::Leave);
    let none = baking(Duration::ZERO);
    assert_eq!(step(&none, &calm(), 3), Step::Leave);
}

#[test]
fn a_version_that_fails_after_its_promotion_is_rolled_back_late() {
    let mut state = baking(Duration::from_secs(60));
    happen(&mut state, 30, observed(Share::WHOLE, (100, 40), (0, 0)));
    let late = plan(&state, &calm(), at(30));
    assert_eq!(late.step, Step::Decide(Ending::RollBack));
    assert!(
        late.why
            .starts_with("40 of 100 requests failed after the promotion"),
        "{}",
        late.why
    );
    let decided = Event::Decided {
        ending: Ending::RollBack,
        reason: late.why,
        seen: None,
    };
    happen(&mut state, 30, decided);
    assert_eq!(step(&state, &calm(), 30), Step::SetShare(Share::ZERO));
    happen(&mut state, 30, set(Share::ZERO));
    assert_eq!(step(&state, &calm(), 31), Step::Leave);
}

/// Requests that name the old version go there until the bake ends, and get their time then.
#[test]
fn draining_begins_when_the_bake_ends() {
    let busy = World {
        in_flight: 1,
        ..calm()
    };
    let mut state = baking(Duration::from_secs(60));
    assert_eq!(step(&state, &busy, 63), Step::Wait);
    assert_eq!(step(&state, &busy, 92), Step::Wait);
    assert_eq!(step(&state, &busy, 93), Step::Leave);
    happen(&mut state, 50, ordered(Order::Promote));
    assert_eq!(step(&state, &busy, 79), Step::Wait);
    assert_eq!(step(&state, &busy, 80), Step::Leave);
}

#[test]
fn a_version_that_has_everything_already_is_watched_from_its_promotion() {
    let mut state = admitted(Policy::Manual);
    state.request.limits.bake = TextDuration(Duration::from_secs(60));
    happen(&mut state, 1, ordered(Order::Set { share: percent(50) }));
    happen(&mut state, 1, set(percent(50)));
    happen(&mut state, 2, observed(percent(50), (2_000, 2), (2_000, 2)));
    let whole = Share::WHOLE;
    happen(&mut state, 3, ordered(Order::Set { share: whole }));
    happen(&mut state, 3, set(whole));
    happen(&mut state, 100, ordered(Order::Promote));
    happen(&mut state, 100, promoted());
    assert_eq!(step(&state, &calm(), 101), Step::Wait);
    happen(&mut state, 130, observed(whole, (100, 40), (0, 0)));
    assert_eq!(step(&state, &calm(), 130), Step::Decide(Ending::RollBack));
}

#[test]
fn requests_that_fail_after_the_promotion_they_preceded_count_unless_people_ordered_it() {
    let late = observed(percent(50), (200, 100), (200, 0));
    let mut state = baking(Duration::from_secs(60));
    happen(&mut state, 5, late.clone());
    assert_eq!(step(&state, &calm(), 5), Step::Decide(Ending::RollBack));

    let mut state = admitted(auto());
    state.request.limits.bake = TextDuration(Duration::from_secs(60));
    happen(&mut state, 1, set(percent(50)));
    happen(&mut state, 3, ordered(Order::Promote));
    happen(&mut state, 3, promoted());
    happen(&mut state, 3, set(Share::WHOLE));
    happen(&mut state, 5, late);
    assert_eq!(state.judge.decision(), Decision::RollBack);
    assert_eq!(step(&state, &calm(), 5), Step::Wait);
}

#[test]
fn people_may_end_a_bake_either_way() {
    let mut state = baking(Duration::from_secs(60));
    happen(&mut state, 5, ordered(Order::Rollback));
    assert_eq!(step(&state, &calm(), 5), Step::Decide(Ending::RollBack));
}

#[test]
fn modes_differ_in_their_shares() {
    let first = |mode, rate| {
        let state = admitted(Policy::Auto {
            mode,
            max_share: percent(50),
        });
        match step(&state, &World { rate, ..calm() }, 0) {
            Step::SetShare(share) => share.basis_points(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(first(Mode::Safest, 1.0), 100);
    assert_eq!(first(Mode::Balanced, 1.0), 1000);
    assert_eq!(first(Mode::Fastest, 1.0), 5000);
    let dear = [Mode::Safest, Mode::Balanced, Mode::Fastest].map(|mode| first(mode, 10_000.0));
    assert!(
        dear.iter().all(|&share| share == dear[0]),
        "the budget rules: {dear:?}"
    );
}

#[test]
fn nothing_is_promoted_by_the_warm_up_alone_where_latencies_are_known() {
    let ends_in = |with_latencies: bool| {
        let mut state = admitted(auto());
        state.request.limits.warm_up = TextDuration(Duration::from_secs(300));
        happen(&mut state, 0, set(percent(50)));
        let mut observed = observed(percent(50), (5_000, 0), (5_000, 0));
        if let Event::Observed { batch, .. } = &mut observed
            && with_latencies
        {
            let millis = judge::Bin::of(Duration::from_millis(5));
            batch.levels[0].latency.stable.add(millis, 5_000);
            batch.levels[0].latency.canary.add(millis, 5_000);
        }
        happen(&mut state, 60, observed);
        state.judge.decision()
    };
    assert_eq!(ends_in(false), Decision::Promote);
    assert_eq!(ends_in(true), Decision::Continue);
}

/// A canary that needs much memory to start: the windows that began during the warm-up are no evidence.
#[test]
fn what_tasks_use_in_the_warm_up_does_not_speak_against_the_canary() {
    let greedy = |from: i64, length: u64| {
        let mut state = admitted(auto());
        state.request.limits.warm_up = TextDuration(Duration::from_secs(100));
        happen(&mut state, 0, set(percent(50)));
        for window in 0..20 {
            let used = |memory| judge::Used {
                tasks: 1,
                requests: 100,
                processor: Duration::ZERO,
                memory,
            };
            let batch = judge::Batch {
                resources: Some(judge::Window {
                    length: Duration::from_secs(length),
                    canary: used(900 << 20),
                    stable: used(100 << 20),
                }),
                ..judge::Batch::default()
            };
            let reports = std::collections::BTreeMap::new();
            happen(
                &mut state,
                from + window,
                Event::Observed { batch, reports },
            );
        }
        state.judge.decision()
    };
    assert_eq!(greedy(10, 2), Decision::Continue);
    assert_eq!(greedy(101, 60), Decision::Continue);
    assert_eq!(greedy(102, 2), Decision::RollBack);
}

/// What came during the warm-up is left out of the latencies, however late it ended.
#[test]
fn slow_requests_of_the_warm_up_do_not_speak_against_the_canary() {
    let slow = |second: i64, seconds: u64| {
        let mut state = admitted(auto());
        state.request.limits.warm_up = TextDuration(Duration::from_secs(10));
        happen(&mut state, 0, set(percent(50)));
        // Four looks a second: one alone counts for no more than one request would.
        for round in 0..40 {
            let Event::Observed { mut batch, .. } = observed(percent(50), (25, 0), (25, 0)) else {
                unreachable!()
            };
            let latency = &mut batch.levels[0].latency;
            let usual = judge::Bin::of(Duration::from_millis(5));
            latency.stable.add(usual, 25);
            latency.canary.add(usual, 25);
            let slow = judge::Bin::of(Duration::from_secs(seconds));
            latency.canary.add(slow, 8);
            let reports = std::collections::BTreeMap::new();
            happen(
                &mut state,
                second + round / 4,
                Event::Observed { batch, reports },
            );
        }
        state.judge.decision()
    };
    assert_eq!(slow(0, 1), Decision::Continue);
    assert_eq!(slow(15, 20), Decision::Continue);
    assert_eq!(slow(15, 1), Decision::RollBack);
}
