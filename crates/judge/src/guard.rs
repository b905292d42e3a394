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

use crate::{counts::Arm, mixture::times};

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

/// The largest share that `bad` of `n` leave possible, with 95 % confidence at every look: Krichevsky and
/// Trofimov's mixture against each share, inverted.
pub(crate) fn at_most(bad: u64, n: u64) -> f64 {
    /// ln 20.
    const THRESHOLD: f64 = 2.995_732_273_553_991;
    const HALVINGS: u32 = 30;
    let (x, rest) = (bad as f64, n.saturating_sub(bad) as f64);
    let log_beta = |a: f64, b: f64| libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let mixture = log_beta(x + 0.5, rest + 0.5) - libm::log(std::f64::consts::PI);
    let excluded = |share: f64| {
        mixture - times(bad, libm::log(share)) - rest * libm::log1p(-share) >= THRESHOLD
    };
    let (mut possible, mut too_many) = (x / (x + rest).max(1.0), 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (possible + too_many);
        if excluded(middle) {
            too_many = middle;
        } else {
            possible = middle;
        }
    }
    too_many
}

#[cfg(test)]
mod tests {
    use super::{at_most, fails, log_e};
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

    #[test]
    fn what_is_possible_shrinks_towards_what_was_seen() {
        assert_eq!(at_most(0, 0), 1.0);
        assert!((0.8..=1.0).contains(&at_most(5, 10)), "{}", at_most(5, 10));
        assert!(
            (0.002..0.005).contains(&at_most(4, 4_000)),
            "{}",
            at_most(4, 4_000)
        );
        assert!(at_most(0, 1_000) < 0.008);
    }

    /// Golden value: the formula above with Python's `math.lgamma`.
    #[test]
    fn agrees_with_the_formula() {
        assert!((log_e(arm(30, 500), 0.02) - 10.323_482_892_080_676).abs() < 1e-9);
    }
}
