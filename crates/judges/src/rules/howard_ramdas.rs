//! Howard and Ramdas's confidence bands for distributions, valid at every look (Bernoulli 2022;
//! gostevehoward/confseq, `quantiles.cpp`), one around each arm, as Netflix compares them (Lindon, Sanden and
//! Shirikian, KDD 2022).
//!
//! `sup |F_t - F| <= 0.85 sqrt((ln(1 + ln(t / t_min)) + C) / t)` for all `t >= t_min` with probability
//! `1 - alpha`; C = 9.78 for the half of a percent that each arm gets of 1 %. The canary is rolled back when
//! somewhere its band lies wholly below the stable version's: more of its requests are slower. Failures count
//! as the slowest. Looked at every second.

use judge::BasisPoints;

use super::ramp::{INTERVAL, Ramp};
use crate::histogram::Histogram;
use crate::trial::{Look, Rule, Seen};

const A: f64 = 0.85;
const C: f64 = 9.78;
const T_MIN: f64 = 32.0;

#[derive(Debug, Default)]
pub(crate) struct HowardRamdas {
    ramp: Ramp,
    canary: Histogram,
    stable: Histogram,
    looks: u32,
}

/// Half the width of a band after so many requests.
fn radius(requests: u32) -> f64 {
    let t = f64::from(requests);
    if t < T_MIN {
        return 1.0;
    }
    A * (((1.0 + (t / T_MIN).ln()).ln() + C) / t).sqrt()
}

/// Whether the bands are apart somewhere, with the canary the slower one.
fn is_slower(canary: &Histogram, stable: &Histogram) -> bool {
    let gap = radius(canary.total) + radius(stable.total);
    if gap >= 1.0 {
        return false;
    }
    let (n, m) = (f64::from(canary.total), f64::from(stable.total));
    let (mut own, mut other) = (0.0, 0.0);
    canary
        .counts
        .iter()
        .zip(&stable.counts)
        .any(|(&canary, &stable)| {
            own += f64::from(canary) / n;
            other += f64::from(stable) / m;
            other - own > gap
        })
}

impl Rule for HowardRamdas {
    fn period(&self) -> f64 {
        1.0
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
        self.looks += 1;
        if is_slower(&self.canary, &self.stable) {
            return Look::RollBack;
        }
        if self.looks.is_multiple_of(INTERVAL as u32) {
            return self.ramp.advance().map_or(Look::Promote, Look::Share);
        }
        Look::Share(self.ramp.share())
    }
}

#[cfg(test)]
mod tests {
    use super::radius;

    /// The band after 40,000 requests is about 0.015 wide, so a tail of 1 % that moves stays within it.
    #[test]
    fn the_radius_falls_with_the_root() {
        assert_eq!(radius(10), 1.0);
        assert!((radius(40_000) - 0.0147).abs() < 3e-4, "{}", radius(40_000));
    }
}
