//! What a proxy reports: for every split, what happened on each arm while given weights were in force.
//!
//! Counts are *increments* since the last report, so reports of many proxies and many instants add up.
//! A request belongs to the weights in force when its arm was drawn, however late it ends: the judge's
//! test conditions on exactly that weight.

pub mod answers;
pub mod templates;

use std::collections::BTreeMap;

use answers::Answers;
use serde::{Deserialize, Serialize};

/// One proxy's increments since its last report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observations {
    pub node: String,
    pub cells: Vec<Cell>,
}

/// One split under one set of weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// `Split::id`.
    pub split: String,
    #[serde(default)]
    pub kind: Kind,
    /// The weights in force when these requests drew their arm, in the order of the split's targets.
    pub arms: Vec<Arm>,
}

/// How the requests of a cell came to their arm.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// Drawn by weight: evidence.
    #[default]
    Drawn,
    /// Drawn by weight, but once for each user: evidence by [`Users`], not by requests.
    Kept,
    /// Named by the request: it may have had its reasons, so this is no evidence.
    Pinned,
    /// Sent to both arms: evidence of even weights, whatever those of the split are. A pair counts when
    /// both of it have ended, and as cancelled if either was.
    Mirrored,
    /// Hit by a fault that was made on purpose: no evidence.
    Faulted,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// The virtual node's name.
    pub name: String,
    pub weight: u32,
    /// Requests whose draw fell on this arm.
    pub routed: u64,
    /// How those that ended did end; a retried request ends once.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Among those that ended without a failure, those of which a try had failed before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retried: u64,
    /// Time from the request's head to the response's last byte.
    pub latency: Latency,
    /// Who sent them, in a cell of [`Kind::Kept`].
    #[serde(default)]
    pub users: Users,
    /// What for and how, where there is another arm to compare with. Without regard to the weights: that of
    /// all cells of the split is in any of them.
    #[serde(default, skip_serializing_if = "Answers::is_empty")]
    pub answers: Answers,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Users who stay on their arm. Their requests are not independent of each other: who fails once fails
/// again, always on the same arm. A test must count users, each once, and not their requests.
///
/// A user is a hash of the split and the user's key. A worker tells each at most once in each list; other
/// workers and proxies may tell the same, so the lists are united over all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Users {
    /// Who had a request of theirs end on this arm without a failure.
    pub served: Vec<u64>,
    /// Who failed for the first time, on any arm.
    pub failed: Vec<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// 1xx and 2xx.
    Success,
    /// 3xx.
    Redirect,
    /// 4xx.
    ClientError,
    /// 5xx from the application.
    ServerError,
    /// No endpoint could be reached, or none was healthy.
    Unavailable,
    /// The connection broke before the response was whole.
    Reset,
    /// A time-out of the route ran out.
    Timeout,
    /// The caller went away first: nobody's failure.
    Cancelled,
}

impl Outcome {
    /// Whether a user saw the service fail.
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Self::ServerError | Self::Unavailable | Self::Reset | Self::Timeout
        )
    }
}

/// A log-linear histogram of microseconds: buckets are at most 1/16 wide relative to their value,
/// so a quantile read from it is at most 6.25 % off; values above 2^32 us (71 minutes) count as that.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Latency {
    /// Bucket index to count; empty buckets are left out.
    buckets: BTreeMap<u32, u64>,
}

impl Latency {
    const GROUPING_POWER: u8 = 4;
    const MAX_POWER: u8 = 32;
    /// How many buckets a dense array needs: `bucket_of` never returns this or more.
    pub const BUCKETS: usize =
        ((Self::MAX_POWER - Self::GROUPING_POWER + 1) as usize) << Self::GROUPING_POWER;

    /// The bucket a duration falls into: a handful of shifts, for the proxy's dense arrays.
    pub fn bucket_of(micros: u64) -> u32 {
        let micros = micros.min((1 << Self::MAX_POWER) - 1);
        let linear = 1u64 << (Self::GROUPING_POWER + 1);
        if micros < linear {
            return micros as u32;
        }
        let power = 63 - micros.leading_zeros();
        let shift = power - u32::from(Self::GROUPING_POWER);
        let offset = (micros >> shift) as u32 - (1 << Self::GROUPING_POWER);
        ((shift + 1) << Self::GROUPING_POWER) + offset
    }

    /// The smallest and largest value of a bucket, in microseconds.
    pub fn bounds_of(bucket: u32) -> (u64, u64) {
        let group = bucket >> Self::GROUPING_POWER;
        if group < 2 {
            return (u64::from(bucket), u64::from(bucket));
        }
        let shift = group - 1;
        let offset = u64::from(bucket & ((1 << Self::GROUPING_POWER) - 1));
        let low = ((1 << Self::GROUPING_POWER) + offset) << shift;
        (low, low + (1 << shift) - 1)
    }

    pub fn add(&mut self, bucket: u32, count: u64) {
        if count > 0 {
            *self.buckets.entry(bucket).or_default() += count;
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (&bucket, &count) in &other.buckets {
            self.add(bucket, count);
        }
    }

    pub fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    pub fn buckets(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.buckets.iter().map(|(&bucket, &count)| (bucket, count))
    }

    /// The value at or below which a share `q` of the samples lie, as its bucket's upper bound.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let total = self.count();
        let rank = ((q.clamp(0.0, 1.0) * total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets() {
            seen += count;
            if seen >= rank {
                return Some(Self::bounds_of(bucket).1);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Latency;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_lies_within_its_bucket(micros in 0u64..(1 << 32)) {
            let bucket = Latency::bucket_of(micros);
            let (low, high) = Latency::bounds_of(bucket);
            prop_assert!((bucket as usize) < Latency::BUCKETS);
            prop_assert!(low <= micros && micros <= high);
            prop_assert!((high - low) as f64 <= micros as f64 / 16.0);
        }

        #[test]
        fn buckets_are_contiguous(bucket in 0u32..(Latency::BUCKETS as u32 - 1)) {
            prop_assert_eq!(Latency::bounds_of(bucket).1 + 1, Latency::bounds_of(bucket + 1).0);
        }
    }

    #[test]
    fn the_largest_values_share_the_last_bucket() {
        assert_eq!(Latency::bucket_of(u64::MAX) as usize, Latency::BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_upper_bounds() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), None);
        for micros in 1..=100 {
            latency.add(Latency::bucket_of(micros), 1);
        }
        assert_eq!(latency.quantile(0.0), Some(1));
        assert!((50..=53).contains(&latency.quantile(0.5).unwrap()));
    }
}
