//! The decision together with everything it rests on, for people, for the journal and for JSON.
//!
//! Computed from a [`State`] and its [`Config`] alone, so it can be had again, bit for bit, at any time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    arm_test::{self, RATIOS},
    certificate::{self, Outlook},
    config::Config,
    counts::{Arm, Tally},
    family::{self, FamilyEvidence},
    histogram::Histogram,
    interval::Rate,
    resources::ResourceEvidence,
    sentence,
    share::Share,
    slowness::Alternative,
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
    /// Requests are not routed by the shares: what was counted cannot be trusted.
    SampleRatio,
}

/// The numbers behind a verdict. Evidence is given as natural logarithms, which never overflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Against the canary: at `rollback_threshold` it is rolled back.
    pub log_e: f64,
    pub rollback_threshold: f64,
    /// What each family contributes to it.
    pub families: Vec<FamilyEvidence>,
    /// What the failures say for each supposed ratio of their rates.
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
    /// Of requests that ended with an answer or a failure; none where latencies are not known.
    pub latency: Option<LatencyEvidence>,
    /// What tasks used; none where that was not compared.
    pub resources: Option<ResourceEvidence>,
    /// That requests are not routed by the shares; with a thousand to one the release holds.
    pub log_misrouted: f64,
    /// Failures among each arm's requests.
    pub canary: Rate,
    pub stable: Rate,
    /// What another try hid from callers; none where it hid nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<TryEvidence>,
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

/// How long requests took, and what is proved about it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LatencyEvidence {
    pub canary: Quantiles,
    pub stable: Quantiles,
    /// The supposed difference that explains the canary's latencies best.
    pub best: Alternative,
    /// That the canary's p99 is worse by less than is allowed: at `promotion_threshold` that is proved.
    pub log_certificate: f64,
    pub promotion_threshold: f64,
    /// The smallest slowdown of the p99 that is excluded, as a share, and the one that must be.
    pub slowdown_bound: Option<f64>,
    pub allowed_slowdown: f64,
}

/// Of one arm's latencies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    pub p50: Duration,
    pub p99: Duration,
}

impl Quantiles {
    fn of(latencies: &Histogram) -> Self {
        let at = |q| latencies.quantile(q).unwrap_or_default();
        Self {
            p50: at(0.5),
            p99: at(0.99),
        }
    }
}

/// Tries that failed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TryEvidence {
    /// Requests that needed another try and did not fail, among each arm's.
    pub canary: Rate,
    pub stable: Rate,
    /// What all requests of which a try failed say against the canary.
    pub log_e: f64,
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
        let hold = match decision {
            Decision::Continue => self.hold(config),
            _ => None,
        };
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
        let families = self.families(config);
        let total = self.counts().total();
        let in_force = self.share().map(|share| self.counts().at(share));
        let in_force = in_force.unwrap_or_default();
        Evidence {
            log_e: families.log_e(),
            families: families.all().to_vec(),
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
            latency: self.latency_evidence(config),
            resources: self.resources().evidence(),
            log_misrouted: self.log_e_of_misrouting(),
            canary: failure_rate(total.canary),
            stable: failure_rate(total.stable),
            tries: self.try_evidence(config),
            expected_canary_failures: arm_test::expected_by_chance(self.failures()),
            share: self.share(),
            measured_share: Rate::new(in_force.canary.requests(), in_force.requests()),
            unused: self.counts().beyond().requests(),
            missing: None,
        }
    }

    fn try_evidence(&self, config: &Config) -> Option<TryEvidence> {
        let Tally { canary, stable } = self.counts().total();
        let retried = |arm: Arm| Rate::new(arm.retried, arm.requests());
        (canary.retried > 0 || stable.retried > 0).then(|| TryEvidence {
            canary: retried(canary),
            stable: retried(stable),
            log_e: family::tries(self.counts(), config.tolerated_ratio),
        })
    }

    fn latency_evidence(&self, config: &Config) -> Option<LatencyEvidence> {
        let latency = self.latency();
        (!latency.total.is_empty()).then(|| LatencyEvidence {
            canary: Quantiles::of(&latency.total.canary),
            stable: Quantiles::of(&latency.total.stable),
            best: latency.slowness.best(),
            log_certificate: latency.slowdown.log_e(config.allowed_slowdown),
            promotion_threshold: config.slowdown_threshold(),
            slowdown_bound: latency.slowdown.bound(),
            allowed_slowdown: config.allowed_slowdown,
        })
    }

    /// For both certificates, each at its own pace.
    fn requests_missing(&self, config: &Config) -> Option<u64> {
        let share = self.share()?.as_f64();
        let for_failures = self.requests_missing_for_failures(config, share)?;
        if self.latency().is_certified(config) {
            return Some(for_failures);
        }
        let slowdown = &self.latency().slowdown;
        let of_canary = slowdown.requests_missing(config, config.allowed_slowdown)?;
        Some(for_failures.max((of_canary as f64 / share) as u64))
    }

    fn requests_missing_for_failures(&self, config: &Config, share: f64) -> Option<u64> {
        let Tally { canary, stable } = self.counts().total();
        let stable_failing = failure_rate(stable).share;
        let outlook = Outlook {
            share,
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
