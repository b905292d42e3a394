//! Times as the service model writes them: a value and its unit, each optional in the model.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Checker};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Duration {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<DurationUnit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DurationUnit {
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "ms")]
    Milliseconds,
}

/// Limits of an HTTP, HTTP/2 or gRPC conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpTimeout {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_request: Option<Duration>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpTimeout {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
}

impl Duration {
    pub fn seconds(value: i64) -> Self {
        Self {
            unit: Some(DurationUnit::Seconds),
            value: Some(value),
        }
    }

    pub fn milliseconds(value: i64) -> Self {
        Self {
            unit: Some(DurationUnit::Milliseconds),
            value: Some(value),
        }
    }

    /// The time meant; `None` when a half is missing or the value is negative.
    pub fn to_std(&self) -> Option<std::time::Duration> {
        let value = u64::try_from(self.value?).ok()?;
        Some(match self.unit? {
            DurationUnit::Seconds => std::time::Duration::from_secs(value),
            DurationUnit::Milliseconds => std::time::Duration::from_millis(value),
        })
    }
}

impl Check for Duration {
    fn check(&self, at: &mut Checker) {
        at.integer("value", self.value, 0..);
    }
}

impl Check for HttpTimeout {
    fn check(&self, at: &mut Checker) {
        at.member("idle", &self.idle);
        at.member("perRequest", &self.per_request);
    }
}

impl Check for TcpTimeout {
    fn check(&self, at: &mut Checker) {
        at.member("idle", &self.idle);
    }
}
