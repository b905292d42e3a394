use proptest::prelude::*;

use super::{Outlook, STAKES, excess_bound, log_e, requests_missing};
use crate::{Arm, Cell, Share, Tally};

const DELTA: f64 = 0.005;
/// `ln(1 / 0.005)`.
const THRESHOLD: f64 = 5.298_317_366_548_036;

/// `[successes, failures]` of each arm.
fn at(weight: u32, total: u32, canary: [u64; 2], stable: [u64; 2]) -> Cell {
    let arm = |[successes, failures]: [u64; 2]| Arm {
        successes,
        failures,
        ..Arm::default()
    };
    Cell {
        share: Share::new(weight, total).unwrap(),
        tally: Tally {
            canary: arm(canary),
            stable: arm(stable),
        },
    }
}

/// Golden values: the formulas in mpmath at 40 digits.
#[test]
fn agrees_with_forty_digits() {
    let golden: [(&[Cell], f64, f64); 7] = [
        (
            &[at(7, 8, [900, 1], [120, 3])],
            3.107_667_795_420_64,
            0.007_905_984_282_431,
        ),
        (
            &[at(1, 20, [1_227, 0], [23_313, 0])],
            5.302_574_541_884_654,
            0.004_996_269_958_032,
        ),
        (
            &[at(1, 20, [1_226, 0], [23_294, 0])],
            5.297_923_145_457_101,
            0.005_000_345_697_909,
        ),
        (
            &[
                at(1, 100, [200, 1], [19_800, 20]),
                at(1, 10, [900, 2], [8_100, 9]),
                at(1, 2, [3_000, 3], [2_990, 5]),
            ],
            9.378_923_318_810_943,
            0.003_760_231_579_757,
        ),
        (
            &[at(1, 1, [600, 0], [0, 0])],
            2.442_253_301_740_816,
            0.010_265_383_604_66,
        ),
        (&[at(1, 2, [5, 5], [10, 0])], -2.324_385_554_080_384, 1.0),
        (
            &[at(1, 5, [3_000, 30], [12_000, 125])],
            0.833_663_720_025_692,
            0.008_906_612_984_659,
        ),
    ];
    for (levels, log, bound) in golden {
        let levels = levels.iter().copied();
        assert!((log_e(levels.clone(), DELTA) - log).abs() < 1e-10, "{log}");
        assert!(
            (excess_bound(levels, THRESHOLD) - bound).abs() < 1e-6,
            "{bound}"
        );
    }
}

#[test]
fn the_stakes_weigh_one_together() {
    let total: f64 = STAKES.iter().map(|(_, weight)| weight).sum();
    assert!((total - 1.0).abs() < 1e-15);
}

/// Requests whose ends on either arm are fixed in advance and differ wildly; only the coin is random. Over
/// every way it can fall, the mean evidence is at most 1 whenever the excess over the canary's traffic is
/// at least the one to exclude, and it is exactly 1 where each request's own excess is.
#[test]
fn the_mean_evidence_for_a_canary_that_is_too_bad_is_at_most_one() {
    /// Share in twentieths; whether the request fails on the canary; whether it fails on the stable one.
    type Request = (u32, bool, bool);
    let mean = |requests: &[Request], delta: f64| -> f64 {
        (0..1_u32 << requests.len())
            .map(|arms| {
                let mut probability = 1.0;
                let levels: Vec<Cell> = (0..)
                    .zip(requests)
                    .map(|(index, &(twentieths, on_canary, on_stable))| {
                        let share = f64::from(twentieths) / 20.0;
                        let end = |failed: bool| [u64::from(!failed), u64::from(failed)];
                        if arms >> index & 1 == 1 {
                            probability *= share;
                            at(twentieths, 20, end(on_canary), [0, 0])
                        } else {
                            probability *= 1.0 - share;
                            at(twentieths, 20, [0, 0], end(on_stable))
                        }
                    })
                    .collect();
                probability * log_e(levels.into_iter(), delta).exp()
            })
            .sum()
    };
    // An incident that hits both, then a canary that breaks some requests, one that it mends, all traffic.
    let requests = [
        (1, true, true),
        (4, true, true),
        (4, true, false),
        (10, false, true),
        (10, true, false),
        (10, true, false),
        (4, false, false),
        (20, true, false),
    ];
    let weight: u32 = requests.iter().map(|request| request.0).sum();
    let excess = f64::from(4 - 10 + 10 + 10 + 20) / f64::from(weight);
    assert!(mean(&requests, excess) <= 1.0);
    assert!(mean(&requests, excess * 0.5) <= 1.0);
    assert!(mean(&requests, (excess + 0.4).min(1.0)) > 1.0);
    assert!((mean(&[(4, true, false), (10, true, false)], 1.0) - 1.0).abs() < 1e-12);
    assert!((mean(&[(4, true, true), (10, false, false)], 0.0) - 1.0).abs() < 1e-12);
}

