//! Kayenta's judge `NetflixACAJudge-v1.0` on thirty one-minute points, with a canary and a fresh baseline of
//! 10 % of the traffic each.
//!
//! Two metrics, failures and mean latency of each minute, in groups of equal weight; a minute without
//! requests has no failures and no latency. A metric is High when the lower end of the interval of the shift,
//! at a confidence of 98 %, is above a quarter of its estimate, and the ratio of the means is at least 1 where
//! both are known (spinnaker/kayenta, `NetflixACAJudge.scala`, which has the constants as literals, and
//! `MannWhitneyClassifier.scala`). With one of two groups failing the score is 50, below the customary 75;
//! half of the metrics without data give a score of 0.

mod rank_shift;

use judge::BasisPoints;

use crate::trial::{Look, Rule, Seen};
use rank_shift::{Shift, shift};

const POINTS: u32 = 30;
const SHARE: f64 = 0.1;
const TOLERANCE: f64 = 0.25;
const LEAST_EFFECT: f64 = 1.0;

#[derive(Debug, Default)]
pub(crate) struct Kayenta {
    canary: Series,
    baseline: Series,
}

/// One arm's points.
#[derive(Debug, Default)]
struct Series {
    failures: Vec<f64>,
    latency: Vec<f64>,
    minute: Minute,
}

#[derive(Debug, Default)]
struct Minute {
    requests: f64,
    failures: f64,
    millis: f64,
}

impl Series {
    fn add(&mut self, seen: &Seen) {
        self.minute.requests += 1.0;
        self.minute.failures += f64::from(u8::from(seen.failed));
        self.minute.millis += seen.millis;
    }

    fn end_minute(&mut self) {
        let minute = std::mem::take(&mut self.minute);
        self.failures.push(minute.failures);
        if minute.requests > 0.0 {
            self.latency.push(minute.millis / minute.requests);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Pass,
    High,
    Nodata,
}

/// What becomes of one metric when only an increase is bad.
fn classify(canary: &[f64], baseline: &[f64]) -> Class {
    if canary.is_empty() || baseline.is_empty() {
        return Class::Nodata;
    }
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (own, other) = (sorted(canary), sorted(baseline));
    if own == other {
        return Class::Pass;
    }
    let is_constant = |values: &[f64]| values.first() == values.last();
    let shift = match (is_constant(&own), is_constant(&other)) {
        (true, true) if own.first() == other.first() => return Class::Pass,
        // Without ties inside the samples the ranks say which constant is larger.
        (true, true) => shift(&with_noise(canary), &with_noise(baseline)),
        _ => shift(canary, baseline),
    };
    let Shift { lower, estimate } = shift;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (own, other) = (mean(canary), mean(baseline));
    let is_large = own == 0.0 || other == 0.0 || own / other >= LEAST_EFFECT;
    match lower > TOLERANCE * estimate.abs() && is_large {
        true => Class::High,
        false => Class::Pass,
    }
}

/// Each value moved by about a hundred-thousandth, always in the same way.
fn with_noise(values: &[f64]) -> Vec<f64> {
    let golden = |index: usize| (index as f64 * 0.618_033_988_749_894_9).fract() - 0.5;
    let moved = |(index, value): (usize, &f64)| value * (1.0 + 1e-5 * golden(index));
    values.iter().enumerate().map(moved).collect()
}

impl Rule for Kayenta {
    fn period(&self) -> f64 {
        60.0
    }

    fn begin(&mut self) -> BasisPoints {
        BasisPoints::new((SHARE * 10_000.0) as u32)
    }

    fn see(&mut self, seen: &Seen) -> bool {
        if seen.canary {
            self.canary.add(seen);
        } else if seen.coin < 2.0 * SHARE {
            self.baseline.add(seen);
        }
        false
    }

    fn look(&mut self, _now: f64) -> Look {
        self.canary.end_minute();
        self.baseline.end_minute();
        if self.canary.failures.len() < POINTS as usize {
            return Look::Share(self.begin());
        }
        let failures = classify(&self.canary.failures, &self.baseline.failures);
        let latency = classify(&self.canary.latency, &self.baseline.latency);
        match (failures, latency) {
            (Class::Pass, Class::Pass) => Look::Promote,
            _ => Look::RollBack,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, classify};

    #[test]
    fn a_plain_increase_is_high_and_the_same_is_not() {
        let base: Vec<f64> = (0..30).map(|minute| f64::from(minute % 7)).collect();
        let more: Vec<f64> = base.iter().map(|value| value + 10.0).collect();
        assert_eq!(classify(&more, &base), Class::High);
        assert_eq!(classify(&base, &more), Class::Pass);
        assert_eq!(classify(&base, &base), Class::Pass);
        assert_eq!(classify(&[], &base), Class::Nodata);
    }

    #[test]
    fn constants_are_compared_too() {
        assert_eq!(classify(&[3.0; 30], &[2.0; 30]), Class::High);
        assert_eq!(classify(&[2.0; 30], &[3.0; 30]), Class::Pass);
        assert_eq!(classify(&[2.0; 30], &[2.0; 29]), Class::Pass);
    }

    /// Errors in one minute of four, none in the baseline: the median of the differences is zero.
    #[test]
    fn it_is_blind_where_most_minutes_have_no_failure() {
        let mut rare = [0.0; 30];
        (0..7).for_each(|minute| rare[4 * minute] = 1.0);
        assert_eq!(classify(&rare, &[0.0; 30]), Class::Pass);
    }
}
