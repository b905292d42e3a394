//! How sure a measured share is: Wilson's score interval (1927) at 95 %.
//!
//! For showing what was measured at one look ("share set 5 %, measured 5.1 % (4.6 to 5.7)"). It is not
//! valid under peeking, so no decision rests on it; decisions rest on e-processes. Wilson's form is
//! sensible at zero of few, and needs nothing but a square root.

use serde::{Deserialize, Serialize};

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// Where a share lies with 95 % confidence, having been met `successes` times in `n`; anywhere from 0 to 1
/// if `n` is 0.
pub fn interval(successes: u64, n: u64) -> Interval {
    if n == 0 {
        return Interval {
            low: 0.0,
            high: 1.0,
        };
    }
    let failures = n.saturating_sub(successes) as f64;
    let (n, successes) = (n as f64, successes.min(n) as f64);
    let centre = successes + 0.5 * Z * Z;
    let half = Z * libm::sqrt(successes * failures / n + 0.25 * Z * Z);
    // The ends are exact where nothing or everything was met; rounding must not blur them.
    Interval {
        low: if successes == 0.0 {
            0.0
        } else {
            (centre - half) / (n + Z * Z)
        },
        high: if failures == 0.0 {
            1.0
        } else {
            (centre + half) / (n + Z * Z)
        },
    }
}

/// A measured share, with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    pub count: u64,
    pub of: u64,
    /// `count / of`, 0 where nothing was measured.
    pub share: f64,
    pub interval: Interval,
}

impl Rate {
    pub fn new(count: u64, of: u64) -> Self {
        Self {
            count,
            of,
            share: if of == 0 {
                0.0
            } else {
                count as f64 / of as f64
            },
            interval: interval(count, of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::interval;

    /// Golden values: scipy 1.17 `binomtest(k, n).proportion_ci(method="wilson")`.
    #[test]
    fn agrees_with_scipy() {
        for (successes, n, low, high) in GOLDEN {
            let interval = interval(successes, n);
            assert!((interval.low - low).abs() < 1e-14, "{successes} of {n}");
            assert!((interval.high - high).abs() < 1e-14, "{successes} of {n}");
        }
    }

    const GOLDEN: [(u64, u64, f64, f64); 9] = [
        (0, 1, 0.0, 0.7934506856227626),
        (1, 1, 0.20654931437723745, 1.0),
        (0, 10, 0.0, 0.27753279986288926),
        (9, 9, 0.7008549515804559, 1.0),
        (51, 1000, 0.03900094277526684, 0.06643548634476167),
        (1, 20, 0.008881448800795402, 0.23613119344674205),
        (3, 7, 0.1582198552514697, 0.7495416354723428),
        (12_345, 1_000_000, 0.012130446166424584, 0.01256330043238542),
        (999_999, 1_000_000, 0.9999943350881957, 0.9999998234754233),
    ];

    #[test]
    fn nothing_measured_could_be_anything() {
        assert_eq!((interval(0, 0).low, interval(0, 0).high), (0.0, 1.0));
        assert_eq!(interval(0, u64::MAX).low, 0.0);
        assert_eq!(interval(7, 5), interval(5, 5));
    }
}
