//! Evidence that the canary is not much slower where it matters, at the slowest hundredth: the mirror of
//! [`slowness`](crate::slowness).
//!
//! The claim for a slowdown `d` is "fewer canary requests take longer than `(1 + d) t` than stable ones take
//! longer than `t`", where `t` is the stable version's p99 of late. Given whether a request took longer, each of
//! its own limit, its arm is the coin if the canary is worse by exactly `d`; and a canary that is worse still
//! only lowers the mean of a bet that pays for slow stable and fast canary requests. So the evidence reaches
//! `1 / risk` for a canary whose p99 is worse by `d` or more with a probability of at most `risk`.
//!
//! Latencies come in bins, and the p99 lies within one. Of the stable requests in it a toss that knows nothing
//! of the arm says which are slow, so often that a hundredth are in all; the toss is not made, its mean is taken.
//! Given what the toss says the bet has a mean of at most 1, so it has over both tosses. Canary requests get
//! no such grace: all are slow from the bin on that holds the lowest the limit can be.
//!
//! Several slowdowns are tried at once; each claim stands by itself, and a larger slowdown that is excluded
//! with a smaller one says nothing new.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::{
    config::Config,
    counts::Latencies,
    histogram::{Bin, Histogram},
    mixture::log_mean,
    nats::Nats,
    reference::{Reference, Tail},
    share::Share,
};

/// The slowdowns that may be excluded.
pub(crate) const SLOWDOWNS: [f64; 6] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0];

/// What remains of the odds of a slow request; the mean of three, with equal weights.
const ODDS: [f64; 3] = [0.75, 0.45, 0.15];

/// The share of requests that lie beyond the quantile.
const BEYOND: f64 = 0.01;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Slowdown {
    log_es: [[Nats; ODDS.len()]; SLOWDOWNS.len()],
    /// How many of the largest slowdowns are excluded for good.
    excluded: usize,
    /// Canary requests that were bet on.
    requests: u64,
}

impl Slowdown {
    /// Bets on requests that ended while one share was in force.
    pub(crate) fn absorb(
        &mut self,
        config: &Config,
        reference: &Reference,
        share: Share,
        latencies: &Latencies,
    ) {
        let tail = reference.tail(BEYOND);
        let share = share.as_f64();
        let delay = config.tolerated_delay.as_secs_f64() * 1e6;
        let stable = Split::at(&latencies.stable, tail.bin);
        for (log_es, slowdown) in self.log_es.iter_mut().zip(SLOWDOWNS) {
            let canary_limit = tail.bin.low() as f64 * (1.0 + slowdown) + delay;
            let canary = Split::at(&latencies.canary, Bin::of_micros(canary_limit as u64));
            for (log_e, odds) in log_es.iter_mut().zip(ODDS) {
                log_e.add(Payoff::new(odds, share, &tail).of(&canary, &stable));
            }
        }
        self.requests = self.requests.saturating_add(latencies.canary.count());
    }

    /// Notes what is excluded now: it stays so.
    pub(crate) fn conclude(&mut self, config: &Config) {
        let excluded = SLOWDOWNS
            .iter()
            .rev()
            .enumerate()
            .filter(|(_, slowdown)| self.log_e(**slowdown) >= config.slowdown_threshold())
            .map(|(place, _)| place + 1);
        self.excluded = excluded.fold(self.excluded, usize::max);
    }

    /// The smallest slowdown that is excluded.
    pub(crate) fn bound(&self) -> Option<f64> {
        let place = SLOWDOWNS.len().checked_sub(self.excluded)?;
        SLOWDOWNS.get(place).copied()
    }

    /// The logarithm of the evidence against the largest slowdown of ours that is at most `slowdown`.
    pub(crate) fn log_e(&self, slowdown: f64) -> f64 {
        let index = SLOWDOWNS.partition_point(|&ours| ours <= slowdown);
        let logs = self.log_es.get(index.saturating_sub(1));
        let logs = logs.copied().unwrap_or_default();
        log_mean(
            logs.into_iter()
                .map(|log| (1.0 / ODDS.len() as f64, log.get())),
        )
    }

    /// How many more canary requests exclude this slowdown, if the evidence goes on growing as it has; `None` if
    /// it does not grow.
    pub(crate) fn requests_missing(&self, config: &Config, slowdown: f64) -> Option<u64> {
        if self.bound().is_some_and(|bound| bound <= slowdown) {
            return Some(0);
        }
        let log_e = self.log_e(slowdown);
        // The mixture costs up to this much at first, whatever comes.
        let grown = log_e + libm::log(ODDS.len() as f64);
        let missing = (config.slowdown_threshold() - log_e) * self.requests as f64 / grown;
        (log_e > 0.0 && missing.is_finite()).then(|| libm::ceil(missing) as u64)
    }
}

/// The logarithms of what one bet pays.
struct Payoff {
    canary: [f64; 2],
    /// Faster than the bin of the p99, in it, and slower.
    stable: [f64; 3],
}

