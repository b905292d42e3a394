use proptest::prelude::*;

use super::{Decision, State};
use crate::{Arm, Batch, Cell, Config, Counts, Level, Share, Tally};

fn level(weight: u32, total: u32, canary: [u64; 2], stable: [u64; 2]) -> Level {
    let arm = |[successes, failures]: [u64; 2]| Arm {
        successes,
        failures,
        ..Arm::default()
    };
    let tally = Tally {
        canary: arm(canary),
        stable: arm(stable),
    };
    Level::new(Share::new(weight, total).unwrap(), tally)
}

fn absorb(state: &mut State, level: Level) -> Decision {
    state.absorb(&Config::default(), &Batch::of(level))
}

fn batch(levels: Vec<Level>) -> Batch {
    Batch {
        levels,
        ..Batch::default()
    }
}

#[test]
fn a_rollback_is_final_and_ends_the_record() {
    let mut state = State::default();
    assert_eq!(
        absorb(&mut state, level(1, 20, [10, 1], [200, 0])),
        Decision::Continue
    );
    assert_eq!(
        absorb(&mut state, level(1, 20, [0, 2], [0, 0])),
        Decision::RollBack
    );
    let then = state.clone();
    assert_eq!(
        absorb(&mut state, level(1, 20, [9_000, 0], [9_000, 9_000])),
        Decision::RollBack
    );
    assert_eq!(state, then);
}

#[test]
fn a_certificate_stands_until_the_canary_is_proved_worse() {
    let mut state = State::default();
    assert_eq!(
        absorb(&mut state, level(1, 20, [1_220, 0], [23_200, 0])),
        Decision::Continue
    );
    assert_eq!(
        absorb(&mut state, level(1, 20, [100, 0], [1_900, 0])),
        Decision::Promote
    );
    let certified = state.certified().unwrap();
    assert_eq!(
        absorb(&mut state, level(1, 2, [0, 2], [10, 1])),
        Decision::Promote
    );
    assert_eq!(state.certified(), Some(certified));
    assert_eq!(
        absorb(&mut state, level(1, 2, [0, 20], [10, 0])),
        Decision::RollBack
    );
}

#[test]
fn promotion_waits_while_the_odds_are_against_the_canary() {
    let mut state = State::default();
    assert_eq!(
        absorb(&mut state, level(1, 10, [2_000, 1], [18_000, 0])),
        Decision::Continue
    );
    assert!(state.log_e_for(&Config::default()) > Config::default().promotion_threshold());
    assert_eq!(
        absorb(&mut state, level(1, 10, [0, 0], [0, 6])),
        Decision::Promote
    );
}

/// A service without failures of its own never makes up for one.
#[test]
fn a_single_failure_does_not_hold_a_release_for_good() {
    let mut state = State::default();
    let decision = absorb(&mut state, level(1, 10, [2_000, 1], [18_000, 0]));
    assert_eq!(decision, Decision::Continue);
    is_promoted_with(&mut state, &level(1, 10, [1_000, 0], [9_000, 0]), 48);
}

/// After this many such levels at most, though the one family goes on speaking against it.
fn is_promoted_with(state: &mut State, more: &Level, at_most: u32) {
    let mut absorbed = 1;
    while absorb(state, more.clone()) == Decision::Continue {
        absorbed += 1;
        assert!(absorbed <= at_most);
    }
    assert_eq!(state.decision(), Decision::Promote);
    assert!(state.families(&Config::default()).against_canary().count() == 1);
}

/// A scanner's request, or a caller who hung up, happened to meet the canary of a service that has no others.
#[test]
fn a_single_caller_does_not_hold_a_release_for_good() {
    let met: [fn(&mut Level); 2] = [
        |level| level.tally.canary.client_errors = 1,
        |level| level.tally.canary.cancelled = 1,
    ];
    for meet in met {
        let mut state = State::default();
        let mut first = level(1, 50, [1_300, 0], [63_700, 0]);
        meet(&mut first);
        assert_eq!(absorb(&mut state, first), Decision::Continue);
        is_promoted_with(&mut state, &level(1, 50, [100, 0], [4_900, 0]), 7);
    }
}

#[test]
fn answers_of_4xx_that_are_too_many_hold_it() {
    let mut state = State::default();
    let mut level = level(1, 2, [3_000, 0], [3_000, 0]);
    level.tally.canary.client_errors = 50;
    level.tally.stable.client_errors = 25;
    assert_eq!(absorb(&mut state, level), Decision::Continue);
    let sentence = state.verdict(&Config::default()).sentence;
    assert!(
        sentence.ends_with(
            "but 50 of 75 4xx answers came from the 50 % canary, where chance explains 37.5"
        ),
        "{sentence}"
    );
}

/// It has no failures to show, and no caller has given up yet.
#[test]
fn requests_that_do_not_end_hold_it() {
    let mut state = State::default();
    let mut level = level(1, 2, [4_700, 0], [5_000, 0]);
    level.tally.canary.routed = 5_000;
    level.tally.stable.routed = 5_000;
    assert_eq!(absorb(&mut state, level), Decision::Continue);
    let sentence = state.verdict(&Config::default()).sentence;
    assert!(
        sentence.contains("but the canary leaves requests unanswered (4,700 of 5,000 ended"),
        "{sentence}"
    );
}

#[test]
fn tries_that_fail_hold_it_longer_than_those_that_callers_see() {
    let mut state = State::default();
    let mut level = level(1, 10, [30_000, 0], [270_000, 0]);
    level.tally.canary.retried = 75;
    level.tally.stable.retried = 450;
    assert_eq!(absorb(&mut state, level), Decision::Continue);
}

