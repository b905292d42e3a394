//! The logarithm of a weighted mean of e-values.
//!
//! A mean of e-processes with weights fixed beforehand is an e-process, whatever their dependence: that is
//! how several guesses of "how much worse" are tested at once without choosing one after the fact.

/// `ln(sum of weight * exp(log))`, without overflow; `-inf` where every term is zero.
///
/// A term without weight is left out before the largest is looked for: else it would be what the others are
/// measured by, and they would vanish beside it.
pub(crate) fn log_mean(terms: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let terms = terms.filter(|&(weight, _)| weight > 0.0);
    let largest = terms
        .clone()
        .map(|(_, log)| log)
        .fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    let sum = terms
        .map(|(weight, log)| weight * libm::exp(log - largest))
        .sum::<f64>();
    largest + libm::log(sum)
}

/// `count * log`, where nothing that happened weighs nothing, however unlikely it was.
pub(crate) fn times(count: u64, log: f64) -> f64 {
    if count == 0 { 0.0 } else { count as f64 * log }
}

#[cfg(test)]
mod tests {
    use super::log_mean;

    #[test]
    fn terms_without_weight_do_not_count_however_large() {
        let close = |terms: &[(f64, f64)], expected: f64| {
            let mean = log_mean(terms.iter().copied());
            assert!((mean - expected).abs() < 1e-9, "{mean}, not {expected}");
        };
        close(&[(1.0, -800.0), (0.0, 0.0)], -800.0);
        close(&[(0.0, 1000.0), (0.5, 2.0), (0.5, 2.0)], 2.0);
        assert_eq!(log_mean([(0.0, 5.0)].into_iter()), f64::NEG_INFINITY);
    }
}
