//! Families of evidence against a canary, and how they share the risk of a false rollback.
//!
//! The evidence is the weighted mean of the families' e-values: again an e-value, whatever the dependence
//! between them. That is never weaker than giving each family its part of the risk, since one family alone
//! that passes `1 / (weight * risk)` carries the mean past `1 / risk`; and families that lean the same way add
//! up. A family without data has the e-value 1, and costs the others `ln(1 / weight)` nats at most.

use serde::{Deserialize, Serialize};

use crate::{
    arm_test::{self, BadEvents},
    counts::{Arm, Cell, Counts},
    mixture::log_mean,
    resources::Resources,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Family {
    /// Requests fail more often, or tries of them do.
    Failures,
    /// Requests take longer.
    Latency,
    /// More requests are answered with 4xx.
    ClientErrors,
    /// Requests do not end, or callers give them up.
    Unanswered,
    /// Tasks end by themselves.
    Restarts,
    /// Tasks use more processor time or memory.
    Resources,
}

/// How much of the risk each family has, relative to the others; 0 leaves it out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Weights {
    pub failures: f64,
    pub latency: f64,
    #[serde(alias = "client_errors")]
    pub client_errors: f64,
    pub unanswered: f64,
    pub restarts: f64,
    pub resources: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            failures: 0.6,
            latency: 0.25,
            client_errors: 0.05,
            unanswered: 0.05,
            restarts: 0.03,
            resources: 0.02,
        }
    }
}

impl Weights {
    pub(crate) fn by_name(&self) -> [(&'static str, f64); 6] {
        [
            ("weights.failures", self.failures),
            ("weights.latency", self.latency),
            ("weights.clientErrors", self.client_errors),
            ("weights.unanswered", self.unanswered),
            ("weights.restarts", self.restarts),
            ("weights.resources", self.resources),
        ]
    }

    pub(crate) fn of(&self, family: Family) -> f64 {
        let weight = match family {
            Family::Failures => self.failures,
            Family::Latency => self.latency,
            Family::ClientErrors => self.client_errors,
            Family::Unanswered => self.unanswered,
            Family::Restarts => self.restarts,
            Family::Resources => self.resources,
        };
        weight / self.by_name().map(|(_, weight)| weight).iter().sum::<f64>()
    }
}

/// What one family says, as a natural logarithm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FamilyEvidence {
    pub family: Family,
    /// Its part of the mean; all of them add up to 1.
    pub weight: f64,
    pub log_e: f64,
}

/// What evidence goes up to while nothing is wrong.
const NOW_AND_THEN: f64 = 1.0;

/// The evidence of all families, in a fixed order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Families([FamilyEvidence; 6]);

impl Families {
    pub(crate) fn new(
        weights: &Weights,
        tolerated_ratio: f64,
        counts: &Counts,
        latency: f64,
        restarts: &[BadEvents],
        resources: &Resources,
    ) -> Self {
        let restarts = arm_test::evidence(1.0, restarts.iter().copied());
        let log_es = [
            (Family::Failures, failures(counts, tolerated_ratio)),
            (Family::Latency, latency),
            (Family::ClientErrors, client_errors(counts)),
            (Family::Unanswered, unanswered(counts)),
            (Family::Restarts, restarts),
            (Family::Resources, resources.log_e()),
        ];
        Self(log_es.map(|(family, log_e)| FamilyEvidence {
            family,
            weight: weights.of(family),
            log_e,
        }))
    }

    pub(crate) fn all(&self) -> &[FamilyEvidence] {
        &self.0
    }

    /// The logarithm of the evidence of all together.
    pub(crate) fn log_e(&self) -> f64 {
        log_mean(self.0.iter().map(|family| (family.weight, family.log_e)))
    }

    /// Those that speak against the canary: failures at all, the others by more than they do now and then while
    /// nothing is wrong.
    pub(crate) fn against_canary(self) -> impl Iterator<Item = Family> {
        let speaks = |evidence: &FamilyEvidence| {
            let limit = match evidence.family {
                Family::Failures => 0.0,
                _ => NOW_AND_THEN,
            };
            evidence.weight > 0.0 && evidence.log_e > limit
        };
        self.0
            .into_iter()
            .filter(speaks)
            .map(|evidence| evidence.family)
    }

