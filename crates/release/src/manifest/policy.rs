//! How a release moves its share, and how much harm it may do on the way.

use std::time::Duration;

use model::Share;
use serde::{Deserialize, Serialize};

use super::{Percent, TextDuration};

/// The `release` block of a service; every field has a default that suits most services.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReleaseSettings {
    pub policy: PolicyKind,
    /// For `policy: steps`.
    pub steps: Vec<Percent>,
    /// The least time on each step.
    pub step_time: TextDuration,
    /// The fewest canary requests on each step.
    pub step_requests: u64,
    /// For `policy: auto`: what the judge chooses shares for.
    pub mode: Mode,
    /// For `mode: coverage`: how much of production's mix of requests the canary must have served.
    pub coverage: Percent,
    /// For `policy: auto`: the highest share before the certificate.
    pub max_share: Percent,
    /// For `policy: auto`: the most extra failures users may be expected to see.
    pub failure_budget: f64,
    /// The most likely a canary that is no worse is rolled back, over the whole release.
    pub false_rollback: f64,
    /// Promotion certifies that the canary adds less than this to the share of failed requests...
    pub allowed_excess: f64,
    /// ...and is wrong about it with at most this chance.
    pub false_promotion: f64,
    /// Promotion also proves that the slowest hundredth of requests is slower by less than this.
    pub allowed_slowdown: f64,
    /// A canary whose requests take this much longer is tolerated, as a share and as a time.
    pub tolerated_slowdown: f64,
    pub tolerated_delay: TextDuration,
    /// A canary whose tasks use this much more processor time or memory is tolerated, as a share.
    pub allowed_growth: f64,
    /// How the families of evidence share `false_rollback`.
    pub evidence: judge::Weights,
    /// Latencies of requests that came this soon after the canary's first are left out, as is what tasks used then.
    pub warm_up: TextDuration,
    /// How long the new version is watched, and the old one's tasks kept, after a promotion.
    pub bake: TextDuration,
    /// How long tasks may take to become healthy.
    pub start_timeout: TextDuration,
    /// How long requests in flight may take before their version is stopped.
    pub drain_timeout: TextDuration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyKind {
    /// The judge chooses the share and promotes with a certificate.
    #[default]
    Auto,
    /// Given shares, one after another.
    Steps,
    /// People choose the share; the judge only protects.
    Manual,
}

/// What the judge chooses shares for, always within the budget of failures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A decision soon, with few failures on the way.
    #[default]
    Balanced,
    /// As few failures as possible: small shares, where each failure says most.
    Safest,
    /// As soon as possible: at once the largest share that the budget allows.
    Fastest,
    /// What production is asked for, tried with the canary: small shares where that comes by itself, larger ones
    /// for what is rare, and no promotion before.
    Coverage,
}

impl Default for ReleaseSettings {
    fn default() -> Self {
        let judge = judge::Settings::default();
        Self {
            policy: PolicyKind::default(),
            mode: Mode::default(),
            steps: [5, 25, 50, 100].map(Percent::literal).to_vec(),
            step_time: TextDuration(Duration::from_secs(60)),
            step_requests: 0,
            coverage: Percent::literal(95),
            max_share: Percent::literal(50),
            failure_budget: 10.0,
            false_rollback: judge.false_rollback,
            allowed_excess: judge.allowed_excess,
            false_promotion: judge.false_promotion,
            allowed_slowdown: judge.allowed_slowdown,
            tolerated_slowdown: judge.tolerated_slowdown,
            tolerated_delay: TextDuration(judge.tolerated_delay),
            allowed_growth: judge.allowed_growth.unwrap_or_default(),
            evidence: judge.weights,
            warm_up: TextDuration(Duration::from_secs(5)),
            bake: TextDuration(Duration::ZERO),
            start_timeout: TextDuration(Duration::from_secs(60)),
            drain_timeout: TextDuration(Duration::from_secs(30)),
        }
    }
}

/// A policy with just what it needs: what the planner plans by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    Auto {
        #[serde(default)]
        mode: Mode,
        max_share: Share,
    },
    Steps {
        shares: Vec<Share>,
        least_time: TextDuration,
        least_requests: u64,
    },
    Manual,
}

