//! Many releases of one kind under one rule, each figure with its 95 % interval.
//!
//! Rates have Wilson's interval, means and quantiles a bootstrap of 200 resamples with a fixed seed.

use judge::Rate;
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

use crate::trial::{Ending, Outcome};

#[derive(Clone, Debug)]
pub(crate) struct Summary {
    outcomes: Vec<Outcome>,
}

/// A figure and its interval; no numbers where nothing was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Summary {
    pub(crate) fn new(outcomes: Vec<Outcome>) -> Self {
        Self { outcomes }
    }

    pub(crate) fn runs(&self) -> u64 {
        self.outcomes.len() as u64
    }

    pub(crate) fn rate(&self, of: impl Fn(&Outcome) -> bool) -> Rate {
        let count = self.outcomes.iter().filter(|outcome| of(outcome)).count();
        Rate::new(count as u64, self.runs())
    }

    pub(crate) fn rolled_back(&self) -> Rate {
        self.rate(|outcome| outcome.ending == Ending::RolledBack)
    }

    pub(crate) fn promoted(&self) -> Rate {
        self.rate(|outcome| outcome.ending == Ending::Promoted)
    }

    pub(crate) fn undecided(&self) -> Rate {
        self.rate(|outcome| outcome.ending == Ending::Undecided)
    }

    /// Over the releases with this ending.
    pub(crate) fn median(&self, ending: Ending, of: fn(&Outcome) -> f64) -> Estimate {
        self.quantile(0.5, |outcome| outcome.ending == ending, of)
    }

    pub(crate) fn quantile(
        &self,
        quantile: f64,
        among: impl Fn(&Outcome) -> bool,
        of: fn(&Outcome) -> f64,
    ) -> Estimate {
        bootstrap(self.values(among, of), |values| {
            let rank = (quantile * values.len() as f64) as usize;
            let rank = rank.min(values.len() - 1);
            let (_, value, _) = values.select_nth_unstable_by(rank, f64::total_cmp);
            *value
        })
    }

    /// Over all releases.
    pub(crate) fn mean(&self, of: fn(&Outcome) -> f64) -> Estimate {
        bootstrap(self.values(|_| true, of), |values| {
            values.iter().sum::<f64>() / values.len() as f64
        })
    }

    pub(crate) fn highest(&self, of: fn(&Outcome) -> f64) -> f64 {
        self.outcomes.iter().map(of).fold(0.0, f64::max)
    }

    fn values(&self, among: impl Fn(&Outcome) -> bool, of: fn(&Outcome) -> f64) -> Vec<f64> {
        let outcomes = self.outcomes.iter().filter(|outcome| among(outcome));
        outcomes.map(of).collect()
    }
}

/// The statistic, and where 95 % of its values over resamples lie.
fn bootstrap(mut values: Vec<f64>, statistic: impl Fn(&mut [f64]) -> f64) -> Estimate {
    const RESAMPLES: usize = 200;
    if values.is_empty() {
        return Estimate {
            value: f64::NAN,
            low: f64::NAN,
            high: f64::NAN,
        };
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(values.len() as u64);
    let mut resample = || {
        let pick = |_| values[random.random_range(0..values.len())];
        let mut drawn: Vec<f64> = (0..values.len()).map(pick).collect();
        statistic(&mut drawn)
    };
    let mut drawn: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    drawn.sort_by(f64::total_cmp);
    let value = statistic(&mut values);
    Estimate {
        value,
        low: drawn[RESAMPLES * 25 / 1000],
        high: drawn[RESAMPLES * 975 / 1000 - 1],
    }
}

#[cfg(test)]
mod tests {
    use super::bootstrap;

    #[test]
    fn the_interval_of_a_mean_is_about_two_standard_errors_wide() {
        let values: Vec<f64> = (0..1000).map(|each| f64::from(each % 100)).collect();
        let mean = bootstrap(values, |values| {
            values.iter().sum::<f64>() / values.len() as f64
        });
        assert_eq!(mean.value, 49.5);
        let error = 28.87 / 1000_f64.sqrt();
        assert!(
            (mean.low - 49.5 + 1.96 * error).abs() < 0.6 * error,
            "{mean:?}"
        );
        assert!(
            (mean.high - 49.5 - 1.96 * error).abs() < 0.6 * error,
            "{mean:?}"
        );
    }

    #[test]
    fn nothing_measured_is_no_number() {
        assert!(bootstrap(Vec::new(), |values| values[0]).value.is_nan());
    }
}
