//! Whether a version fails too often in itself, whatever the other does: a hold, and no verdict.
//!
//! Failures as a counting process against what the limit allows, `L = limit * requests`, mixed over rates
//! by a Gamma distribution of mean 1 and shape `phi` (Lindon, *Anytime-Valid Inference for Counting
//! Processes*, AISTATS 2025):
//!
//! ```text
//! log E = phi log phi - (phi + N) log(phi + L) + lgamma(phi + N) - lgamma(phi) + L
//! ```
//!
//! It counts only where `N > L`. The judge applies it to the last thousand requests or so, since it asks
//! what is going on now: how sure it is at each look, not over the whole release.

use crate::counts::Arm;

/// The logarithm of the evidence that this arm fails more often than `limit`.
pub(crate) fn log_e(arm: Arm, limit: f64) -> f64 {
    const SHAPE: f64 = 1.0;
    let failures = arm.failures as f64;
    let allowed = limit * arm.requests() as f64;
    if failures <= allowed {
        return 0.0;
    }
    SHAPE * libm::log(SHAPE) - (SHAPE + failures) * libm::log(SHAPE + allowed)
        + libm::lgamma(SHAPE + failures)
        - libm::lgamma(SHAPE)
        + allowed
}

/// Whether it surely does.
pub(crate) fn fails(arm: Arm, limit: f64) -> bool {
    /// Three to one: to hold for nothing costs little.
    const SURE: f64 = 1.098_612_288_668_11;
    log_e(arm, limit) >= SURE
}

#[cfg(test)]
mod tests {
    use super::{fails, log_e};
    use crate::Arm;

    fn arm(failures: u64, requests: u64) -> Arm {
        Arm {
            failures,
            successes: requests - failures,
            ..Arm::default()
        }
    }

    #[test]
    fn only_more_than_the_limit_is_too_many() {
        assert_eq!(log_e(arm(0, 1000), 0.02), 0.0);
        assert_eq!(log_e(arm(20, 1000), 0.02), 0.0);
        assert!(!fails(arm(25, 1000), 0.02));
        assert!(fails(arm(45, 1000), 0.02));
        assert!(fails(arm(5, 5), 0.02));
    }

    /// Golden value: the formula above with Python's `math.lgamma`.
    #[test]
    fn agrees_with_the_formula() {
        assert!((log_e(arm(30, 500), 0.02) - 10.323_482_892_080_676).abs() < 1e-9);
    }
}