/// The stable version's answers must not speak for a canary that gives none.
#[test]
fn a_canary_without_answers_is_not_certified() {
    let certified = |canary| {
        let mut state = State::default();
        let decision = absorb(&mut state, level(1, 10, [canary, 0], [20_000, 0]));
        let sentence = state.verdict(&Config::default()).sentence;
        (decision == Decision::Promote, sentence)
    };
    assert!(certified(2_200).0 && certified(1_300).0);
    let (is_certified, sentence) = certified(900);
    assert!(!is_certified);
    assert_eq!(
        sentence,
        "0 of 900 canary requests failed, few enough to prove that it fails less than 0.5 points more often, \
         but callers had 900 answers of it where its share explains 2,090"
    );
    assert!(!certified(0).0);
}

#[test]
fn callers_who_left_had_no_answer() {
    let mut state = State::default();
    let mut level = level(1, 10, [2_200, 0], [20_000, 0]);
    level.tally.canary.cancelled = 1_500;
    level.tally.stable.cancelled = 13_500;
    let patient = absorb(&mut state, level.clone());
    assert_eq!(patient, Decision::Promote, "they leave both versions");
    level.tally.canary.cancelled = 2_200;
    assert_ne!(absorb(&mut State::default(), level), Decision::Promote);
}

#[test]
fn an_incident_of_both_versions_promotes_nothing() {
    let mut state = State::default();
    assert_eq!(
        absorb(
            &mut state,
            level(1, 2, [480_000, 20_000], [480_000, 20_000])
        ),
        Decision::Continue
    );
    assert!(state.log_e_for(&Config::default()) > Config::default().promotion_threshold());
    assert!(state.is_shared_incident(&Config::default()));
    assert_eq!(
        absorb(&mut state, level(1, 2, [5_000, 0], [5_000, 0])),
        Decision::Promote
    );
}

#[test]
fn a_canary_that_mends_a_failing_service_is_not_held() {
    let mut state = State::default();
    absorb(&mut state, level(1, 2, [400, 0], [360, 40]));
    assert!(!state.is_shared_incident(&Config::default()));
}

#[test]
fn the_state_stays_small_however_many_shares_were_set() {
    let mut state = State::default();
    for weight in 1..=1000 {
        absorb(&mut state, level(weight, 100_003, [5, 0], [7, 0]));
    }
    assert_eq!(state.counts().cells().count(), Counts::MOST_SHARES);
    assert_eq!(state.counts().beyond().requests(), 12 * (1000 - 64));
    assert_eq!(state.counts().total().requests(), 12 * 1000);
    assert!(Counts::MOST_SHARES * size_of::<Cell>() + size_of::<State>() < 16 * 1024);
    assert!(serde_json::to_string(&state).unwrap().len() < 16 * 1024);
}

/// The stored form: a change here breaks journals that exist.
#[test]
fn the_stored_form_is_stable() {
    let stored = include_str!("../../testdata/state-1.json");
    let state: State = serde_json::from_str(stored).unwrap();
    let mut expected = State::default();
    absorb(&mut expected, level(1, 20, [1_291, 0], [24_500, 1]));
    absorb(&mut expected, level(1, 2, [100, 1], [100, 0]));
    assert_eq!(state, expected);
    assert_eq!(
        serde_json::to_string_pretty(&expected).unwrap(),
        stored.trim_end()
    );
}

fn any_level() -> impl Strategy<Value = Level> {
    (1_u32..=20, prop::array::uniform4(0_u64..50))
        .prop_map(|(weight, [a, b, c, d])| level(weight, 20, [a, b], [c, d]))
}

proptest! {
    /// However the same requests are ordered and cut into batches, the evidence has the same bits.
    #[test]
    fn batching_does_not_matter(
        (levels, shuffled) in prop::collection::vec(any_level(), 1..30)
            .prop_flat_map(|levels| (Just(levels.clone()), Just(levels).prop_shuffle())),
        size in 1_usize..10,
    ) {
        let config = Config::default();
        let fold = |levels: &[Level], size: usize| {
            let mut state = State::default();
            for batch in levels.chunks(size) {
                batch.iter().for_each(|level| state.counts.add(level.cell()));
            }
            state
        };
        let (one, other) = (fold(&levels, levels.len()), fold(&shuffled, size));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.families(&config).log_e().to_bits(), other.families(&config).log_e().to_bits());
        prop_assert_eq!(one.log_e_for(&config).to_bits(), other.log_e_for(&config).to_bits());
        prop_assert_eq!(one.excess_bound(&config).to_bits(), other.excess_bound(&config).to_bits());
    }

    #[test]
    fn a_state_read_back_is_the_state_written(levels in prop::collection::vec(any_level(), 0..30)) {
        let mut state = State::default();
        state.absorb(&Config::default(), &batch(levels));
        let text = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
    }

    #[test]
    fn no_counts_are_too_large(
        levels in prop::collection::vec((0_u32..=3, prop::array::uniform4(any::<u64>())), 0..5)
    ) {
        let levels = levels
            .into_iter()
            .map(|(weight, [a, b, c, d])| level(weight, 3, [a, b], [c, d]))
            .collect();
        let mut state = State::default();
        let decision = state.absorb(&Config::default(), &batch(levels));
        prop_assert_eq!(state.verdict(&Config::default()).decision, decision);
    }
}
