//! What the owner of a release may set: how much risk of a wrong verdict, and what counts as worse.

use std::ops::{Deref, RangeInclusive};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{family::Weights, slowdown::SLOWDOWNS};

/// The settings as written; [`Config`] is their checked form.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// The most likely a canary no worse than tolerated is ever rolled back, over the whole release.
    pub false_rollback: f64,
    /// A canary whose failures are at most this many times as likely as the stable version's is tolerated.
    pub tolerated_ratio: f64,
    /// Promotion needs proof that the canary fails less than this much more often than the stable version.
    pub allowed_excess: f64,
    /// The most likely a canary that fails at least that much more often is ever promoted.
    pub false_promotion: f64,
    /// A canary whose requests take this much longer, as a share, is tolerated...
    pub tolerated_slowdown: f64,
    /// ...and by this much on top, whatever they take.
    pub tolerated_delay: Duration,
    /// Promotion needs proof that the slowest hundredth of requests is slower by less than this, as a share,
    /// where latencies are known.
    pub allowed_slowdown: f64,
    /// The most likely that proof is wrong.
    pub slowdown_risk: f64,
    /// A canary's tasks may use this much more processor time and memory than the stable version's, as a share.
    /// None, as in journals of before this was known: neither is compared.
    #[serde(default = "not_compared")]
    pub allowed_growth: Option<f64>,
    /// How the families of evidence share the risk of a false rollback.
    pub weights: Weights,
    /// A version that fails more often than this is in trouble; if the stable one is, the release holds.
    pub failing_share: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            false_rollback: 0.01,
            tolerated_ratio: 1.0,
            allowed_excess: 0.005,
            false_promotion: 0.005,
            tolerated_slowdown: 0.0,
            tolerated_delay: Duration::from_millis(1),
            allowed_slowdown: 0.5,
            slowdown_risk: 0.05,
            allowed_growth: Some(0.5),
            weights: Weights::default(),
            failing_share: 0.02,
        }
    }
}

fn not_compared() -> Option<f64> {
    None
}

/// Settings within their ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Settings", into = "Settings")]
pub struct Config(Settings);

#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("failed to configure the judge: {field} is {value}, give a number from {low} to {high}")]
pub struct ConfigError {
    pub field: &'static str,
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Config {
    const RISK: RangeInclusive<f64> = 1e-9..=0.5;
    const RATIO: RangeInclusive<f64> = 1.0..=100.0;
    const SHARE: RangeInclusive<f64> = 1e-6..=1.0;
    const SLOWDOWN: RangeInclusive<f64> = 0.0..=100.0;
    const GROWTH: RangeInclusive<f64> = 0.0..=100.0;
    const DELAY_SECONDS: RangeInclusive<f64> = 0.0..=3600.0;
    const WEIGHT: RangeInclusive<f64> = 0.0..=1000.0;
    /// One family at least has some.
    const ALL_WEIGHTS: RangeInclusive<f64> = 1e-3..=6000.0;

    pub fn new(mut settings: Settings) -> Result<Self, ConfigError> {
        check("falseRollback", settings.false_rollback, Self::RISK)?;
        check("toleratedRatio", settings.tolerated_ratio, Self::RATIO)?;
        check("allowedExcess", settings.allowed_excess, Self::SHARE)?;
        check("falsePromotion", settings.false_promotion, Self::RISK)?;
        check(
            "toleratedSlowdown",
            settings.tolerated_slowdown,
            Self::SLOWDOWN,
        )?;
        let delay = settings.tolerated_delay.as_secs_f64();
        check("toleratedDelay", delay, Self::DELAY_SECONDS)?;
        let smallest = SLOWDOWNS[0];
        check(
            "allowedSlowdown",
            settings.allowed_slowdown,
            smallest..=100.0,
        )?;
        check("slowdownRisk", settings.slowdown_risk, Self::RISK)?;
        match settings.allowed_growth {
            Some(growth) => check("allowedGrowth", growth, Self::GROWTH)?,
            // What is not compared has no part in the risk.
            None => settings.weights.resources = 0.0,
        }
        let weights = settings.weights.by_name();
        for (name, weight) in weights {
            check(name, weight, Self::WEIGHT)?;
        }
        let all = weights.map(|(_, weight)| weight).iter().sum();
        check("weights", all, Self::ALL_WEIGHTS)?;
        check("failingShare", settings.failing_share, Self::SHARE)?;
        Ok(Self(settings))
    }

    /// What the evidence against the canary must reach, as a natural logarithm.
    pub(crate) fn rollback_threshold(&self) -> f64 {
        -libm::log(self.false_rollback)
    }

    /// What the evidence for the canary must reach, as a natural logarithm.
    pub(crate) fn promotion_threshold(&self) -> f64 {
        -libm::log(self.false_promotion)
    }

    /// What the evidence that the canary is not too slow must reach, as a natural logarithm.
    pub(crate) fn slowdown_threshold(&self) -> f64 {
        -libm::log(self.slowdown_risk)
    }
}

/// A number that is no number is in no range.
fn check(field: &'static str, value: f64, allowed: RangeInclusive<f64>) -> Result<(), ConfigError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(ConfigError {
        field,
        value,
        low: *allowed.start(),
        high: *allowed.end(),
    })
}

impl Deref for Config {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.0
    }
}

impl TryFrom<Settings> for Config {
    type Error = ConfigError;

    fn try_from(settings: Settings) -> Result<Self, ConfigError> {
        Self::new(settings)
    }
}

impl From<Config> for Settings {
    fn from(config: Config) -> Self {
        config.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Config, Settings};
    use crate::family::Family;

    #[test]
    fn the_defaults_are_within_their_ranges() {
        assert_eq!(Config::new(Settings::default()), Ok(Config::default()));
    }

    /// Else a release of before would be judged otherwise than it was.
    #[test]
    fn a_journal_that_knows_no_resources_gives_them_no_part_in_the_risk() {
        let mut written = serde_json::to_value(Config::default()).unwrap();
        written.as_object_mut().unwrap().remove("allowedGrowth");
        let weights = written["weights"].as_object_mut().unwrap();
        weights.remove("resources");
        weights.insert("restarts".into(), 0.05.into());
        let config: Config = serde_json::from_value(written).unwrap();
        assert_eq!(config.allowed_growth, None);
        assert_eq!(config.weights.of(Family::Resources), 0.0);
        assert_eq!(config.weights.of(Family::Failures), 0.6);
    }

    #[test]
    fn settings_read_back_as_they_were_written() {
        let written = serde_json::to_string(&Config::default()).unwrap();
        let read: Config = serde_json::from_str(&written).unwrap();
        assert_eq!(read, Config::default());
    }

    #[test]
    fn what_is_out_of_range_is_named_with_its_range() {
        let refused = |json| {
            serde_json::from_str::<Config>(json)
                .unwrap_err()
                .to_string()
        };
        assert!(
            refused(r#"{"falseRollback":0}"#)
                .contains("falseRollback is 0, give a number from 0.000000001 to 0.5")
        );
        assert!(refused(r#"{"toleratedRatio":0.9}"#).contains("toleratedRatio is 0.9"));
        assert!(refused(r#"{"alpha":0.01}"#).contains("unknown field `alpha`"));
        let settings = Settings {
            allowed_excess: f64::NAN,
            ..Settings::default()
        };
        assert_eq!(Config::new(settings).unwrap_err().field, "allowedExcess");
    }
}
