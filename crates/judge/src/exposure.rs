//! How much traffic the canary may have next, so that a bad one costs users no more than a set budget.
//!
//! While a verdict travels to the proxies, failures go on: at a share `w`, a rate of `R` requests a second,
//! a loop latency `L` and an excess of at most `U`, `w R L U` of them on average. Their number is random, so
//! the average `m` is chosen such that the budget, less the three failures that prove a canary dead, is kept
//! 19 times in 20; then `w = m / (R L U)`. `U` is what the certificate has not excluded yet: 1 at first, and
//! falling about as `6 / n` over `n` canary requests that do not fail, so a healthy canary's share keeps
//! doubling up to the cap. It does not rise before a dead canary is excluded: while the first requests are under
//! way nothing speaks for it, and at a larger share more failures are needed as proof.
//!
//! While evidence leans against the canary, 20 % is the most it gets. To find a fivefold regression at 50 %
//! costs users twice the failures that it costs at 20 % and saves a quarter of the requests; the large share
//! is for the proof that a canary is good.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    config::Config,
    share::{BasisPoints, Share},
    state::{Decision, State},
};

/// What the owner of a release accepts, and what its traffic is like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exposure {
    /// The most additional failures users may see from a dead canary, 19 times in 20.
    pub budget: f64,
    /// Requests a second, of both arms.
    pub rate: f64,
    /// From a failure until the share that answers it is in force on every proxy.
    pub loop_latency: Duration,
    /// The largest first share; 5 to 20 % finds faults with the fewest failures for the time it takes.
    pub first: BasisPoints,
    /// The largest share.
    pub cap: BasisPoints,
}

/// Shares move on a ladder, so that a release meets few different ones; no rung is more than twice the last.
const LADDER: [u32; 24] = [
    1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000, 3000,
    5000, 7000, 10_000,
];

/// The largest share while failures lean towards the canary.
const IN_DOUBT: BasisPoints = BasisPoints::new(2000);

/// The share to set next: at most twice the current one, at least a basis point, and nothing once the
/// canary is rolled back. It is lower than the current one where failures have come in.
pub fn next_share(
    config: &Config,
    state: &State,
    exposure: &Exposure,
    current: BasisPoints,
) -> BasisPoints {
    if state.decision() == Decision::RollBack {
        return BasisPoints::NONE;
    }
    let step = if current == BasisPoints::NONE {
        exposure.first
    } else if is_alive(config, state) {
        BasisPoints::new(current.get().saturating_mul(2))
    } else {
        current
    };
    let cap = if state.leans_against_canary(config) {
        exposure.cap.min(IN_DOUBT)
    } else {
        exposure.cap
    };
    let limit = cap.min(step);
    let is_affordable = |share: BasisPoints| {
        let excess = affordable_excess(exposure, share);
        excess >= 1.0 || state.excludes_excess(config, excess)
    };
    let largest = match limit == exposure.cap {
        true => limit,
        false => rung_up_to(limit),
    };
    if is_affordable(largest) {
        return largest.max(BasisPoints::ONE);
    }
    // The larger a share, the smaller the excess that must be excluded for it.
    let smaller = LADDER.partition_point(|&rung| rung < largest.get());
    let affordable =
        LADDER[..smaller].partition_point(|&rung| is_affordable(BasisPoints::new(rung)));
    BasisPoints::new(LADDER[affordable.saturating_sub(1)])
}

/// The largest rung that is not above this share; none below the first.
fn rung_up_to(share: BasisPoints) -> BasisPoints {
    let rungs = LADDER.partition_point(|&rung| rung <= share.get());
    let last = rungs.checked_sub(1).map(|last| LADDER[last]);
    last.map_or(BasisPoints::NONE, BasisPoints::new)
}

/// Whether the canary is seen to answer: until then it may be dead, and the first share is what a dead one may
/// have. A canary that hangs has no failures to show, but too few answers, or more requests under way than have
/// ended.
fn is_alive(config: &Config, state: &State) -> bool {
    let canary = state.counts().total().canary;
    let under_way = canary.routed.saturating_sub(canary.requests());
    under_way <= canary.requests() && state.answers() && state.excludes_excess(config, 1.0)
}

/// The excess of failures at which this share, for as long as a verdict travels, costs what the budget allows.
fn affordable_excess(exposure: &Exposure, share: BasisPoints) -> f64 {
    let requests =
        exposure.rate * exposure.loop_latency.as_secs_f64() * Share::from(share).as_f64();
    mean_within(exposure.budget) / requests
}

/// The mean of a Poisson number that, with what proves a canary dead before it, stays within the budget 19
/// times in 20: `m + z sqrt(m)` is what is left for it.
fn mean_within(budget: f64) -> f64 {
    /// Failures in a row that prove a canary dead at a small share.
    const PROOF: f64 = 3.0;
    /// The 95 % point of the normal distribution.
    const Z: f64 = 1.644_853_626_951_472_2;
    let left = (budget - PROOF).max(0.5 * budget);
    let root = 0.5 * (libm::sqrt(Z * Z + 4.0 * left) - Z);
    root * root
}

