//! Whole releases in simulation: what the judge promises over many of them, and a naive method that breaks
//! the same promise on the same traffic.
//!
//! Seeds are fixed, so each test gives the same counts every time. The chance of a false rollback is proved
//! exactly, for fixed shares, beside `arm_test`; here the shares follow the evidence and rates move.

use std::ops::Range;

use judge::{Arm, Batch, Config, Decision, State};
use rollout::{FailureRate, Outcome, Policy, Scenario, Traffic, run, scheduled};

#[path = "../examples/simulate/rollout.rs"]
mod rollout;

fn scenario(rate: f64, stable: FailureRate, canary: FailureRate) -> Scenario {
    Scenario {
        rate,
        stable,
        canary,
        limit: 600.0,
    }
}

fn simulate(scenario: Scenario, policy: Policy, seeds: Range<u64>) -> Vec<Outcome> {
    let config = Config::default();
    seeds
        .map(|seed| run(&scenario, policy, &config, seed))
        .collect()
}

fn count(outcomes: &[Outcome], decision: Decision) -> usize {
    outcomes
        .iter()
        .filter(|outcome| outcome.decision == decision)
        .count()
}

fn mean(outcomes: &[Outcome], of: fn(&Outcome) -> f64) -> f64 {
    outcomes.iter().map(of).sum::<f64>() / outcomes.len() as f64
}

/// A wave of five minutes, from 0.1 to 1.9 %.
fn drifting(now: f64) -> f64 {
    0.01 + 0.009 * (now * std::f64::consts::TAU / 300.0).sin()
}

/// A dependency that fails a third of all requests, on both versions, for three minutes.
fn incident(now: f64) -> f64 {
    if (240.0..420.0).contains(&now) {
        0.3
    } else {
        0.001
    }
}

/// The promise is 1 %; at a true rate of 1 % the limit of 1.5 % would be passed once in ten by chance, at
/// the 0.5 % that judges of this kind show, once in ten thousand.
fn assert_rarely_rolled_back(outcomes: &[Outcome]) {
    let rolled_back = count(outcomes, Decision::RollBack);
    assert!(
        rolled_back * 200 <= outcomes.len() * 3,
        "{rolled_back} of {}",
        outcomes.len()
    );
}

#[test]
fn a_healthy_canary_on_a_rising_share_is_rarely_rolled_back() {
    let healthy = scenario(10.0, |_| 0.008, |_| 0.008);
    assert_rarely_rolled_back(&simulate(healthy, Policy::Adaptive, 0..300));
    assert_rarely_rolled_back(&simulate(healthy, Policy::Schedule, 0..300));
}

#[test]
fn a_drifting_failure_rate_is_not_the_canarys_fault() {
    let drift = scenario(10.0, drifting, drifting);
    assert_rarely_rolled_back(&simulate(drift, Policy::Adaptive, 0..300));
    assert_rarely_rolled_back(&simulate(drift, Policy::Schedule, 0..300));
}

#[test]
fn a_shared_incident_is_not_the_canarys_fault() {
    let shared = scenario(10.0, incident, incident);
    assert_rarely_rolled_back(&simulate(shared, Policy::Schedule, 0..300));
}

#[test]
fn half_of_the_healthy_canaries_are_promoted_within_a_minute_at_100_requests_a_second() {
    let outcomes = simulate(
        scenario(100.0, |_| 0.001, |_| 0.001),
        Policy::Adaptive,
        0..60,
    );
    assert!(count(&outcomes, Decision::Promote) >= 59);
    let in_time = outcomes
        .iter()
        .filter(|outcome| outcome.seconds <= 60.0)
        .count();
    assert!(in_time >= 30, "{in_time}");
    let mut requests: Vec<u64> = outcomes
        .iter()
        .map(|outcome| outcome.canary_requests)
        .collect();
    requests.sort_unstable();
    assert!((1227..2000).contains(&requests[30]), "{}", requests[30]);
}

#[test]
fn a_dead_canary_costs_at_most_ten_failures_19_times_in_20_at_any_rate() {
    for rate in [1.0, 10.0, 100.0, 1000.0, 10_000.0] {
        let dead = scenario(rate, |_| 0.001, |_| 1.0);
        let outcomes = simulate(dead, Policy::Adaptive, 0..200);
        assert_eq!(count(&outcomes, Decision::RollBack), outcomes.len());
        let within = outcomes
            .iter()
            .filter(|outcome| outcome.extra_failures <= 10)
            .count();
        assert!(within >= 185, "{within} of 200 at {rate} requests a second");
    }
}