/// What a release is limited by, whatever moves its share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    pub judge: judge::Config,
    /// The most extra failures users may be expected to see.
    pub failure_budget: f64,
    /// How much of production's mix of requests the canary must have served, where the mode asks for that.
    #[serde(default = "wanted_coverage")]
    pub coverage: Share,
    #[serde(default = "none")]
    pub warm_up: TextDuration,
    #[serde(default = "none")]
    pub bake: TextDuration,
    pub start_timeout: TextDuration,
    pub drain_timeout: TextDuration,
}

fn wanted_coverage() -> Share {
    ReleaseSettings::default().coverage.0
}

/// What releases had before they could be told otherwise.
fn none() -> TextDuration {
    TextDuration(Duration::ZERO)
}

impl ReleaseSettings {
    pub fn policy(&self) -> Policy {
        match self.policy {
            PolicyKind::Auto => Policy::Auto {
                mode: self.mode,
                max_share: self.max_share.0,
            },
            PolicyKind::Steps => Policy::Steps {
                shares: self.steps.iter().map(|step| step.0).collect(),
                least_time: self.step_time,
                least_requests: self.step_requests,
            },
            PolicyKind::Manual => Policy::Manual,
        }
    }

    /// The key and the broken rule, of the first that is broken.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        /// The judge tells twice as many shares apart: some are left for people to set.
        const MOST_STEPS: usize = 32;
        if self.steps.len() > MOST_STEPS {
            let given = self.steps.len();
            return Err((
                "steps",
                format!("has {given} steps, of at most {MOST_STEPS}"),
            ));
        }
        let rising = self.steps.windows(2).all(|pair| pair[0] < pair[1]);
        let ends = self.steps.last().is_some_and(|step| step.0 == Share::WHOLE)
            && self.steps.first().is_some_and(|step| step.0 > Share::ZERO);
        if !(rising && ends) {
            return Err((
                "steps",
                "must rise from above 0 to 100, as in [5, 25, 50, 100]".to_owned(),
            ));
        }
        if self.max_share.0 == Share::ZERO || self.max_share.0 == Share::WHOLE {
            return Err((
                "max_share",
                format!("{} is not between 0 and 100 %", self.max_share.0),
            ));
        }
        if self.coverage.0 == Share::ZERO {
            return Err(("coverage", "0 % is no coverage".to_owned()));
        }
        if !(self.failure_budget.is_finite() && self.failure_budget > 0.0) {
            return Err((
                "failure_budget",
                format!("{} is not above 0", self.failure_budget),
            ));
        }
        self.judge().map(|_| ())
    }

    pub fn limits(&self) -> Limits {
        Limits {
            // Settings that the judge refuses were refused when the manifest was read.
            judge: self.judge().unwrap_or_default(),
            failure_budget: self.failure_budget,
            coverage: self.coverage.0,
            warm_up: self.warm_up,
            bake: self.bake,
            start_timeout: self.start_timeout,
            drain_timeout: self.drain_timeout,
        }
    }

    fn judge(&self) -> Result<judge::Config, (&'static str, String)> {
        let settings = judge::Settings {
            false_rollback: self.false_rollback,
            allowed_excess: self.allowed_excess,
            false_promotion: self.false_promotion,
            allowed_slowdown: self.allowed_slowdown,
            tolerated_slowdown: self.tolerated_slowdown,
            tolerated_delay: self.tolerated_delay.0,
            allowed_growth: Some(self.allowed_growth),
            weights: self.evidence,
            ..judge::Settings::default()
        };
        judge::Config::new(settings).map_err(|error| {
            let key = match error.field {
                "falseRollback" => "false_rollback",
                "allowedExcess" => "allowed_excess",
                "allowedSlowdown" => "allowed_slowdown",
                "toleratedSlowdown" => "tolerated_slowdown",
                "toleratedDelay" => "tolerated_delay",
                "allowedGrowth" => "allowed_growth",
                "weights.failures" => "evidence.failures",
                "weights.latency" => "evidence.latency",
                "weights.clientErrors" => "evidence.client_errors",
                "weights.unanswered" => "evidence.unanswered",
                "weights.restarts" => "evidence.restarts",
                "weights.resources" => "evidence.resources",
                "weights" => "evidence",
                _ => "false_promotion",
            };
            let judge::ConfigError {
                value, low, high, ..
            } = error;
            (key, format!("{value} is not a number from {low} to {high}"))
        })
    }
}
