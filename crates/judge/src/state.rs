//! What the judge remembers of one release, and the decision that follows from it.
//!
//! Integers only, a few KiB at most, so a state read back from JSON is the state that was written. What
//! has been proved stays proved: the tests are valid at their *first* crossing, so a rollback is final and
//! ends the record (what ends later was already under way), and a certificate, once reached, stands until
//! the evidence against the canary overrules it.
//!
//! The counts do not depend on how requests were batched. When a threshold is crossed can: it is noticed
//! at the end of the batch that crosses it.

use serde::{Deserialize, Serialize};

use crate::{
    arm_test::{self, BadEvents},
    certificate,
    config::Config,
    counts::{Batch, Counts, Tally},
    interval::interval,
    share::Share,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// The canary is worse. Final.
    RollBack,
    /// The canary is good enough.
    Promote,
    /// Neither is proved.
    Continue,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct State {
    counts: Counts,
    /// The last thousand requests or so, for what is going on now.
    recent: Tally,
    /// The share now in force.
    share: Option<Share>,
    rolled_back: bool,
    /// What was counted when the certificate was reached.
    certified: Option<Tally>,
}

impl State {
    const RECENT_REQUESTS: u64 = 1000;

    /// Counts what is new, and decides.
    pub fn absorb(&mut self, config: &Config, batch: &Batch) -> Decision {
        if self.rolled_back {
            return Decision::RollBack;
        }
        for level in &batch.levels {
            self.counts.add(level.cell());
            self.remember(level.tally);
            self.share = Some(level.share);
        }
        self.rolled_back = self.log_e_against(config) >= config.rollback_threshold();
        if !self.rolled_back && self.certified.is_none() && self.is_certifiable(config) {
            self.certified = Some(self.counts.total());
        }
        self.decision()
    }

    pub fn decision(&self) -> Decision {
        if self.rolled_back {
            Decision::RollBack
        } else if self.certified.is_some() {
            Decision::Promote
        } else {
            Decision::Continue
        }
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The share in force when the last request was routed.
    pub fn share(&self) -> Option<Share> {
        self.share
    }

    /// What was counted when the certificate was reached.
    pub fn certified(&self) -> Option<Tally> {
        self.certified
    }

    /// The last requests of both arms: five hundred to a thousand, or all there were.
    pub(crate) fn recent(&self) -> Tally {
        self.recent
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = BadEvents> + Clone + '_ {
        self.counts.cells().map(|level| BadEvents {
            share: level.share,
            canary: level.tally.canary.failures,
            stable: level.tally.stable.failures,
        })
    }

    /// The logarithm of the evidence against the canary.
    pub(crate) fn log_e_against(&self, config: &Config) -> f64 {
        let by_ratio = arm_test::log_e_by_ratio(config.tolerated_ratio, self.failures());
        arm_test::log_e(&by_ratio)
    }

    /// The logarithm of the evidence that the canary's excess of failures is below the allowed one.
    pub(crate) fn log_e_for(&self, config: &Config) -> f64 {
        certificate::log_e(self.counts.cells(), config.allowed_excess)
    }

    /// The canary's excess of failures, from above.
    pub(crate) fn excess_bound(&self, config: &Config) -> f64 {
        certificate::excess_bound(self.counts.cells(), config.promotion_threshold())
    }

    /// Whether the stable version itself fails too often now, and the canary has not been seen to do better.
    ///
    /// The canary cannot be blamed for that, and nobody should promote into it.
    pub(crate) fn is_shared_incident(&self, config: &Config) -> bool {
        let stable = interval(self.recent.stable.failures, self.recent.stable.requests());
        let canary = interval(self.recent.canary.failures, self.recent.canary.requests());
        stable.low > config.failing_share && canary.high > config.failing_share
    }

    /// Waiting is always allowed: the certificate is as valid at a later look. So it also waits while the
    /// odds are against the canary, which catches regressions smaller than the allowed excess.
    fn is_certifiable(&self, config: &Config) -> bool {
        self.log_e_for(config) >= config.promotion_threshold()
            && self.log_e_against(config) <= 0.0
            && !self.is_shared_incident(config)
    }

    fn remember(&mut self, tally: Tally) {
        self.recent.add(tally);
        while self.recent.requests() > Self::RECENT_REQUESTS {
            self.recent.halve();
        }
    }
}

#[cfg(test)]
mod tests;
