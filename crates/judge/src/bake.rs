//! After the promotion: whether the new version does worse than the old version's record.
//!
//! There is no coin any more, so the record stands in: the old version's failing share and the share of its
//! requests beyond its p99, each from above with 95 % confidence, and what a promotion allows on top. A request
//! that fails with at most that chance is no news; `r` times as likely, it is worth the likelihood ratio
//! of a Bernoulli variable. What goes wrong (a leak, a cron hour) may begin at any time, so the evidence is
//! a sum over the instants at which it may have: an e-detector of the Shiryaev-Roberts kind (Shin, Ramdas and
//! Rinaldo 2022), whose instants have weights that add up to 1. So it is an e-process for "never worse than
//! allowed": provided that the record's bounds hold, a false alarm over the whole bake has a probability of at
//! most `false_rollback`.
//!
//! A record too short to tell is taken for one of `failing_share`, more than which no version may fail; where it
//! has no latencies, failures alone are watched.
//!
//! An incident that would have hit the old version too cannot be told from the new version's doing.

use std::time::Duration;

use crate::{
    Config, State,
    counts::{Arm, Batch},
    guard,
    histogram::Bin,
    mixture::{log_mean, times},
    share::Share,
};

/// How many instants a change may begin at, evenly over the bake.
const INSTANTS: u32 = 64;

/// How much worse the new version may have become, as multiples of what the record allows.
const RATIOS: [f64; 6] = [1.5, 2.0, 3.0, 5.0, 10.0, 30.0];

/// What the new version is watched for, and how it did so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Bake {
    threshold: f64,
    length: Duration,
    failing: Detector,
    slow: Detector,
    slow_from: Bin,
    counted: Arm,
    slow_requests: u64,
}

impl Bake {
    /// Takes the stable version's record from a release that was promoted.
    pub fn new(config: &Config, state: &State, length: Duration) -> Self {
        let record = state.counts().total().stable;
        let failing = most_failing(config, record) + config.allowed_excess;
        let latencies = &state.latency().total.stable;
        let p99 = latencies.quantile(0.99).unwrap_or(Duration::MAX);
        let limit = p99.as_secs_f64() * (1.0 + config.allowed_slowdown);
        let limit = Duration::try_from_secs_f64(limit).unwrap_or(Duration::MAX);
        let slow_from = Bin::of(limit.saturating_add(config.tolerated_delay));
        let beyond = Bin::of(p99);
        let slower: u64 = latencies
            .bins()
            .filter(|(bin, _)| *bin >= beyond)
            .map(|(_, count)| count)
            .sum();
        Self {
            threshold: config.rollback_threshold(),
            length,
            failing: Detector::new(failing),
            slow: Detector::new(guard::at_most(slower, latencies.count())),
            slow_from,
            counted: Arm::default(),
            slow_requests: 0,
        }
    }

    /// Counts what ended while the new version had everything, so long after that began.
    pub fn absorb(&mut self, batch: &Batch, since: Duration) {
        let part = since.as_secs_f64() / self.length.as_secs_f64().max(1e-3);
        let instants = ((part * f64::from(INSTANTS)) as u32).saturating_add(1);
        let whole = |level: &&crate::Level| level.share == Share::ALL;
        for level in batch.levels.iter().filter(whole) {
            let arm = level.tally.canary;
            let latencies = &level.latency.canary;
            let slow: u64 = latencies
                .bins()
                .filter(|(bin, _)| *bin >= self.slow_from)
                .map(|(_, count)| count)
                .sum();
            self.failing.absorb(instants, arm.failures, arm.successes);
            self.slow.absorb(instants, slow, latencies.count() - slow);
            self.counted.add(arm);
            self.slow_requests += slow;
        }
    }

    /// The logarithm of the evidence that the new version is worse than the record.
    pub fn log_e(&self) -> f64 {
        log_mean([(0.6, self.failing.log_e()), (0.4, self.slow.log_e())].into_iter())
    }

    /// Why to go back to the old version, if it is worse.
    pub fn alarm(&self) -> Option<String> {
        (self.log_e() >= self.threshold).then(|| {
            let requests = self.counted.requests();
            if self.failing.log_e() >= self.slow.log_e() {
                format!(
                    "{} of {requests} requests failed after the promotion, where the old version's record \
                     allows {:.2} %; evidence e^{:.1}",
                    self.counted.failures,
                    self.failing.allowed * 100.0,
                    self.log_e()
                )
            } else {
                format!(
                    "{} of {requests} requests took longer than {} ms after the promotion, where the old \
                     version's record allows {:.2} %; evidence e^{:.1}",
                    self.slow_requests,
                    self.slow_from.low() / 1000,
                    self.slow.allowed * 100.0,
                    self.log_e()
                )
            }
        })
    }
}

/// The share that may have failed by the record; where that is too short to tell, not more than any version may.
fn most_failing(config: &Config, record: Arm) -> f64 {
    let seen = record.failures as f64 / record.requests().max(1) as f64;
    guard::at_most(record.failures, record.requests()).min(seen.max(config.failing_share))
}

/// The sum over the instants, for each of [`RATIOS`].
#[derive(Clone, Debug, PartialEq)]
struct Detector {
    /// What the record allows.
    allowed: f64,
    instants: u32,
    log_sums: [f64; RATIOS.len()],
}

