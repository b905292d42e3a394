//! What the judge remembers of one release, and the decision that follows from it.
//!
//! Integers only, some 30 KiB at most, so a state read back from JSON is the state that was written. What
//! has been proved stays proved: the tests are valid at their *first* crossing, so a rollback is final and
//! ends the record (what ends later was already under way), and a certificate, once reached, stands until
//! the evidence against the canary overrules it.
//!
//! The counts do not depend on how requests were batched. The bets on latencies do, since what is bet on a
//! batch is settled by the batches before; and a threshold that is crossed is noticed at the end of the batch
//! that crosses it. The same batches always give the same.

use serde::{Deserialize, Serialize};

use crate::{
    arm_test::BadEvents,
    certificate,
    config::Config,
    counts::{Arm, Batch, Cell, Counts, Tally},
    family::{self, Families, Family},
    guard,
    interval::interval,
    latency::Latency,
    resources::Resources,
    sample_ratio,
    share::Share,
    verdict::Hold,
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
    #[serde(default)]
    latency: Latency,
    /// Tasks that ended by themselves, by the canary's share of the tasks.
    #[serde(default)]
    restarts: Vec<BadEvents>,
    #[serde(default, skip_serializing_if = "Resources::is_empty")]
    resources: Resources,
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
        self.latency.absorb(config, batch);
        for &restarts in &batch.restarts {
            self.note_restarts(restarts);
        }
        if let (Some(allowed_growth), Some(window)) = (config.allowed_growth, &batch.resources) {
            self.resources.absorb(allowed_growth, window);
        }
        self.rolled_back = self.families(config).log_e() >= config.rollback_threshold();
        if !self.rolled_back && self.certified.is_none() && self.is_certifiable(config) {
            self.certified = Some(self.counts.total());
        }
        self.decision()
    }

    /// To be called before batches whose latencies were left out: a canary whose latencies are known is not
    /// certified without them.
    pub fn withhold_latencies(&mut self) {
        self.latency.withhold();
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

    pub(crate) fn latency(&self) -> &Latency {
        &self.latency
    }

    pub(crate) fn restarts(&self) -> &[BadEvents] {
        &self.restarts
    }

    pub(crate) fn resources(&self) -> &Resources {
        &self.resources
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = BadEvents> + Clone + '_ {
        family::events(&self.counts, |arm| arm.failures)
    }

    /// The evidence against the canary.
    pub(crate) fn families(&self, config: &Config) -> Families {
        Families::new(
            &config.weights,
            config.tolerated_ratio,
            &self.counts,
            self.latency.slowness.log_e(),
            &self.restarts,
            &self.resources,
        )
    }

    /// The logarithm of the evidence that requests are not routed by the shares.
    pub(crate) fn log_e_of_misrouting(&self) -> f64 {
        sample_ratio::log_e(self.counts.cells())
    }

    /// The logarithm of the evidence that the canary's excess of failures is below the allowed one.
    pub(crate) fn log_e_for(&self, config: &Config) -> f64 {
        certificate::log_e(self.counts.cells(), config.allowed_excess)
    }

    /// The canary's excess of failures, from above.
    pub(crate) fn excess_bound(&self, config: &Config) -> f64 {
        certificate::excess_bound(self.counts.cells(), config.promotion_threshold())
    }

    /// Whether the evidence excludes that the canary fails so much more often.
    pub(crate) fn excludes_excess(&self, config: &Config, excess: f64) -> bool {
        self.excludes_excess_of(|arm| arm.failures, config, excess)
    }

    fn excludes_excess_of(&self, bad: fn(&Arm) -> u64, config: &Config, excess: f64) -> bool {
        let cells = self.counts.cells().map(|cell| cell.failing(bad));
        certificate::log_e(cells, excess) >= config.promotion_threshold()
    }

    /// Whether the canary gives about half the answers, or more, that its share gives it. One that gives none has
    /// no failures to show either, and the stable version's answers would speak for both.
    pub(crate) fn answers(&self) -> bool {
        let given: f64 = self
            .split()
            .map(|cell| cell.tally.canary.answers() as f64)
            .sum();
        given >= 0.5 * self.answers_explained()
    }

    /// How many answers the canary should have given by its shares.
    pub(crate) fn answers_explained(&self) -> f64 {
        self.split()
            .map(|Cell { share, tally }| {
                let answers = tally.canary.answers() as f64 + tally.stable.answers() as f64;
                share.as_f64() * answers
            })
            .sum()
    }

    fn split(&self) -> impl Iterator<Item = Cell> + '_ {
        self.counts.cells().filter(|cell| cell.share.is_split())
    }

    /// Why nothing may be promoted now, nor the share rise, though the canary is not to blame.
    pub fn hold(&self, config: &Config) -> Option<Hold> {
        /// A thousand to one: nobody loses much by a hold.
        const MISROUTED: f64 = 6.907_755_278_982_137;
        if self.log_e_of_misrouting() >= MISROUTED {
            Some(Hold::SampleRatio)
        } else {
            self.is_shared_incident(config)
                .then_some(Hold::SharedIncident)
        }
    }

    /// Whether the stable version itself fails too often now, and the canary has not been seen to do better.
    ///
    /// The canary cannot be blamed for that, and nobody should promote into it.
    fn is_shared_incident(&self, config: &Config) -> bool {
        let canary = interval(self.recent.canary.failures, self.recent.canary.requests());
        guard::fails(self.recent.stable, config.failing_share) && canary.high > config.failing_share
    }

    /// Waiting is always allowed: the certificates are as valid at a later look. So it also waits while the
    /// odds are against the canary, which catches regressions smaller than the allowed ones.
    fn is_certifiable(&self, config: &Config) -> bool {
        // What is told soonest comes first: this is asked at every look.
        !self.is_shared_incident(config)
            && self.answers()
            && self.log_e_for(config) >= config.promotion_threshold()
            && self.latency.is_certified(config)
            && !self.leans_against_canary(config)
            && self.hold(config).is_none()
    }

    /// Whether any family speaks against the canary so that it matters.
    pub(crate) fn leans_against_canary(&self, config: &Config) -> bool {
        self.leaning(config).next().is_some()
    }

    /// The families that speak against the canary now, but for those whose excess the evidence bounds: else a single
    /// event, which a service that has no other never makes up for, would hold a release for good. What its tasks use
    /// speaks only while it is too much: what they used before nobody minds any more.
    pub(crate) fn leaning(&self, config: &Config) -> impl Iterator<Item = Family> {
        /// Of the allowed excess: failures are to be fewer by far before they are put up with.
        const NEGLIGIBLE: f64 = 0.1;
        let is_below = |part: f64, bad: fn(&Arm) -> u64| {
            self.excludes_excess_of(bad, config, part * config.allowed_excess)
        };
        self.families(config)
            .against_canary()
            .filter(move |family| match family {
                Family::Failures => {
                    // Those that callers saw, and those that other tries hid.
                    !is_below(NEGLIGIBLE, |arm| arm.failures)
                        || !is_below(NEGLIGIBLE, Arm::tried_in_vain)
                }
                Family::ClientErrors => !is_below(1.0, |arm| arm.client_errors),
                Family::Unanswered => {
                    family::swallows(&self.counts) || !is_below(1.0, |arm| arm.cancelled)
                }
                Family::Resources => self.resources.exceed(),
                Family::Latency | Family::Restarts => true,
            })
    }

    fn note_restarts(&mut self, new: BadEvents) {
        let room = self.restarts.len() < Counts::MOST_SHARES;
        let known = self
            .restarts
            .iter_mut()
            .find(|known| known.share == new.share);
        match known {
            Some(known) => {
                known.canary = known.canary.saturating_add(new.canary);
                known.stable = known.stable.saturating_add(new.stable);
            }
            None if room => self.restarts.push(new),
            None => {}
        }
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
