use super::{Family, Weights};
use crate::{Arm, Batch, Config, Decision, Level, Share, State, Tally};

fn absorb(state: &mut State, share: (u32, u32), canary: Arm, stable: Arm) -> Decision {
    let level = Level::new(
        Share::new(share.0, share.1).unwrap(),
        Tally { canary, stable },
    );
    state.absorb(&Config::default(), &Batch::of(level))
}

#[test]
fn weights_are_relative() {
    let weights = Weights {
        failures: 3.0,
        latency: 1.0,
        client_errors: 0.0,
        unanswered: 0.0,
        restarts: 0.0,
        resources: 0.0,
    };
    assert_eq!(weights.of(Family::Failures), 0.75);
    assert_eq!(weights.of(Family::Restarts), 0.0);
    let all = Weights::default().by_name().map(|(_, weight)| weight);
    assert!((all.iter().sum::<f64>() - 1.0).abs() < 1e-12);
}

#[test]
fn answers_of_4xx_that_the_canary_alone_gives_roll_it_back() {
    let mut state = State::default();
    let arm = |successes, client_errors| Arm {
        successes,
        client_errors,
        ..Arm::default()
    };
    assert_eq!(
        absorb(&mut state, (1, 10), arm(100, 10), arm(900, 9)),
        Decision::RollBack
    );
    let families = state.families(&Config::default());
    assert_eq!(families.leading().family, Family::ClientErrors);
    let sentence = state.verdict(&Config::default()).sentence;
    assert!(
        sentence.starts_with("10 of 19 4xx answers came from the 10 % canary"),
        "{sentence}"
    );
}

#[test]
fn tries_that_fail_on_the_canary_roll_it_back_though_no_caller_saw_one() {
    let mut state = State::default();
    let arm = |successes, retried| Arm {
        successes,
        retried,
        ..Arm::default()
    };
    assert_eq!(
        absorb(&mut state, (1, 10), arm(200, 6), arm(1_800, 2)),
        Decision::RollBack
    );
    let verdict = state.verdict(&Config::default());
    assert!(
        verdict.sentence.starts_with(
            "3 % of the canary's requests needed another try, 0.111 % of stable's: \
             6 of 8 requests of which a try failed hit the 10 % canary, where chance explains 0.8;"
        ),
        "{}",
        verdict.sentence
    );
    let tries = verdict.evidence.tries.unwrap();
    assert_eq!((tries.canary.count, tries.stable.count), (6, 2));
}

/// Where callers see most of it, the failures are what is named.
#[test]
fn failures_that_callers_see_are_named_before_those_they_do_not() {
    let mut state = State::default();
    let arm = |successes, failures, retried| Arm {
        successes,
        failures,
        retried,
        ..Arm::default()
    };
    absorb(&mut state, (1, 10), arm(200, 6, 0), arm(1_800, 2, 5));
    let sentence = state.verdict(&Config::default()).sentence;
    assert!(
        sentence.starts_with("6 of 8 failures hit the 10 % canary"),
        "{sentence}"
    );
}

/// Its callers saw nothing yet; a service whose retries run out would show it.
#[test]
fn a_canary_that_needs_more_tries_is_not_promoted_while_it_does() {
    let arm = |successes, retried| Arm {
        successes,
        retried,
        ..Arm::default()
    };
    let mut state = State::default();
    let decision = absorb(&mut state, (1, 2), arm(2_000, 6), arm(2_000, 1));
    assert_eq!(decision, Decision::Continue);
    let sentence = state.verdict(&Config::default()).sentence;
    assert!(
        sentence
            .starts_with("0 of 2,000 canary requests failed and 6 needed another try, few enough")
            && sentence.contains("6 of 7 requests of which a try failed hit the 50 % canary"),
        "{sentence}"
    );
    let decision = absorb(&mut state, (1, 2), arm(2_000, 1), arm(2_000, 6));
    assert_eq!(decision, Decision::Promote);
}

/// Its callers wait, so nothing has failed yet.
#[test]
fn a_canary_that_swallows_requests_is_seen_before_they_time_out() {
    let mut state = State::default();
    let mut swallowed = 0;
    while state.decision() == Decision::Continue {
        let stable = Arm {
            successes: 19,
            routed: 19,
            ..Arm::default()
        };
        let canary = Arm {
            routed: 1,
            ..Arm::default()
        };
        swallowed += 1;
        absorb(&mut state, (1, 20), canary, stable);
        assert!(swallowed < 500);
    }
    assert_eq!(state.decision(), Decision::RollBack);
    assert!(swallowed < 60, "{swallowed}");
    let sentence = state.verdict(&Config::default()).sentence;
    assert!(
        sentence.starts_with("the canary leaves requests unanswered (0 of"),
        "{sentence}"
    );
}

/// At a thousand requests a second both have the requests of a second under way.
#[test]
fn a_canary_that_is_twice_as_slow_swallows_nothing() {
    let mut state = State::default();
    let arm = |successes, routed| Arm {
        successes,
        routed,
        ..Arm::default()
    };
    absorb(&mut state, (1, 2), arm(0, 500), arm(300, 500));
    for _ in 0..100 {
        absorb(&mut state, (1, 2), arm(500, 500), arm(500, 500));
    }
    absorb(&mut state, (1, 20), arm(0, 9), arm(950, 950));
    assert!(state.families(&Config::default()).log_e() < 0.5);
}

#[test]
fn callers_who_give_up_on_the_canary_speak_against_it() {
    let mut state = State::default();
    let arm = |successes, cancelled| Arm {
        successes,
        cancelled,
        ..Arm::default()
    };
    let decision = absorb(&mut state, (1, 20), arm(20, 8), arm(500, 4));
    assert_eq!(decision, Decision::RollBack);
}

#[test]
fn restarts_of_the_canarys_tasks_alone_roll_it_back_at_last() {
    let mut state = State::default();
    let restart = crate::arm_test::BadEvents {
        share: Share::new(1, 4).unwrap(),
        canary: 1,
        stable: 0,
    };
    let mut restarts = 0;
    while state.decision() == Decision::Continue && restarts < 50 {
        restarts += 1;
        let batch = Batch {
            restarts: vec![restart],
            ..Batch::default()
        };
        state.absorb(&Config::default(), &batch);
    }
    assert_eq!(state.decision(), Decision::RollBack);
    assert!((5..12).contains(&restarts), "{restarts}");
    let sentence = state.verdict(&Config::default()).sentence;
    assert!(
        sentence.contains("tasks that ended by themselves were the canary's"),
        "{sentence}"
    );
}

#[test]
fn requests_that_go_round_the_split_hold_the_release() {
    let mut state = State::default();
    let arm = |requests| Arm {
        successes: requests,
        routed: requests,
        ..Arm::default()
    };
    absorb(&mut state, (1, 5), arm(21_000), arm(79_000));
    let verdict = state.verdict(&Config::default());
    assert_eq!(verdict.decision, Decision::Continue);
    assert_eq!(verdict.hold, Some(crate::Hold::SampleRatio));
    assert!(
        verdict.sentence.contains(
            "21,000 of 100,000 requests were routed to the canary where its shares explain 20000"
        ),
        "{}",
        verdict.sentence
    );
}
