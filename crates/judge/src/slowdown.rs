//! Evidence that the canary is not much slower where it matters, at the slowest hundredth: the mirror of
//! [`slowness`](crate::slowness).
//!
//! The claim for a slowdown `d` is "fewer canary requests take longer than `(1 + d) t` than stable ones take
//! longer than `t`", where `t` is the stable version's p99 of late. Given whether a request took longer, each of
//! its own limit, its arm is the coin if the canary is worse by exactly `d`; and a canary that is worse still
//! only lowers the mean of a bet that pays for slow stable and fast canary requests. So the evidence reaches
//! `1 / risk` for a canary whose p99 is worse by `d` or more with a probability of at most `risk`.
//!
//! Several slowdowns are tried at once; each claim stands by itself, and a larger slowdown that is excluded
//! with a smaller one says nothing new.

use serde::{Deserialize, Serialize};

use crate::{
    config::Config,
    counts::Latencies,
    histogram::{Bin, Histogram},
    mixture::log_mean,
    nats::Nats,
    reference::Reference,
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
        let (limit, beyond) = reference.tail(BEYOND);
        let share = share.as_f64();
        let delay = config.tolerated_delay.as_secs_f64() * 1e6;
        let stable = split_at(&latencies.stable, limit);
        for (log_es, slowdown) in self.log_es.iter_mut().zip(SLOWDOWNS) {
            let canary_limit = limit.low() as f64 * (1.0 + slowdown) + delay;
            let canary = split_at(&latencies.canary, Bin::of_micros(canary_limit as u64));
            for (log_e, odds) in log_es.iter_mut().zip(ODDS) {
                let fast = 1.0 / (1.0 - beyond + odds * beyond);
                let sum: f64 = [fast, odds * fast]
                    .into_iter()
                    .zip(canary.into_iter().zip(stable))
                    .map(|(ratio, (canary, stable))| {
                        canary as f64 * libm::log(ratio)
                            - (canary + stable) as f64 * libm::log1p(share * (ratio - 1.0))
                    })
                    .sum();
                log_e.add(sum);
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

/// How many requests took less, and how many at least as long.
fn split_at(latencies: &Histogram, limit: Bin) -> [u64; 2] {
    let slow: u64 = latencies
        .bins()
        .filter(|(bin, _)| *bin >= limit)
        .map(|(_, count)| count)
        .sum();
    [latencies.count() - slow, slow]
}

#[cfg(test)]
mod tests {
    use super::{Latencies, Slowdown};
    use crate::{Bin, Config, Share, histogram::Histogram, reference::Recent};

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

    /// Nothing is slow then, and a canary that takes the same time is as fast as can be.
    #[test]
    fn requests_that_all_take_the_same_time_can_be_compared() {
        let same = after(all_at(50_000, 100), all_at(50_000, 900));
        assert_eq!(same.bound(), Some(0.1));
        let slower = after(all_at(90_000, 100), all_at(50_000, 900));
        assert_eq!(slower.bound(), Some(1.0));
    }
}