impl Payoff {
    fn new(odds: f64, share: f64, tail: &Tail) -> Self {
        let fast = 1.0 / (1.0 - tail.share + odds * tail.share);
        let slow = odds * fast;
        // What both arms pay is divided by its mean where the coin alone decides, so that this is 1; and a
        // canary that is slow more often gets the lower pay more often.
        let mean = |ratio: f64| 1.0 + share * (ratio - 1.0);
        let tossed = tail.part / mean(slow) + (1.0 - tail.part) / mean(fast);
        Self {
            canary: [fast / mean(fast), slow / mean(slow)].map(libm::log),
            stable: [1.0 / mean(fast), tossed, 1.0 / mean(slow)].map(libm::log),
        }
    }

    fn of(&self, canary: &Split, stable: &Split) -> f64 {
        let [canary_fast, canary_slow] = self.canary;
        let [stable_fast, stable_within, stable_slow] = self.stable;
        canary.faster as f64 * canary_fast
            + (canary.within + canary.slower) as f64 * canary_slow
            + stable.faster as f64 * stable_fast
            + stable.within as f64 * stable_within
            + stable.slower as f64 * stable_slow
    }
}

/// How many requests are faster than a bin, in it, and slower.
#[derive(Default)]
struct Split {
    faster: u64,
    within: u64,
    slower: u64,
}

impl Split {
    fn at(latencies: &Histogram, limit: Bin) -> Self {
        let mut split = Self::default();
        for (bin, count) in latencies.bins() {
            match bin.cmp(&limit) {
                Ordering::Less => split.faster += count,
                Ordering::Equal => split.within += count,
                Ordering::Greater => split.slower += count,
            }
        }
        split
    }
}

#[cfg(test)]
mod tests {
    use super::{Latencies, ODDS, Payoff, Slowdown};
    use crate::{
        Bin, Config, Share,
        histogram::Histogram,
        reference::{Recent, Tail},
    };

    fn all_at(micros: u64, requests: u64) -> Histogram {
        let mut histogram = Histogram::default();
        histogram.add(Bin::of_micros(micros), requests);
        histogram
    }

    fn after(canary: Histogram, stable: Histogram) -> Slowdown {
        let config = Config::default();
        let mut recent = Recent::default();
        recent.add(&stable);
        let reference = recent.reference().unwrap();
        let mut slowdown = Slowdown::default();
        let share = Share::new(1, 10).unwrap();
        slowdown.absorb(&config, &reference, share, &Latencies { canary, stable });
        slowdown.conclude(&config);
        slowdown
    }

    /// A hundredth of them is the tail then, and it takes as many requests to tell as elsewhere.
    #[test]
    fn requests_that_all_take_the_same_time_can_be_compared() {
        let few = after(all_at(50_000, 100), all_at(50_000, 900));
        assert_eq!(few.bound(), None);
        let same = after(all_at(50_000, 1_200), all_at(50_000, 10_800));
        assert_eq!(same.bound(), Some(0.1));
        let slower = after(all_at(90_000, 1_200), all_at(50_000, 10_800));
        assert_eq!(slower.bound(), Some(1.0));
    }

    #[test]
    fn many_requests_in_the_bin_of_the_p99_do_not_hide_a_slower_tail() {
        let tail_of = |slow: u64| {
            let mut canary = all_at(50_000, 3_000 - slow);
            canary.add(Bin::of_micros(500_000), slow);
            after(canary, all_at(50_000, 27_000))
        };
        assert_eq!(tail_of(600).bound(), None);
        assert_eq!(tail_of(30).bound(), None);
        assert_eq!(tail_of(0).bound(), Some(0.1));
    }

    /// What a bet pays on average where only the coin is random, and each arm is slow as often as it may.
    #[test]
    fn a_bet_is_fair_where_the_canary_is_just_too_slow() {
        for (share, part, within) in [(0.1, 0.2, 0.05), (0.5, 0.01, 1.0), (0.9, 1.0, 0.004)] {
            let slower = 0.01 - part * within;
            let tail = Tail {
                bin: Bin::default(),
                part,
                share: 0.0123,
            };
            let mean = |canary_slow: f64, odds: f64| {
                let payoff = Payoff::new(odds, share, &tail);
                let [fast, slow] = payoff.canary.map(f64::exp);
                let canary = canary_slow * slow + (1.0 - canary_slow) * fast;
                let [fast, tossed, slow] = payoff.stable.map(f64::exp);
                let stable = slower * slow + within * tossed + (1.0 - slower - within) * fast;
                share * canary + (1.0 - share) * stable
            };
            for odds in ODDS {
                assert!((mean(0.01, odds) - 1.0).abs() < 1e-12);
                assert!(mean(0.02, odds) < 1.0 && mean(0.001, odds) > 1.0);
            }
        }
    }
}