#[cfg(test)]
mod tests {
    use super::{Exposure, next_share};
    use crate::{Arm, BasisPoints, Batch, Config, Level, Share, State, Tally};
    use proptest::prelude::*;
    use std::time::Duration;

    fn exposure(rate: f64, loop_latency: u64) -> Exposure {
        Exposure {
            budget: 10.0,
            rate,
            loop_latency: Duration::from_secs(loop_latency),
            first: BasisPoints::new(1000),
            cap: BasisPoints::new(5000),
        }
    }

    fn after(successes: u64, failures: u64) -> State {
        let tally = Tally {
            canary: Arm {
                successes,
                failures,
                ..Arm::default()
            },
            stable: Arm {
                successes: 19 * successes,
                failures: 19 * failures,
                ..Arm::default()
            },
        };
        let level = Level::new(Share::new(1, 20).unwrap(), tally);
        let mut state = State::default();
        state.absorb(&Config::default(), &Batch::of(level));
        state
    }

    fn next(state: &State, exposure: &Exposure, current: u32) -> u32 {
        next_share(
            &Config::default(),
            state,
            exposure,
            BasisPoints::new(current),
        )
        .get()
    }

    /// m / (R L) with m = 3.7 for a budget of 10, rounded down to the ladder, and never above the first step.
    #[test]
    fn the_first_share_is_what_the_budget_allows_for_a_dead_canary() {
        let first = |rate, latency| next(&State::default(), &exposure(rate, latency), 0);
        assert_eq!(first(100.0, 2), 150);
        assert_eq!(first(100.0, 30), 10);
        assert_eq!(first(1000.0, 2), 15);
        assert_eq!(first(10.0, 2), 1000);
        assert_eq!(first(1e9, 90), 1);
        assert_eq!(first(0.0, 2), 1000);
        assert_eq!(first(f64::NAN, 2), 1);
    }

    #[test]
    fn a_healthy_canary_doubles_up_to_the_cap() {
        let (healthy, exposure) = (after(2000, 0), exposure(100.0, 2));
        assert_eq!(next(&healthy, &exposure, 500), 1000);
        assert_eq!(next(&healthy, &exposure, 1500), 3000);
        assert_eq!(next(&healthy, &exposure, 3000), 5000);
        assert_eq!(next(&healthy, &exposure, 5000), 5000);
    }

    /// Enough stable requests exclude anything, but that of a canary nobody has heard of.
    #[test]
    fn the_share_does_not_rise_before_the_canary_is_seen_to_answer() {
        let (slow, young) = (exposure(1.0, 2), |canary: Arm| {
            let stable = Arm {
                successes: 200,
                routed: 200,
                ..Arm::default()
            };
            let level = Level::new(Share::new(1, 10).unwrap(), Tally { canary, stable });
            let mut state = State::default();
            state.absorb(&Config::default(), &Batch::of(level));
            state
        });
        assert_eq!(next(&State::default(), &slow, 1000), 1000);
        assert_eq!(next(&after(3, 0), &slow, 1000), 1000);
        assert_eq!(next(&after(10, 0), &slow, 1000), 2000);
        let answers = |successes| Arm {
            successes,
            routed: 20,
            ..Arm::default()
        };
        assert_eq!(next(&young(answers(0)), &slow, 1000), 1000);
        assert_eq!(next(&young(answers(9)), &slow, 1000), 1000);
        assert_eq!(next(&young(answers(19)), &slow, 1000), 2000);
        // Where what is under way is not told.
        let unknown = |successes| Arm {
            successes,
            ..Arm::default()
        };
        assert_eq!(next(&young(unknown(6)), &slow, 1000), 1000);
        assert_eq!(next(&young(unknown(16)), &slow, 1000), 2000);
    }

    #[test]
    fn doubt_lowers_the_share() {
        let exposure = exposure(1000.0, 30);
        let healthy = next(&after(2000, 0), &exposure, 1000);
        let doubtful = next(&after(2000, 40), &exposure, 1000);
        assert_eq!(healthy, 300);
        assert_eq!(doubtful, 70);
    }

    #[test]
    fn a_rolled_back_canary_gets_nothing() {
        let mut state = State::default();
        let tally = Tally {
            canary: Arm {
                failures: 9,
                ..Arm::default()
            },
            stable: Arm::default(),
        };
        let level = Level::new(Share::new(1, 20).unwrap(), tally);
        state.absorb(&Config::default(), &Batch::of(level));
        assert_eq!(next(&state, &exposure(1.0, 2), 500), 0);
    }

    proptest! {
        /// One failure among the canary's requests is never proof, so some share always remains.
        #[test]
        fn a_share_is_within_its_limits(
            successes in 0_u64..10_000,
            failures in 0_u64..2,
            rate in 0.0_f64..1e6,
            latency in 0_u64..100,
            current in 0_u32..=10_000,
        ) {
            let exposure = exposure(rate, latency);
            let next = next(&after(successes, failures), &exposure, current);
            let step = if current == 0 { exposure.first.get() } else { 2 * current };
            prop_assert!(1 <= next && next <= step.min(exposure.cap.get()));
        }
    }
}
