//! The logarithm of a weighted mean of e-values.
//!
//! A mean of e-processes with weights fixed beforehand is an e-process, whatever their dependence: that is
//! how several guesses of "how much worse" are tested at once without choosing one after the fact.

/// `ln(sum of weight * exp(log))`, without overflow; `-inf` where every term is zero.
pub(crate) fn log_mean(terms: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
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
