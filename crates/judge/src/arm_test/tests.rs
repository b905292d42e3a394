use proptest::prelude::*;

use super::{BadEvents, expected_by_chance, log_e, log_e_by_ratio};
use crate::Share;

fn at(canary_weight: u32, total_weight: u32, canary: u64, stable: u64) -> BadEvents {
    BadEvents {
        share: Share::new(canary_weight, total_weight).unwrap(),
        canary,
        stable,
    }
}

fn log_evidence(tolerated_ratio: f64, events: &[BadEvents]) -> f64 {
    log_e(&log_e_by_ratio(tolerated_ratio, events.iter().copied()))
}

/// Golden values: the formula in mpmath at 40 digits; all ratios, then the ratio 3 alone.
#[test]
fn agrees_with_forty_digits() {
    let golden: [(f64, &[BadEvents], f64, f64); 7] = [
        (
            1.0,
            &[at(1, 20, 9, 0)],
            24.945_403_925_642_306,
            9.029_718_979_774_063,
        ),
        (
            1.0,
            &[at(1, 20, 2, 0)],
            4.718_227_838_626_663,
            2.006_604_217_727_57,
        ),
        (
            1.0,
            &[at(1, 100, 1, 3), at(1, 20, 4, 11), at(1, 2, 7, 9)],
            -0.069_046_911_846_653_3,
            0.584_129_368_808_599_6,
        ),
        (
            1.2,
            &[at(1, 8, 30, 60), at(3, 7, 12, 12)],
            6.004_353_725_213_338,
            7.041_435_504_290_529,
        ),
        (
            1.0,
            &[at(1, 10_000, 3, 2)],
            18.169_303_831_429_745,
            3.294_836_965_990_998,
        ),
        (
            1.0,
            &[at(9_999, 10_000, 5_000, 1)],
            -1.194_747_197_199_036,
            -0.765_201_174_840_825_7,
        ),
        (
            1.0,
            &[at(1, 2, 1_000_000, 1_000_000)],
            -40_824.073_961_796_81,
            -287_682.072_451_780_9,
        ),
    ];
    for (tolerated, events, all, of_three) in golden {
        let by_ratio = log_e_by_ratio(tolerated, events.iter().copied());
        assert!(
            (log_e(&by_ratio) - all).abs() < 1e-10 * all.abs().max(1.0),
            "{events:?}"
        );
        assert!(
            (by_ratio[2] - of_three).abs() < 1e-10 * of_three.abs().max(1.0),
            "{events:?}"
        );
    }
}

/// Every way ten bad events can fall on the arms, at shares that change on the way, weighed by its exact
/// probability: the mean evidence is 1 at the tolerated ratio, so it is an e-value, and less below it.
#[test]
fn the_mean_evidence_without_a_difference_is_exactly_one() {
    let weights = [
        (1, 100),
        (1, 100),
        (1, 20),
        (1, 20),
        (1, 5),
        (1, 5),
        (1, 2),
        (1, 2),
        (7, 8),
        (7, 8),
    ];
    let mean = |true_ratio: f64, tolerated: f64| -> f64 {
        (0..1_u32 << weights.len())
            .map(|arms| {
                let mut probability = 1.0;
                let events: Vec<BadEvents> = (0..)
                    .zip(weights)
                    .map(|(index, (canary, total))| {
                        let hit = u64::from(arms >> index & 1);
                        let share = f64::from(canary) / f64::from(total);
                        let likely = share * true_ratio / (1.0 - share + share * true_ratio);
                        probability *= if hit == 1 { likely } else { 1.0 - likely };
                        at(canary, total, hit, 1 - hit)
                    })
                    .collect();
                probability * log_evidence(tolerated, &events).exp()
            })
            .sum()
    };
    assert!((mean(1.0, 1.0) - 1.0).abs() < 1e-9);
    assert!((mean(1.5, 1.5) - 1.0).abs() < 1e-9);
    assert!(mean(0.5, 1.0) < 0.9);
    assert!(mean(1.2, 1.5) < 0.9);
    assert!(mean(2.0, 1.0) > 10.0);
}

