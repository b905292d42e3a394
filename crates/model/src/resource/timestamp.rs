//! Instants as App Mesh writes them: a JSON number of seconds since the epoch, here to the millisecond.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "f64", into = "f64")]
pub struct Timestamp(i64);

#[derive(Debug, Error, PartialEq)]
#[error("{0} is no time between the years 0 and 9999, in seconds since the epoch")]
pub struct TimestampError(f64);

impl Timestamp {
    pub fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub fn millis(self) -> i64 {
        self.0
    }

    /// Time passed since `earlier`; none if that is later, as it is when a clock was set back.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0 - earlier.0).unwrap_or_default())
    }
}

impl From<Timestamp> for f64 {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0 as f64 / 1000.0
    }
}

impl TryFrom<f64> for Timestamp {
    type Error = TimestampError;

    fn try_from(seconds: f64) -> Result<Self, TimestampError> {
        const YEAR_ZERO: f64 = -62_167_219_200.0;
        const YEAR_TEN_THOUSAND: f64 = 253_402_300_800.0;
        // Inside these bounds a double holds every millisecond exactly enough to round back to it.
        if !(YEAR_ZERO..YEAR_TEN_THOUSAND).contains(&seconds) {
            return Err(TimestampError(seconds));
        }
        Ok(Self((seconds * 1000.0).round() as i64))
    }
}