#[test]
fn a_canary_that_fails_every_other_request_costs_less_than_ten_failures_at_any_rate() {
    for (rate, runs) in [(1.0, 60), (100.0, 60), (1000.0, 20)] {
        let broken = scenario(rate, |_| 0.001, |_| 0.5);
        let outcomes = simulate(broken, Policy::Adaptive, 0..runs);
        assert_eq!(count(&outcomes, Decision::RollBack), outcomes.len());
        let failures = mean(&outcomes, |outcome| outcome.extra_failures as f64);
        assert!(failures < 10.0, "{failures} at {rate} requests a second");
    }
}

/// Its excess of 0.4 points is less than the certificate allows, so it may be promoted truthfully; but
/// almost always it is found out first.
#[test]
fn a_fivefold_regression_is_caught_and_costs_about_ten_failures() {
    let regressed = scenario(100.0, |_| 0.001, |_| 0.005);
    let outcomes = simulate(regressed, Policy::Adaptive, 0..300);
    let caught = count(&outcomes, Decision::RollBack);
    assert!(caught >= 290, "{caught} of 300");
    let failures = mean(&outcomes, |outcome| outcome.extra_failures as f64);
    assert!(failures < 12.0, "{failures}");
}

/// At 100 requests a second a dead canary on 5 % is condemned by its third failure.
#[test]
fn a_dead_canary_on_five_percent_is_condemned_by_its_third_failure() {
    for seed in 0..100 {
        let mut traffic = Traffic::new(scenario(100.0, |_| 0.0, |_| 1.0), seed);
        let mut state = State::default();
        let mut failures = 0;
        while state.decision() == Decision::Continue {
            let level = traffic.until_failure(judge::BasisPoints::new(500), 60.0);
            failures += level.tally.canary.failures;
            state.absorb(&Config::default(), &Batch::of(level));
        }
        assert_eq!((state.decision(), failures), (Decision::RollBack, 3));
    }
}

/// A canary exactly as bad as must not be promoted: one in two hundred at most may slip through.
#[test]
fn a_canary_that_is_too_bad_is_rarely_promoted() {
    let too_bad = scenario(100.0, |_| 0.0, |_| 0.005);
    let promoted = count(
        &simulate(too_bad, Policy::Adaptive, 0..300),
        Decision::Promote,
    );
    assert!(promoted <= 4, "{promoted}");
    let drifting_too_bad = scenario(100.0, drifting, |now| drifting(now) + 0.005);
    let outcomes = simulate(drifting_too_bad, Policy::Adaptive, 0..40);
    assert!(count(&outcomes, Decision::Promote) <= 1);
}

/// The difference of two proportions, pooled over the release and compared with 1.96, once a minute.
mod naive {
    use super::{Arm, Scenario, Traffic, scheduled};

    pub(crate) fn blames_canary(scenario: Scenario, seed: u64) -> bool {
        let mut traffic = Traffic::new(scenario, seed);
        let (mut canary, mut stable) = (Arm::default(), Arm::default());
        for minute in 1..=10 {
            let end = f64::from(minute) * 60.0;
            while traffic.now < end {
                let tally = traffic.until_failure(scheduled(traffic.now), end).tally;
                pool(&mut canary, tally.canary);
                pool(&mut stable, tally.stable);
            }
            if z(canary, stable) > 1.96 {
                return true;
            }
        }
        false
    }

    fn pool(all: &mut Arm, new: Arm) {
        all.successes += new.successes;
        all.failures += new.failures;
    }

    fn z(canary: Arm, stable: Arm) -> f64 {
        let (n, m) = (canary.requests() as f64, stable.requests() as f64);
        let (x, y) = (canary.failures as f64, stable.failures as f64);
        let pooled = (x + y) / (n + m);
        (x / n - y / m) / (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt()
    }
}

/// The same traffic, judged naively: looking often finds something, and an incident late in a ramp, when
/// the canary's share is larger than it was on average, looks like the canary's doing (Simpson's paradox).
#[test]
fn a_pooled_test_looked_at_each_minute_blames_healthy_canaries() {
    let blamed = |scenario: Scenario| {
        let seeds = 0..200;
        seeds
            .filter(|&seed| naive::blames_canary(scenario, seed))
            .count()
    };
    let healthy = blamed(scenario(10.0, |_| 0.008, |_| 0.008));
    assert!(healthy > 20, "{healthy} of 200");
    let shared = blamed(scenario(10.0, incident, incident));
    assert!(shared > 190, "{shared} of 200");
}