    /// The family that carries most of the evidence.
    pub(crate) fn leading(&self) -> FamilyEvidence {
        let carries = |evidence: &FamilyEvidence| evidence.log_e + libm::log(evidence.weight);
        let [first, rest @ ..] = self.0;
        rest.into_iter().fold(first, |most, next| {
            if carries(&next) > carries(&most) {
                next
            } else {
                most
            }
        })
    }
}

/// Bad events of one kind, by share.
pub(crate) fn events(
    counts: &Counts,
    of: impl Fn(&Arm) -> u64 + Copy,
) -> impl Iterator<Item = BadEvents> + Clone {
    counts.cells().map(move |Cell { share, tally }| BadEvents {
        share,
        canary: of(&tally.canary),
        stable: of(&tally.stable),
    })
}

/// Failures of any kind, and by what they were: an application that answers 5xx, or none that answers. A
/// canary that fails in its own way shows there sooner, among fewer failures of the stable version.
///
/// Half of "any kind" goes to the requests of which any *try* failed, which costs nothing where none was tried
/// again: both are the same then. Those that failed in the end are among them, as whether another try follows
/// is up to policies and budgets, and not to the coin.
fn failures(counts: &Counts, tolerated_ratio: f64) -> f64 {
    let of = |of: fn(&Arm) -> u64| arm_test::evidence(tolerated_ratio, events(counts, of));
    let seen = of(|arm| arm.failures);
    let retried = counts
        .cells()
        .map(|Cell { tally, .. }| tally.canary.retried.max(tally.stable.retried));
    let tried = match retried.max() {
        None | Some(0) => seen,
        Some(_) => tries(counts, tolerated_ratio),
    };
    let any = log_mean([(0.5, seen), (0.5, tried)].into_iter());
    let (server, broken) = (of(|arm| arm.server_errors), of(Arm::broken));
    log_mean([(0.8, any), (0.1, server), (0.1, broken)].into_iter())
}

/// Requests of which any try failed.
pub(crate) fn tries(counts: &Counts, tolerated_ratio: f64) -> f64 {
    arm_test::evidence(tolerated_ratio, events(counts, Arm::tried_in_vain))
}

fn client_errors(counts: &Counts) -> f64 {
    arm_test::evidence(1.0, events(counts, |arm| arm.client_errors))
}

/// Requests that the canary swallows: its share of those that ended falls below its share of those routed,
/// and of those that callers gave up on it has too many.
fn unanswered(counts: &Counts) -> f64 {
    let given_up = arm_test::evidence(1.0, events(counts, |arm| arm.cancelled));
    log_mean([(0.5, given_up), (0.5, unended(counts))].into_iter())
}

/// Whether too few of the canary's requests end, by more than now and then.
pub(crate) fn swallows(counts: &Counts) -> bool {
    unended(counts) > NOW_AND_THEN
}

/// The arm test on requests that ended, for a canary whose requests are *less* likely to have.
///
/// A slow canary has more requests under way, which is no fault by itself: twice what the stable version has
/// under way for its share, and ten more, are taken for ended. That only takes from the evidence.
fn unended(counts: &Counts) -> f64 {
    const RATIOS: [f64; 4] = [0.3, 0.7, 0.9, 0.97];
    const EXCUSED: f64 = 10.0;
    let under_way = |arm: Arm| arm.routed.saturating_sub(arm.requests());
    let split = || counts.cells().filter(|cell| cell.share.is_split());
    if split().all(|cell| cell.tally.stable.routed == 0) {
        return 0.0;
    }
    let mut excused = EXCUSED;
    for Cell { share, tally } in split() {
        let share = share.as_f64();
        excused += 2.0 * share / (1.0 - share) * under_way(tally.stable) as f64;
    }
    let mut excused = excused as u64;
    let ended: Vec<BadEvents> = split()
        .map(|Cell { share, tally }| {
            let credit = under_way(tally.canary).min(excused);
            excused -= credit;
            BadEvents {
                share,
                canary: tally.canary.requests().saturating_add(credit),
                stable: tally.stable.requests(),
            }
        })
        .collect();
    let weight = 1.0 / RATIOS.len() as f64;
    let log_es = RATIOS.map(|ratio| arm_test::log_e_of(ratio, 1.0, ended.iter().copied()));
    log_mean(log_es.into_iter().map(|log_e| (weight, log_e)))
}

#[cfg(test)]
mod tests;
