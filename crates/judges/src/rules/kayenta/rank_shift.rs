//! How far one sample is shifted against another: the interval that inverts Mann and Whitney's test, as
//! `wilcox.test` of R computes it from the normal approximation, with ties and a correction for continuity.
//!
//! The statistic is a step function of the supposed shift, so *which* point of a step the search ends at
//! decides; it has to be Brent's search (1973) with R's tolerance. Plain bisection gives other ends where
//! values tie, and with them false alarms.

/// The 99 % point of the normal distribution, for a confidence of 98 %.
const QUANTILE: f64 = 2.326_347_874_040_841;

const TOLERANCE: f64 = 1e-4;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shift {
    /// The lower end of the interval.
    pub(super) lower: f64,
    /// Hodges and Lehmann's estimate.
    pub(super) estimate: f64,
}

/// Of `sample` against `reference`, which hold some values that are not all the same.
pub(super) fn shift(sample: &[f64], reference: &[f64]) -> Shift {
    let lowest = least(sample) - greatest(reference);
    let highest = greatest(sample) - least(reference);
    let root = |quantile: f64| {
        let function = |supposed: f64| standardized(sample, reference, supposed) - quantile;
        let (at_lowest, at_highest) = (function(lowest), function(highest));
        if at_lowest <= 0.0 {
            lowest
        } else if at_highest >= 0.0 {
            highest
        } else {
            brent((lowest, at_lowest), (highest, at_highest), function)
        }
    };
    Shift {
        lower: root(QUANTILE),
        estimate: root(0.0),
    }
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn greatest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// The rank-sum statistic of `sample - supposed` against `reference` in standard errors, moved half a rank
/// towards zero; zero where everything ties.
fn standardized(sample: &[f64], reference: &[f64], supposed: f64) -> f64 {
    let own = sample.iter().map(|value| (value - supposed, true));
    let others = reference.iter().map(|&value| (value, false));
    let mut all: Vec<(f64, bool)> = own.chain(others).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (n, m) = (sample.len() as f64, reference.len() as f64);
    let (mut rank_sum, mut ties, mut ranked) = (0.0, 0.0, 0.0);
    for tied in all.chunk_by(|a, b| a.0 == b.0) {
        let count = tied.len() as f64;
        let of_sample = tied.iter().filter(|(_, own)| *own).count() as f64;
        rank_sum += of_sample * (ranked + 0.5 * (count + 1.0));
        ties += count * count * count - count;
        ranked += count;
    }
    let deviation = rank_sum - 0.5 * n * (n + 1.0) - 0.5 * n * m;
    let correction = match deviation {
        0.0 => 0.0,
        deviation => 0.5 * deviation.signum(),
    };
    let variance = n * m / 12.0 * (n + m + 1.0 - ties / ((n + m) * (n + m - 1.0)));
    if variance <= 0.0 {
        return 0.0;
    }
    (deviation - correction) / variance.sqrt()
}

/// Where a function changes its sign, between two points at which it has different ones.
fn brent(low: (f64, f64), high: (f64, f64), function: impl Fn(f64) -> f64) -> f64 {
    const MOST_STEPS: u32 = 1000;
    // The best point, the one before it, and one on the other side of the root.
    let (mut best, mut last, mut other) = (high, low, low);
    for _ in 0..MOST_STEPS {
        if other.1.abs() < best.1.abs() {
            (last, best, other) = (best, other, best);
        }
        let tolerance = 2.0 * f64::EPSILON * best.0.abs() + 0.5 * TOLERANCE;
        let half = 0.5 * (other.0 - best.0);
        if half.abs() <= tolerance || best.1 == 0.0 {
            return best.0;
        }
        let before = best.0 - last.0;
        let mut step = half;
        if before.abs() >= tolerance
            && last.1.abs() > best.1.abs()
            && let Some(interpolated) = interpolate(best, last, other, before, tolerance)
        {
            step = interpolated;
        }
        if step.abs() < tolerance {
            step = tolerance.copysign(step);
        }
        last = best;
        let at = best.0 + step;
        best = (at, function(at));
        if best.1 * other.1 > 0.0 {
            other = last;
        }
    }
    best.0
}

/// A step by a line through two points, or by an inverse parabola through three; none where it would leave
/// the bracket or shrink too slowly.
fn interpolate(
    best: (f64, f64),
    last: (f64, f64),
    other: (f64, f64),
    before: f64,
    tolerance: f64,
) -> Option<f64> {
    let width = other.0 - best.0;
    let to_last = best.1 / last.1;
    let (p, q) = if last.0 == other.0 {
        (width * to_last, 1.0 - to_last)
    } else {
        let (a, b) = (last.1 / other.1, best.1 / other.1);
        let p = to_last * (width * a * (a - b) - (best.0 - last.0) * (b - 1.0));
        (p, (a - 1.0) * (b - 1.0) * (to_last - 1.0))
    };
    let (p, q) = if p > 0.0 { (p, -q) } else { (-p, q) };
    let is_inside = p < 0.75 * width * q - 0.5 * (tolerance * q).abs();
    let shrinks = p < 0.5 * (before * q).abs();
    (is_inside && shrinks).then_some(p / q)
}

#[cfg(test)]
mod tests {
    use super::shift;

    /// Golden values: R 4, `wilcox.test(x, y, conf.int = TRUE, conf.level = 0.98, exact = FALSE)`, and for
    /// the estimate `uniroot` of the same function with the correction for continuity, which R leaves out
    /// there and Kayenta does not. Where values tie, the last digits show at which end of a step the search
    /// came to rest.
    #[test]
    fn agrees_with_r() {
        let golden: [(&[f64], &[f64], f64, f64); 5] = [
            (
                &[1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30],
                &[0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.13, 1.29],
                -0.559924241982084,
                0.565942052597187,
            ),
            (
                &[
                    9., 3., 2., 1., 3., 6., 3., 8., 2., 4., 2., 2., 5., 2., 4., 1., 4., 0., 9., 3.,
                    5., 3., 10., 7., 9., 1., 4., 4., 8., 3.,
                ],
                &[
                    3., 1., 1., 1., 1., 3., 2., 3., 3., 2., 3., 1., 3., 2., 4., 1., 0., 3., 4., 5.,
                    2., 3., 3., 2., 3., 1., 1., 1., 1., 1.,
                ],
                8.86947168507918e-05,
                1.99998629752934,
            ),
            (
                &[
                    0., 0., 1., 0., 0., 0., 0., 0., 0., 0., 0., 0., 1., 0., 0., 0., 0., 0., 0., 1.,
                    1., 1., 0., 1., 0., 0., 0., 1., 0., 0.,
                ],
                &[
                    0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 1., 0., 0., 0.,
                    0., 0., 0., 0., 0., 0., 0., 0., 0., 0.,
                ],
                -3.23558529436259e-05,
                4.34322583279362e-05,
            ),
            (
                &[
                    20., 20., 22., 23., 21., 24., 23., 25., 25., 23., 21., 15., 22., 26., 28., 25.,
                    16., 19., 30., 21., 20., 20., 18., 16., 23., 22., 22., 19., 29., 17.,
                ],
                &[
                    20., 19., 21., 15., 20., 17., 23., 16., 22., 17., 22., 38., 22., 21., 18., 16.,
                    19., 20., 20., 14., 25., 16., 16., 11., 11., 20., 17., 20., 15., 20.,
                ],
                0.99995807613378,
                2.99999086452594,
            ),
            (
                &[
                    0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.,
                    0., 0., 0., 0., 0., 1., 1., 2., 1., 1.,
                ],
                &[
                    0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.,
                    0., 0., 0., 0., 0., 0., 0., 0., 0., 1.,
                ],
                -8.13844931517144e-05,
                3.70316177282732e-05,
            ),
        ];
        for (sample, reference, lower, estimate) in golden {
            let found = shift(sample, reference);
            assert!((found.lower - lower).abs() < 1e-9, "{found:?}, not {lower}");
            let close = (found.estimate - estimate).abs() < 1e-9;
            assert!(close, "{found:?}, not {estimate}");
        }
    }
}
