//! Evidence that the canary is good enough: a certificate that it fails less than `delta` more often.
//!
//! The null hypothesis is "the canary's failures exceed the stable version's by `delta` or more". Each
//! request is one bet against it. With `X` its arm, `Y` its failure and `w` the share in force, the
//! inverse-probability estimate `Z = XY/w - (1-X)Y/(1-w)` has the mean `tau`, that request's own excess,
//! because the coin is ours. For a stake `k` in (0, 1] the bet pays
//!
//! ```text
//! f = 1 + k w (delta - Z)        no failure:      1 + k w delta
//!                                canary failure:  1 + k (w delta - 1)
//!                                stable failure:  1 + k (w delta + w / (1-w))    w / (1-w) at most 1
//! ```
//!
//! never negative, with mean `1 + k w (delta - tau)`. The product over requests divided by the product of
//! these means is a martingale; where the excess *averaged over the canary's traffic* (each request
//! weighted by `w`) is `delta` or more, the product of the means is at most 1 (the geometric mean is at
//! most the arithmetic one). So by Ville's inequality the chance that the evidence ever reaches `1 / beta`
//! at an instant when that average is `delta` or more is at most `beta`.
//!
//! What is *not* assumed, unlike for a confidence sequence for each arm's rate: that rates are constant,
//! that requests are independent, that the share does not follow the results. Failures of the two versions
//! may rise and fall together; only the coin is random (design-based inference: Ham, Bojinov, Lindon and
//! Tingley 2022; betting: Waudby-Smith and Ramdas 2024). What is assumed: one request's arm does not change
//! another request's end, and requests not yet ended are like those that have. A canary that hangs is seen
//! when its requests time out, not before.
//!
//! The evidence is a mean over six stakes. Betting everything needs fewest requests while nothing fails,
//! `ln(1 / beta) / delta`, 1,060 at 0.5 points and 99.5 %, but is lost at the first failure. Most weight lies
//! at 0.85, the best stake where one request in a thousand fails; so the mixture needs 1,227 without a
//! failure, and the smaller stakes carry services that fail more often than that.

use crate::{
    counts::Cell,
    mixture::{log_mean, times},
};

/// Stakes and their weights, which add up to 1.
const STAKES: [(f64, f64); 6] = [
    (1.0, 0.25),
    (0.85, 0.45),
    (0.5, 0.1),
    (0.25, 0.1),
    (0.1, 0.05),
    (0.04, 0.05),
];

/// The logarithm of what a bet with one stake pays at one share, by how the request ended.
struct Payoff {
    success: f64,
    canary_failure: f64,
    stable_failure: f64,
}

impl Payoff {
    fn new(stake: f64, share: f64, excess: f64) -> Self {
        // At a share of a half and more a stable failure pays at a discount, which only makes the bet
        // harder to win; else a single one at 99 % would decide alone.
        let odds = (share / (1.0 - share)).min(1.0);
        Self {
            success: libm::log1p(stake * share * excess),
            canary_failure: libm::log1p(stake * (share * excess - 1.0)),
            stable_failure: libm::log1p(stake * (share * excess + odds)),
        }
    }

    fn of(&self, cell: &Cell) -> f64 {
        let Cell { tally, .. } = cell;
        times(tally.canary.successes, self.success)
            + times(tally.stable.successes, self.success)
            + times(tally.canary.failures, self.canary_failure)
            + times(tally.stable.failures, self.stable_failure)
    }

    /// What one request is expected to pay, given how often each arm's requests fail.
    fn expected(&self, outlook: &Outlook) -> f64 {
        let canary_failure = outlook.share * outlook.canary_failing;
        let stable_failure = (1.0 - outlook.share) * outlook.stable_failing;
        let mut sum = (1.0 - canary_failure - stable_failure) * self.success;
        if canary_failure > 0.0 {
            sum += canary_failure * self.canary_failure;
        }
        if stable_failure > 0.0 {
            sum += stable_failure * self.stable_failure;
        }
        sum
    }
}

/// How the traffic is expected to go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// The canary's share of the requests.
    pub share: f64,
    /// How often a canary request fails.
    pub canary_failing: f64,
    /// How often a stable request fails.
    pub stable_failing: f64,
}

/// The logarithm of the evidence that the canary's excess of failures is below `excess`.
///
/// Cells without canary traffic carry none and are left out.
pub fn log_e(cells: impl Iterator<Item = Cell> + Clone, excess: f64) -> f64 {
    let logs = STAKES.map(|(stake, _)| log_e_of_stake(cells.clone(), excess, stake));
    mean_over_stakes(&logs)
}

/// The smallest excess that the evidence excludes, 1 where it excludes none and 0 where it excludes any;
/// `threshold` is the logarithm of one over the risk.
///
/// The risk is that the bound is ever below a *constant* excess. Where the excess itself varies, the risk
/// holds for each value fixed beforehand, as the certificate's is, not for all at once.
pub fn excess_bound(cells: impl Iterator<Item = Cell> + Clone, threshold: f64) -> f64 {
    /// Halvings of [0, 1]: finer than a millionth, a ten-thousandth of a point.
    const HALVINGS: u32 = 20;
    let excluded = |excess| log_e(cells.clone(), excess) >= threshold;
    if excluded(0.0) {
        return 0.0;
    }
    let (mut open, mut closed) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (open + closed);
        if excluded(middle) {
            closed = middle;
        } else {
            open = middle;
        }
    }
    closed
}

/// How many more requests, of both arms, bring the evidence to `threshold` if the traffic goes on as
/// foreseen; `None` if none ever do.
pub fn requests_missing(
    cells: impl Iterator<Item = Cell> + Clone,
    excess: f64,
    threshold: f64,
    outlook: &Outlook,
) -> Option<u64> {
    /// A thousand requests a second for thirty thousand years.
    const FURTHEST: u64 = 1 << 50;
    if outlook.share <= 0.0 {
        return None;
    }
    let now = STAKES.map(|(stake, _)| log_e_of_stake(cells.clone(), excess, stake));
    let gain = STAKES.map(|(stake, _)| Payoff::new(stake, outlook.share, excess).expected(outlook));
    let reached = |requests: u64| {
        let mut logs = now;
        for (log, gain) in logs.iter_mut().zip(gain) {
            *log += times(requests, gain);
        }
        mean_over_stakes(&logs) >= threshold
    };
    if reached(0) {
        return Some(0);
    }
    if !reached(FURTHEST) {
        return None;
    }
    // Convex in the number of requests and below the threshold now, so it is crossed once.
    let (mut short, mut enough) = (0, FURTHEST);
    while short < enough {
        let middle = short + (enough - short) / 2;
        if reached(middle) {
            enough = middle;
        } else {
            short = middle + 1;
        }
    }
    Some(enough)
}

fn log_e_of_stake(cells: impl Iterator<Item = Cell>, excess: f64, stake: f64) -> f64 {
    cells
        .map(|cell| (cell, cell.share.as_f64()))
        .filter(|&(_, share)| share > 0.0)
        .map(|(cell, share)| Payoff::new(stake, share, excess).of(&cell))
        .sum()
}

fn mean_over_stakes(logs: &[f64; STAKES.len()]) -> f64 {
    log_mean(
        STAKES
            .iter()
            .zip(logs)
            .map(|(&(_, weight), &log)| (weight, log)),
    )
}

#[cfg(test)]
mod tests;
