//! A release in simulation: random traffic, random arms, and the judge looking after every failure.
//!
//! The evidence against a canary only rises with a failure, so looking after every failure is looking
//! after every request. Shared by the example that prints the figures and the tests that bound them.

use std::time::Duration;

use judge::{Arm, BasisPoints, Batch, Config, Decision, Exposure, Level, State, Tally, next_share};
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

/// How often a request fails, by the seconds since the release began.
pub(crate) type FailureRate = fn(f64) -> f64;

#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// Requests a second.
    pub(crate) rate: f64,
    pub(crate) stable: FailureRate,
    pub(crate) canary: FailureRate,
    /// Seconds after which a release without a decision ends.
    pub(crate) limit: f64,
}

#[derive(Clone, Copy)]
pub(crate) enum Policy {
    /// The share follows the evidence; ends with a certificate or a rollback.
    Adaptive,
    /// 5 % more every minute from 5 to 50 %, whatever comes; ends with a rollback or after ten minutes.
    Schedule,
}

pub(crate) struct Outcome {
    pub(crate) decision: Decision,
    pub(crate) seconds: f64,
    pub(crate) canary_requests: u64,
    /// Failures users saw that the stable version would have spared them, those included that came until
    /// the rollback was in force.
    pub(crate) extra_failures: u64,
}

/// From a failure until the share that answers it is in force.
pub(crate) const LOOP_LATENCY: f64 = 2.0;

/// The largest share.
const CAP: BasisPoints = BasisPoints::new(5000);

pub(crate) fn run(scenario: &Scenario, policy: Policy, config: &Config, seed: u64) -> Outcome {
    let mut traffic = Traffic::new(*scenario, seed);
    let mut state = State::default();
    let mut share = policy.share_at(0.0, config, &state, scenario.rate, BasisPoints::NONE);
    let limit = policy.limit(scenario);
    let mut next_step = policy.period();
    let mut failed = false;
    while traffic.now < limit {
        let level = traffic.until_failure(share, next_step.min(limit));
        failed |= level.tally.canary.failures > 0;
        let decision = state.absorb(config, &Batch::of(level));
        let promoted = decision == Decision::Promote && matches!(policy, Policy::Adaptive);
        if decision == Decision::RollBack {
            let in_force = traffic.now + LOOP_LATENCY;
            while traffic.now < in_force {
                traffic.until_failure(share, in_force);
            }
        }
        if decision == Decision::RollBack || promoted {
            return traffic.outcome(decision);
        }
        if traffic.now >= next_step {
            // At the cap only a failure can change the share: not asking again saves most of the time.
            if failed || share < CAP {
                share = policy.share_at(traffic.now, config, &state, scenario.rate, share);
                failed = false;
            }
            next_step += policy.period();
        }
    }
    traffic.outcome(Decision::Continue)
}

impl Policy {
    fn period(self) -> f64 {
        match self {
            Self::Adaptive => LOOP_LATENCY,
            Self::Schedule => 60.0,
        }
    }

    fn limit(self, scenario: &Scenario) -> f64 {
        match self {
            Self::Adaptive => scenario.limit,
            Self::Schedule => 600.0,
        }
    }

    fn share_at(
        self,
        now: f64,
        config: &Config,
        state: &State,
        rate: f64,
        current: BasisPoints,
    ) -> BasisPoints {
        match self {
            Self::Adaptive => {
                let exposure = Exposure {
                    budget: 10.0,
                    rate,
                    loop_latency: Duration::from_secs_f64(LOOP_LATENCY),
                    first: BasisPoints::new(1000),
                    cap: CAP,
                };
                next_share(config, state, &exposure, current)
            }
            Self::Schedule => scheduled(now),
        }
    }
}

/// 5 % more every minute, up to 50 %.
pub(crate) fn scheduled(now: f64) -> BasisPoints {
    BasisPoints::new(500 * (1 + (now / 60.0) as u32)).min(CAP)
}

/// Requests arriving at random (Poisson).
pub(crate) struct Traffic {
    scenario: Scenario,
    random: Xoshiro256PlusPlus,
    pub(crate) now: f64,
    next_arrival: f64,
    canary_requests: u64,
    extra_failures: u64,
}

impl Traffic {
    pub(crate) fn new(scenario: Scenario, seed: u64) -> Self {
        let mut traffic = Self {
            scenario,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            now: 0.0,
            next_arrival: 0.0,
            canary_requests: 0,
            extra_failures: 0,
        };
        traffic.schedule_arrival();
        traffic
    }

    /// What happens at one share until a request fails, or the given time if none does before.
    pub(crate) fn until_failure(&mut self, share: BasisPoints, until: f64) -> Level {
        let on_canary = f64::from(share.get()) / f64::from(BasisPoints::ALL.get());
        let mut tally = Tally::default();
        while self.next_arrival < until {
            self.now = self.next_arrival;
            self.schedule_arrival();
            let luck = self.random.random::<f64>();
            let stable_fails = luck < (self.scenario.stable)(self.now);
            let failed = if self.random.random::<f64>() < on_canary {
                let canary_fails = luck < (self.scenario.canary)(self.now);
                self.canary_requests += 1;
                self.extra_failures += u64::from(canary_fails && !stable_fails);
                end(&mut tally.canary, canary_fails)
            } else {
                end(&mut tally.stable, stable_fails)
            };
            if failed {
                return Level::new(share.into(), tally);
            }
        }
        self.now = until;
        Level::new(share.into(), tally)
    }

    fn schedule_arrival(&mut self) {
        let uniform = 1.0 - self.random.random::<f64>();
        self.next_arrival += -uniform.ln() / self.scenario.rate;
    }

    fn outcome(&self, decision: Decision) -> Outcome {
        Outcome {
            decision,
            seconds: self.now,
            canary_requests: self.canary_requests,
            extra_failures: self.extra_failures,
        }
    }
}

fn end(arm: &mut Arm, failed: bool) -> bool {
    if failed {
        arm.failures += 1;
    } else {
        arm.successes += 1;
    }
    failed
}
