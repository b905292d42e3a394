//! Whether requests are routed as the coin should: the premise of all other evidence.
//!
//! Given the requests routed at one share, those on the canary are binomial. Against that a Dirichlet mixture
//! around the configured share, of concentration 10,000, which looks for small imbalances (Lindon and Malek
//! 2022, as in Optimizely's sample ratio test). Shares have a mixture each; their evidence adds up.
//!
//! A mismatch is no fault of the canary: clients that get round the split, a proxy that does not carry the
//! share it says. Nothing that was counted can be trusted then, so the release holds.

use crate::{counts::Cell, mixture::times};

const CONCENTRATION: f64 = 10_000.0;

/// The logarithm of the evidence that routing does not follow the shares.
pub(crate) fn log_e(cells: impl Iterator<Item = Cell>) -> f64 {
    cells
        .filter(|cell| cell.share.is_split())
        .map(|cell| {
            let share = cell.share.as_f64();
            let (canary, stable) = (cell.tally.canary.routed, cell.tally.stable.routed);
            let (a, b) = (CONCENTRATION * share, CONCENTRATION * (1.0 - share));
            log_beta(a + canary as f64, b + stable as f64)
                - log_beta(a, b)
                - times(canary, libm::log(share))
                - times(stable, libm::log1p(-share))
        })
        .sum()
}

fn log_beta(a: f64, b: f64) -> f64 {
    libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b)
}

#[cfg(test)]
mod tests {
    use super::log_e;
    use crate::{Arm, Cell, Share, Tally};

    fn routed(canary: u64, stable: u64) -> f64 {
        let arm = |routed| Arm {
            routed,
            ..Arm::default()
        };
        let tally = Tally {
            canary: arm(canary),
            stable: arm(stable),
        };
        let share = Share::new(1, 5).unwrap();
        log_e([Cell { share, tally }].into_iter())
    }

    /// Exactly: the mean of the evidence over all outcomes of the coin is 1.
    #[test]
    fn is_an_e_value() {
        let requests = 40_u32;
        let mean: f64 = (0..=requests)
            .map(|canary| {
                let (k, n) = (f64::from(canary), f64::from(requests));
                let choose =
                    libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
                let log = choose + k * 0.2_f64.ln() + (n - k) * 0.8_f64.ln();
                (log + routed(canary.into(), (requests - canary).into())).exp()
            })
            .sum();
        assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn half_a_point_shows_after_a_hundred_thousand_requests() {
        assert!(routed(20_000, 80_000) < 0.0);
        assert!(routed(20_500, 79_500) > 4.6);
        assert!(routed(0, 1000) > 6.9);
    }
}