/// The exact chance of a false rollback when looking after every single bad event: dynamic programming
/// over the number of canary hits, no simulation.
#[test]
fn looking_after_each_of_600_events_rolls_back_falsely_less_than_once_in_100() {
    for (canary, total) in [(1, 100), (1, 20), (1, 2)] {
        let false_rollback = chance_of_rollback(1.0, canary, total, 600);
        assert!(
            (0.001..0.01).contains(&false_rollback),
            "{canary}/{total}: {false_rollback}"
        );
    }
    assert!(chance_of_rollback(10.0, 1, 20, 600) > 0.999_999);
}

fn chance_of_rollback(true_ratio: f64, canary: u32, total: u32, events: usize) -> f64 {
    let share = f64::from(canary) / f64::from(total);
    let likely = share * true_ratio / (1.0 - share + share * true_ratio);
    let mut undecided = vec![1.0];
    let mut rolled_back = 0.0;
    for seen in 1..=events as u64 {
        let mut next = vec![0.0; undecided.len() + 1];
        for (hits, probability) in undecided.iter().enumerate() {
            next[hits] += probability * (1.0 - likely);
            next[hits + 1] += probability * likely;
        }
        for (hits, probability) in (0..).zip(&mut next) {
            let negligible = *probability < 1e-12;
            let crossed = !negligible
                && log_evidence(1.0, &[at(canary, total, hits, seen - hits)]) >= 100_f64.ln();
            if crossed {
                rolled_back += std::mem::take(probability);
            }
        }
        undecided = next;
    }
    rolled_back
}

/// What the module promises about a dead canary: failures until the evidence is 1:100.
#[test]
fn a_dead_canary_takes_few_failures() {
    let needed = |canary, total| {
        (1..100)
            .find(|&failures| log_evidence(1.0, &[at(canary, total, failures, 0)]) >= 100_f64.ln())
            .unwrap()
    };
    let shares = [(1, 1000), (1, 100), (1, 20), (1, 10), (1, 5), (1, 2)];
    assert_eq!(
        shares.map(|(canary, total)| needed(canary, total)),
        [2, 2, 2, 3, 4, 8]
    );
}

#[test]
fn a_coin_with_one_side_tells_nothing() {
    let events = [at(0, 1, 5, 7), at(1, 1, 1000, 3)];
    assert_eq!(log_e_by_ratio(1.0, events.into_iter()), [0.0; 8]);
    assert!(log_evidence(1.0, &events).abs() < 1e-15);
    assert!(log_evidence(1.0, &[]).abs() < 1e-15);
}

#[test]
fn chance_sends_the_share_of_the_events() {
    let events = [at(1, 20, 9, 11), at(1, 2, 0, 10)];
    assert!((expected_by_chance(events.into_iter()) - 6.0).abs() < 1e-12);
}

proptest! {
    #[test]
    fn a_canary_failure_speaks_against_it_and_a_stable_one_for_it(
        weight in 1_u32..1000,
        canary in 0_u64..10_000,
        stable in 0_u64..10_000,
        tolerated in 1.0_f64..5.0,
    ) {
        let evidence = |canary, stable| log_evidence(tolerated, &[at(weight, 1000, canary, stable)]);
        let now = evidence(canary, stable);
        prop_assert!(evidence(canary + 1, stable) > now);
        prop_assert!(evidence(canary, stable + 1) < now);
    }

    #[test]
    fn the_evidence_is_always_a_number(
        weights in prop::collection::vec((any::<u32>(), 1..=u32::MAX, any::<u64>(), any::<u64>()), 0..6),
        tolerated in 1.0_f64..100.0,
    ) {
        let events: Vec<_> = weights
            .into_iter()
            .map(|(canary, total, hits, misses)| at(canary.min(total), total, hits, misses))
            .collect();
        prop_assert!(log_evidence(tolerated, &events).is_finite());
    }
}
