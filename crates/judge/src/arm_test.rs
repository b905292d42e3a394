//! Evidence that the canary is worse: the arm-assignment e-process.
//!
//! Take the bad events only. If the version makes no difference, then given that a request went bad its arm
//! is still our coin: canary with the probability `w` in force when it was drawn, whatever the traffic, the
//! hour or a shared outage does; the unknown rate cancels (Lindon and Malek, *Anytime-Valid Inference for
//! Multinomial Count Data*, NeurIPS 2022). A canary whose bad events are `r` times as likely gets a bad
//! event with probability `w r / (1 - w + w r)`, so one event is worth the likelihood ratio
//!
//! ```text
//! e(r) = (r / r0)^[canary] * (1 - w + w r0) / (1 - w + w r)      r0 = the tolerated ratio
//! ```
//!
//! Its mean is at most 1 for every true ratio up to `r0`, so the product over events is a supermartingale
//! and by Ville's inequality (1939) reaches `1 / alpha` with probability at most `alpha`, however often one
//! looks and however the share was moved by what was seen.
//!
//! `r` is not known, so the evidence is the mean over eight ratios. They have equal weights: any true ratio
//! then costs at most `ln 8` nats and, since neighbours help, nearer 1.2. More weight on the large ones
//! would save a dead canary nothing (2 failures at a share of 1 or 5 %, 3 at 10 %, which is the fewest any
//! prior can need; 4 at 20 % and 8 at 50 %, one more than that) and cost a twofold regression 15 % more.

use serde::{Deserialize, Serialize};

use crate::{
    mixture::{log_mean, times},
    share::Share,
};

/// How much worse the canary may be, as multiples of the tolerated ratio.
pub const RATIOS: [f64; 8] = [1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1000.0];

/// Bad events of one kind whose requests were drawn at one share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BadEvents {
    pub share: Share,
    pub canary: u64,
    pub stable: u64,
}

impl BadEvents {
    fn total(&self) -> u64 {
        self.canary.saturating_add(self.stable)
    }
}

/// The logarithm of the evidence for each of [`RATIOS`].
///
/// Sums run over the levels in the order given. A share of 0 or 1 carries none, its events are left out.
pub fn log_e_by_ratio(
    tolerated_ratio: f64,
    events: impl Iterator<Item = BadEvents> + Clone,
) -> [f64; RATIOS.len()] {
    RATIOS.map(|multiple| log_e_of(multiple, tolerated_ratio, events.clone()))
}

/// The same for one multiple of the tolerated ratio. A multiple below 1 is evidence that the canary has *fewer*
/// such events.
pub fn log_e_of(
    multiple: f64,
    tolerated_ratio: f64,
    events: impl Iterator<Item = BadEvents>,
) -> f64 {
    let gain = libm::log(multiple);
    events
        .filter(|level| level.share.is_split() && level.total() > 0)
        .map(|level| {
            let share = level.share.as_f64();
            let tolerated = libm::log1p(share * (tolerated_ratio - 1.0));
            let supposed = libm::log1p(share * (tolerated_ratio * multiple - 1.0));
            times(level.canary, gain) - times(level.total(), supposed - tolerated)
        })
        .sum()
}

/// The logarithm of the evidence of these events.
pub(crate) fn evidence(
    tolerated_ratio: f64,
    events: impl Iterator<Item = BadEvents> + Clone,
) -> f64 {
    log_e(&log_e_by_ratio(tolerated_ratio, events))
}

/// The logarithm of the evidence: the mean over [`RATIOS`].
pub fn log_e(by_ratio: &[f64; RATIOS.len()]) -> f64 {
    let weight = 1.0 / RATIOS.len() as f64;
    log_mean(by_ratio.iter().map(|&log| (weight, log)))
}

/// How many of the events the coin alone would have sent to the canary.
pub fn expected_by_chance(events: impl Iterator<Item = BadEvents>) -> f64 {
    events
        .map(|level| times(level.total(), level.share.as_f64()))
        .sum()
}

#[cfg(test)]
mod tests;