impl Detector {
    fn new(allowed: f64) -> Self {
        Self {
            allowed: allowed.clamp(1e-6, 1.0),
            instants: 0,
            log_sums: [f64::NEG_INFINITY; RATIOS.len()],
        }
    }

    fn absorb(&mut self, instants: u32, bad: u64, good: u64) {
        let instants = instants.min(INSTANTS);
        let new = f64::from(instants.saturating_sub(self.instants)) / f64::from(INSTANTS);
        self.instants = self.instants.max(instants);
        for (log_sum, ratio) in self.log_sums.iter_mut().zip(RATIOS) {
            // Not more than nearly always; and where the record allows that much, nothing is news.
            let supposed = (ratio * self.allowed).min(0.95).max(self.allowed);
            let begun = log_mean([(1.0, *log_sum), (new, 0.0)].into_iter());
            let mut gain = times(bad, libm::log(supposed / self.allowed));
            if self.allowed < 1.0 && supposed < 1.0 {
                gain += times(good, libm::log1p(-supposed) - libm::log1p(-self.allowed));
            }
            *log_sum = begun + gain;
        }
    }

    /// The instants to come have their weight too, and no evidence yet.
    fn log_e(&self) -> f64 {
        let to_come = 1.0 - f64::from(self.instants) / f64::from(INSTANTS);
        let weight = 1.0 / RATIOS.len() as f64;
        let begun = log_mean(self.log_sums.into_iter().map(|log| (weight, log)));
        log_mean([(1.0, begun), (to_come, 0.0)].into_iter())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

    use super::Bake;
    use crate::{Arm, Batch, Bin, Config, Latencies, Level, Share, State, Tally};

    const LENGTH: Duration = Duration::from_secs(600);

    fn arm(failures: u64, requests: u64) -> Arm {
        Arm {
            failures,
            successes: requests - failures,
            ..Arm::default()
        }
    }

    /// One request in a thousand of the old version failed; all took 20 ms.
    fn promoted() -> Bake {
        let tally = Tally {
            canary: arm(2, 2_000),
            stable: arm(4, 4_000),
        };
        let mut latency = Latencies::default();
        latency
            .canary
            .add(Bin::of(Duration::from_millis(20)), 2_000);
        latency
            .stable
            .add(Bin::of(Duration::from_millis(20)), 4_000);
        let level = Level {
            latency,
            ..Level::new(Share::new(1, 3).unwrap(), tally)
        };
        let mut state = State::default();
        state.absorb(&Config::default(), &Batch::of(level));
        Bake::new(&Config::default(), &state, LENGTH)
    }

    /// A hundred requests a second, whose failing share and latency depend on the second.
    fn alarm_at(
        seed: u64,
        failing: impl Fn(u64) -> f64,
        millis: impl Fn(u64) -> u64,
    ) -> Option<u64> {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut bake = promoted();
        (0..LENGTH.as_secs()).find(|&second| {
            let failures = (0..100)
                .filter(|_| random.random::<f64>() < failing(second))
                .count();
            let tally = Tally {
                canary: arm(failures as u64, 100),
                stable: Arm::default(),
            };
            let mut level = Level::new(Share::ALL, tally);
            level
                .latency
                .canary
                .add(Bin::of(Duration::from_millis(millis(second))), 100);
            bake.absorb(&Batch::of(level), Duration::from_secs(second));
            bake.alarm().is_some()
        })
    }

    #[test]
    fn a_version_that_goes_on_as_the_old_one_did_raises_no_alarm() {
        let alarms = (0..200).filter_map(|seed| alarm_at(seed, |_| 0.001, |_| 20));
        assert_eq!(alarms.count(), 0);
    }

    #[test]
    fn failures_that_begin_late_are_found_within_seconds() {
        for seed in 0..20 {
            let second = alarm_at(
                seed,
                |second| if second < 400 { 0.001 } else { 0.1 },
                |_| 20,
            );
            let second = second.unwrap();
            assert!((400..415).contains(&second), "{second}");
        }
    }

    #[test]
    fn slowness_that_begins_late_is_found_within_seconds() {
        let second = alarm_at(1, |_| 0.001, |second| if second < 300 { 20 } else { 80 });
        assert!((300..303).contains(&second.unwrap()), "{second:?}");
    }

    #[test]
    fn without_a_record_a_version_may_fail_as_often_as_any() {
        let alarm = |failures| {
            let mut bake = Bake::new(&Config::default(), &State::default(), LENGTH);
            let tally = Tally {
                canary: arm(failures, 1_000),
                stable: Arm::default(),
            };
            bake.absorb(&Batch::of(Level::new(Share::ALL, tally)), Duration::ZERO);
            bake.alarm()
        };
        assert_eq!(alarm(20), None);
        assert!(alarm(300).is_some());
    }

    #[test]
    fn requests_under_other_shares_do_not_count() {
        let mut bake = promoted();
        let tally = Tally {
            canary: arm(100, 100),
            stable: Arm::default(),
        };
        let level = Level::new(Share::new(1, 2).unwrap(), tally);
        bake.absorb(&Batch::of(level), Duration::ZERO);
        assert_eq!(bake.alarm(), None);
        assert!(bake.log_e().abs() < 1e-9);
    }
}
