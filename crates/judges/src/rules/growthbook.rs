//! GrowthBook's sequential test of the difference of two means, with its defaults: alpha 0.05, tuned for
//! N* = 5,000, failing when the whole interval lies on the wrong side of zero, shipping what is
//! inconclusive at the end (growthbook/growthbook, `docs/statistics/sequential`; the asymptotic confidence
//! sequence of Waudby-Smith and others, arXiv 2103.06476, equations 9 and 161).
//!
//! Looked at each minute, more often than it does itself.

use judge::BasisPoints;

use super::ramp::{INTERVAL, Ramp};
use super::two_proportions::TwoProportions;
use crate::trial::{Look, Rule, Seen};

const ALPHA: f64 = 0.05;
const TUNED_FOR: f64 = 5000.0;

#[derive(Debug, Default)]
pub(crate) struct GrowthBook {
    ramp: Ramp,
    arms: TwoProportions,
}

/// The lower end of the interval of the difference; no number without data or variance.
fn lower(arms: &TwoProportions) -> f64 {
    let requests = arms.canary.requests + arms.stable.requests;
    let squared_error = arms.canary.variance() / arms.canary.requests
        + arms.stable.variance() / arms.stable.requests;
    if squared_error <= 0.0 {
        return f64::NAN;
    }
    arms.canary.value() - arms.stable.value() - half_width(squared_error * requests, requests)
}

/// For a mean of `n` observations of this variance.
fn half_width(variance: f64, n: f64) -> f64 {
    let log_alpha = ALPHA.ln();
    let rho_squared = (-2.0 * log_alpha + (1.0 - 2.0 * log_alpha).ln()) / TUNED_FOR;
    let mixed = n * rho_squared + 1.0;
    (variance * 2.0 * mixed * (mixed.sqrt() / ALPHA).ln() / (n * n * rho_squared)).sqrt()
}

impl Rule for GrowthBook {
    fn period(&self) -> f64 {
        INTERVAL
    }

    fn begin(&mut self) -> BasisPoints {
        self.ramp.share()
    }

    fn see(&mut self, seen: &Seen) -> bool {
        self.arms.add(seen);
        false
    }

    fn look(&mut self, _now: f64) -> Look {
        if lower(&self.arms) > 0.0 {
            return Look::RollBack;
        }
        self.ramp.advance().map_or(Look::Promote, Look::Share)
    }
}

#[cfg(test)]
mod tests {
    use super::half_width;

    /// At N* the sequence is at its tightest: about 1.7 times as wide as a fixed interval.
    #[test]
    fn is_tightest_where_it_is_tuned() {
        let over_fixed = |n: f64| half_width(1.0, n) / (1.96 / n.sqrt());
        let tuned = over_fixed(5000.0);
        assert!((1.4..1.8).contains(&tuned), "{tuned}");
        assert!(over_fixed(100.0) > 2.0 * tuned && over_fixed(1e7) > tuned);
    }
}
