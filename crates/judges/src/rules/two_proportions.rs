//! Both arms' requests and failures, and the classical test of their difference.

use crate::trial::Seen;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Proportion {
    pub(crate) failures: f64,
    pub(crate) requests: f64,
}

impl Proportion {
    pub(crate) fn value(self) -> f64 {
        self.failures / self.requests
    }

    /// Of one request.
    pub(crate) fn variance(self) -> f64 {
        self.value() * (1.0 - self.value())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct TwoProportions {
    pub(crate) canary: Proportion,
    pub(crate) stable: Proportion,
}

impl TwoProportions {
    pub(crate) fn add(&mut self, seen: &Seen) {
        let arm = match seen.canary {
            true => &mut self.canary,
            false => &mut self.stable,
        };
        arm.requests += 1.0;
        arm.failures += f64::from(u8::from(seen.failed));
    }

    /// The difference in standard errors, with the pooled variance; no number where nothing failed.
    pub(crate) fn z(&self) -> f64 {
        let (canary, stable) = (self.canary, self.stable);
        let pooled = Proportion {
            failures: canary.failures + stable.failures,
            requests: canary.requests + stable.requests,
        };
        let spread = 1.0 / canary.requests + 1.0 / stable.requests;
        (canary.value() - stable.value()) / (pooled.variance() * spread).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::{Proportion, TwoProportions};

    /// Golden value: R 4, `sqrt(prop.test(c(15, 20), c(500, 2000), correct = FALSE)$statistic)`.
    #[test]
    fn agrees_with_r() {
        let arms = TwoProportions {
            canary: Proportion {
                failures: 15.0,
                requests: 500.0,
            },
            stable: Proportion {
                failures: 20.0,
                requests: 2000.0,
            },
        };
        assert!((arms.z() - 3.404_532_7).abs() < 1e-6, "{}", arms.z());
    }
}
