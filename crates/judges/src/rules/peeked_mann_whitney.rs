//! Mann and Whitney's test over all requests so far, looked at each minute, against 1.96: what Netflix found
//! to fire in 66 of 100 comparisons of a version with itself (the tech blog on sequential testing, 2024).
//!
//! Failures rank as the slowest. Times are rounded to 1.1 %, ties get the middle rank.

use judge::BasisPoints;

use super::peeked_z::CRITICAL;
use super::ramp::{INTERVAL, Ramp};
use crate::histogram::Histogram;
use crate::trial::{Look, Rule, Seen};

#[derive(Debug, Default)]
pub(crate) struct PeekedMannWhitney {
    ramp: Ramp,
    canary: Histogram,
    stable: Histogram,
}

/// How many standard errors the canary's ranks are above the stable version's; no number where all tie.
fn z(canary: &Histogram, stable: &Histogram) -> f64 {
    let (n, m) = (f64::from(canary.total), f64::from(stable.total));
    let mut slower = 0.0;
    let mut below = 0.0;
    let mut ties = 0.0;
    for (&own, &other) in canary.counts.iter().zip(&stable.counts) {
        let (own, other) = (f64::from(own), f64::from(other));
        slower += own * (below + 0.5 * other);
        below += other;
        let tied = own + other;
        ties += tied * tied * tied - tied;
    }
    let all = n + m;
    let variance = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    (slower - 0.5 * n * m) / variance.sqrt()
}

impl Rule for PeekedMannWhitney {
    fn period(&self) -> f64 {
        INTERVAL
    }

    fn begin(&mut self) -> BasisPoints {
        self.ramp.share()
    }

    fn see(&mut self, seen: &Seen) -> bool {
        match seen.canary {
            true => self.canary.add(seen),
            false => self.stable.add(seen),
        }
        false
    }

    fn look(&mut self, _now: f64) -> Look {
        if z(&self.canary, &self.stable) > CRITICAL {
            return Look::RollBack;
        }
        self.ramp.advance().map_or(Look::Promote, Look::Share)
    }
}

#[cfg(test)]
mod tests {
    use super::z;
    use crate::histogram::Histogram;

    /// Golden value: R 4, `qnorm(wilcox.test(c(1,1,2,3,3,3), c(1,1,1,1,2,2,3), exact = FALSE, correct =
    /// FALSE, alternative = "greater")$p.value, lower.tail = FALSE)`.
    #[test]
    fn agrees_with_r() {
        let of = |counts: [u32; 3]| {
            let mut histogram = Histogram::default();
            histogram.counts[..3].copy_from_slice(&counts);
            histogram.total = counts.iter().sum();
            histogram
        };
        let z = z(&of([2, 1, 3]), &of([4, 2, 1]));
        assert!((z - 1.151_751_1).abs() < 1e-6, "{z}");
    }
}