/// No method can do with fewer than `ln(1 / 0.005) / delta` = 1,060 canary requests without a failure.
#[test]
fn without_failures_1227_canary_requests_are_enough() {
    let certified = |requests: u64| {
        let level = at(1, 20, [requests, 0], [19 * requests, 0]);
        log_e([level].into_iter(), DELTA) >= THRESHOLD
    };
    assert!(!certified(1226));
    assert!(certified(1227));
}

#[test]
fn a_level_without_canary_traffic_proves_nothing() {
    let level = at(0, 1, [0, 3], [1_000_000, 10]);
    assert!(log_e([level].into_iter(), DELTA).abs() < 1e-15);
    assert_eq!(excess_bound([level].into_iter(), THRESHOLD), 1.0);
}

#[test]
fn the_missing_requests_are_those_that_earn_the_certificate() {
    let healthy = Outlook {
        share: 0.05,
        canary_failing: 0.0,
        stable_failing: 0.0,
    };
    let level = |requests: u64| [at(1, 20, [requests, 0], [19 * requests, 0])].into_iter();
    let missing = |seen, outlook| requests_missing(level(seen), DELTA, THRESHOLD, &outlook);
    // The 1,227th canary request comes with the 24,540th; the threshold falls within these last twenty.
    let all = missing(0, healthy).unwrap();
    assert!((24_521..=24_540).contains(&all), "{all}");
    assert_eq!(missing(400, healthy), Some(all - 8_000));
    let no_traffic = Outlook {
        share: 0.0,
        ..healthy
    };
    assert_eq!(missing(0, no_traffic), None);
    let too_bad = Outlook {
        canary_failing: 0.02,
        ..healthy
    };
    assert_eq!(missing(0, too_bad), None);
    let both_fail = Outlook {
        share: 0.05,
        canary_failing: 0.01,
        stable_failing: 0.01,
    };
    assert!(missing(0, both_fail).unwrap() > 5 * all);
}

fn any_level() -> impl Strategy<Value = Cell> {
    let arm = || prop::array::uniform2(prop_oneof![0_u64..1000, any::<u64>()]);
    (any::<u32>(), 1..=u32::MAX, arm(), arm())
        .prop_map(|(weight, total, canary, stable)| at(weight.min(total), total, canary, stable))
}

proptest! {
    #[test]
    fn evidence_and_bound_are_always_numbers(
        levels in prop::collection::vec(any_level(), 0..4),
        excess in 1e-6_f64..1.0,
        canary_failing in 0.0_f64..=1.0,
        stable_failing in 0.0_f64..=1.0,
    ) {
        let levels = levels.into_iter();
        prop_assert!(log_e(levels.clone(), excess).is_finite());
        prop_assert!((0.0..=1.0).contains(&excess_bound(levels.clone(), THRESHOLD)));
        let outlook = Outlook { share: 1.0, canary_failing, stable_failing };
        let missing = requests_missing(levels.clone(), excess, THRESHOLD, &outlook);
        let certified = log_e(levels, excess) >= THRESHOLD;
        prop_assert!(!certified || missing == Some(0));
    }

    #[test]
    fn evidence_grows_with_the_excess_to_exclude_and_with_each_good_end(
        weight in 1_u32..=1000,
        canary in prop::array::uniform2(0_u64..5000),
        stable in prop::array::uniform2(0_u64..5000),
        excess in 1e-4_f64..0.5,
    ) {
        let evidence = |canary, excess| log_e([at(weight, 1000, canary, stable)].into_iter(), excess);
        let now = evidence(canary, excess);
        let [successes, failures] = canary;
        prop_assert!(evidence(canary, excess * 1.5) > now);
        prop_assert!(evidence([successes + 1, failures], excess) > now);
        prop_assert!(evidence([successes, failures + 1], excess) < now);
    }

    /// The bound and the certificate are two readings of the same evidence.
    #[test]
    fn the_bound_is_where_the_certificate_begins(
        weight in 1_u32..=1000,
        canary in prop::array::uniform2(0_u64..5000),
        stable in prop::array::uniform2(0_u64..5000),
    ) {
        let levels = [at(weight, 1000, canary, stable)].into_iter();
        let bound = excess_bound(levels.clone(), THRESHOLD);
        if bound < 1.0 {
            prop_assert!(log_e(levels.clone(), bound) >= THRESHOLD);
        }
        if bound > 1e-5 {
            prop_assert!(log_e(levels, bound - 1e-6) < THRESHOLD);
        }
    }
}
