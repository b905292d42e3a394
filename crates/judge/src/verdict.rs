//! The decision together with everything it rests on, for people, for the journal and for JSON.
//!
//! Computed from a [`State`] and its [`Config`] alone, so it can be had again, bit for bit, at any time.

use serde::{Deserialize, Serialize};

use crate::{
    arm_test::{self, RATIOS},
    certificate::{self, Outlook},
    config::Config,
    counts::{Arm, Tally},
    interval::Rate,
    sentence,
    share::Share,
    state::{Decision, State},
};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    pub decision: Decision,
    /// Why the release should stay where it is for now; only with [`Decision::Continue`].
    pub hold: Option<Hold>,
    /// The reason for the decision in one line, for people.
    pub sentence: String,
    pub evidence: Evidence,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Hold {
    /// The stable version fails too: no fault of the canary, and no time to promote.
    SharedIncident,
}

/// The numbers behind a verdict. Evidence is given as natural logarithms, which never overflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Against the canary: at `rollback_threshold` it is rolled back.
    pub log_e: f64,
    pub rollback_threshold: f64,
    /// The same for each supposed ratio of failure rates.
    pub by_ratio: Vec<RatioEvidence>,
    /// The supposed ratio that explains the failures best; the tolerated one if each explains them worse than
    /// no difference does.
    pub best_ratio: f64,
    /// For the canary: at `promotion_threshold` it is promoted.
    pub log_certificate: f64,
    pub promotion_threshold: f64,
    /// How much more often the canary fails, at most, with the confidence of the certificate.
    pub excess_bound: f64,
    pub allowed_excess: f64,
    /// Failures among each arm's requests.
    pub canary: Rate,
    pub stable: Rate,
    /// How many of all failures the coin alone would have sent to the canary.
    pub expected_canary_failures: f64,
    /// The share now in force, and the share that was measured under it.
    pub share: Option<Share>,
    pub measured_share: Rate,
    /// Requests counted but not used, because too many different shares had been in force.
    pub unused: u64,
    /// How many more requests, of both arms, earn the certificate if both arms go on failing as often as
    /// they have so far at the present share. 0 if it is earned and only waits for the odds against the
    /// canary to even out; `None` when decided, on hold, or not on this course.
    pub missing: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RatioEvidence {
    /// The canary's failure rate over the stable version's, as supposed.
    pub ratio: f64,
    pub log_e: f64,
}

impl State {
    pub fn verdict(&self, config: &Config) -> Verdict {
        let decision = self.decision();
        let hold = (decision == Decision::Continue && self.is_shared_incident(config))
            .then_some(Hold::SharedIncident);
        let mut evidence = self.evidence(config);
        if decision == Decision::Continue && hold.is_none() {
            evidence.missing = self.requests_missing(config);
        }
        Verdict {
            decision,
            hold,
            sentence: sentence::of(decision, hold, &evidence, self, config),
            evidence,
        }
    }

    fn evidence(&self, config: &Config) -> Evidence {
        let by_ratio = arm_test::log_e_by_ratio(config.tolerated_ratio, self.failures());
        let total = self.counts().total();
        let in_force = self.share().map(|share| self.counts().at(share));
        let in_force = in_force.unwrap_or_default();
        Evidence {
            log_e: arm_test::log_e(&by_ratio),
            rollback_threshold: config.rollback_threshold(),
            best_ratio: best_ratio(&by_ratio, config.tolerated_ratio),
            by_ratio: RATIOS
                .iter()
                .zip(by_ratio)
                .map(|(multiple, log_e)| RatioEvidence {
                    ratio: multiple * config.tolerated_ratio,
                    log_e,
                })
                .collect(),
            log_certificate: self.log_e_for(config),
            promotion_threshold: config.promotion_threshold(),
            excess_bound: self.excess_bound(config),
            allowed_excess: config.allowed_excess,
            canary: failure_rate(total.canary),
            stable: failure_rate(total.stable),
            expected_canary_failures: arm_test::expected_by_chance(self.failures()),
            share: self.share(),
            measured_share: Rate::new(in_force.canary.requests(), in_force.requests()),
            unused: self.counts().beyond().requests(),
            missing: None,
        }
    }

    fn requests_missing(&self, config: &Config) -> Option<u64> {
        let Tally { canary, stable } = self.counts().total();
        let stable_failing = failure_rate(stable).share;
        let outlook = Outlook {
            share: self.share()?.as_f64(),
            canary_failing: if canary.requests() == 0 {
                stable_failing
            } else {
                failure_rate(canary).share
            },
            stable_failing,
        };
        certificate::requests_missing(
            self.counts().cells(),
            config.allowed_excess,
            config.promotion_threshold(),
            &outlook,
        )
    }
}

fn failure_rate(arm: Arm) -> Rate {
    Rate::new(arm.failures, arm.requests())
}

fn best_ratio(by_ratio: &[f64; RATIOS.len()], tolerated: f64) -> f64 {
    let no_difference = (1.0, 0.0);
    let (best, _) = RATIOS
        .into_iter()
        .zip(*by_ratio)
        .fold(
            no_difference,
            |best, next| {
                if next.1 > best.1 { next } else { best }
            },
        );
    best * tolerated
}

#[cfg(test)]
mod tests;
