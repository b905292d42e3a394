//! What a release will take, before it begins: how soon a worse canary is found at a share, what that costs,
//! and how soon a good one is certified.
//!
//! At a share `w` a failure is the canary's with probability `q0 = w r0 / (1 - w + w r0)` at the tolerated
//! ratio `r0`, and with `q = w p1 / (w p1 + (1 - w) p0)` where the canary fails with `p1` and the stable version
//! with `p0`. The evidence against the canary grows by `D(q || q0)`, their Kullback-Leibler divergence, with
//! each failure (Wald 1945), and has to grow by the threshold and the price of not knowing the ratio. Requests,
//! time and extra failures follow from how often requests fail. Failures go on while the rollback travels.
//!
//! These are means of what is random: half of the releases take longer, few more than three times as long.

use std::time::Duration;

use crate::certificate::{self, Outlook};
use crate::config::Config;
use crate::counts::Cell;
use crate::family::Family;

/// What the mixture over ratios costs, and what the last failure overshoots, in nats.
const PRICE: f64 = 1.25;

/// What is known before a release begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Requests a second, of both arms.
    pub rate: f64,
    /// How often a request of the stable version fails.
    pub failing: f64,
    /// From a failure until the share that answers it is in force on every proxy.
    pub loop_latency: Duration,
}

/// What it takes to find a worse canary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Of both arms.
    pub requests: f64,
    pub canary_requests: f64,
    pub seconds: f64,
    /// Failures that the stable version would have spared the users, until the rollback is in force.
    pub extra_failures: f64,
}

impl Forecast {
    /// At this share (0 to 1), for a canary whose requests fail this often; none if that is tolerated, or the
    /// share splits nothing.
    pub fn detection(&self, config: &Config, share: f64, canary_failing: f64) -> Option<Detection> {
        let excess = canary_failing - self.failing;
        let odds = share / (1.0 - share);
        let by_canary = share * canary_failing;
        let by_stable = (1.0 - share) * self.failing;
        let failing = by_canary + by_stable;
        let supposed = by_canary / failing;
        let tolerated = odds * config.tolerated_ratio / (1.0 + odds * config.tolerated_ratio);
        let is_split = share > 0.0 && share < 1.0;
        if !is_split || excess.is_nan() || excess <= 0.0 || supposed <= tolerated {
            return None;
        }
        // The other families of evidence say nothing, and what they weigh is lost.
        let price = PRICE - libm::log(config.weights.of(Family::Failures));
        let failures = (config.rollback_threshold() + price) / divergence(supposed, tolerated);
        let requests = failures.max(1.0) / failing;
        let under_way = self.rate * self.loop_latency.as_secs_f64();
        Some(Detection {
            requests,
            canary_requests: share * requests,
            seconds: requests / self.rate,
            extra_failures: share * excess * (requests + under_way),
        })
    }

    /// How many requests of both arms certify a canary that is as good as the stable version; none if no
    /// number does.
    pub fn certification(&self, config: &Config, share: f64) -> Option<u64> {
        let outlook = Outlook {
            share,
            canary_failing: self.failing,
            stable_failing: self.failing,
        };
        certificate::requests_missing(
            std::iter::empty::<Cell>(),
            config.allowed_excess,
            config.promotion_threshold(),
            &outlook,
        )
    }
}

/// Of one coin from another, in nats.
fn divergence(of: f64, from: f64) -> f64 {
    let term = |p: f64, q: f64| if p > 0.0 { p * libm::log(p / q) } else { 0.0 };
    term(of, from) + term(1.0 - of, 1.0 - from)
}

#[cfg(test)]
mod tests {
    use super::Forecast;
    use crate::Config;
    use std::time::Duration;

    fn forecast(failing: f64) -> Forecast {
        Forecast {
            rate: 100.0,
            failing,
            loop_latency: Duration::ZERO,
        }
    }

    /// A fivefold regression from 0.1 % needs the fewest failures at small shares and the fewest requests at
    /// large ones.
    #[test]
    fn a_larger_share_is_faster_and_dearer() {
        let at = |share| {
            forecast(0.001)
                .detection(&Config::default(), share, 0.005)
                .unwrap()
        };
        let shares = [0.001, 0.01, 0.05, 0.2, 0.5];
        for (few, many) in shares.iter().zip(&shares[1..]) {
            let (few, many) = (at(*few), at(*many));
            assert!(few.requests > many.requests && few.seconds > many.seconds);
            assert!(few.extra_failures < many.extra_failures);
        }
        let failures = shares.map(|share| (10.0 * at(share).extra_failures).round() / 10.0);
        assert_eq!(failures, [6.3, 6.4, 6.9, 9.2, 17.5]);
        assert_eq!(at(0.05).seconds, at(0.05).requests / 100.0);
    }

    #[test]
    fn what_is_no_regression_is_never_found() {
        let config = Config::default();
        let found = |share, failing| forecast(0.01).detection(&config, share, failing).is_some();
        assert!(found(0.1, 0.011));
        assert!(!found(0.1, 0.01) && !found(0.1, 0.0) && !found(0.1, f64::NAN));
        assert!(!found(0.0, 0.5) && !found(1.0, 0.5));
        let silent = forecast(0.0).detection(&config, 0.01, 1.0).unwrap();
        assert!(silent.canary_requests < 2.0, "{silent:?}");
    }

    #[test]
    fn failures_go_on_while_the_rollback_travels() {
        let slow = Forecast {
            loop_latency: Duration::from_secs(2),
            ..forecast(0.0)
        };
        let config = Config::default();
        let (slow, at_once) = (
            slow.detection(&config, 0.05, 1.0).unwrap(),
            forecast(0.0).detection(&config, 0.05, 1.0).unwrap(),
        );
        assert!((slow.extra_failures - at_once.extra_failures - 10.0).abs() < 1e-9);
    }

    #[test]
    fn certification_takes_what_the_certificate_takes() {
        let config = Config::default();
        assert_eq!(forecast(0.0).certification(&config, 1.0), Some(1229));
        let half = forecast(0.0).certification(&config, 0.5).unwrap();
        assert!((2450..2460).contains(&half), "{half}");
        assert_eq!(forecast(0.0).certification(&config, 0.0), None);
    }
}
