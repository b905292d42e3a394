//! The canary's share of the traffic, as the exact ratio of two integer weights.
//!
//! Shares are kept reduced, so 5 of 100 and 1 of 20 are one share and their counts add up; they order by
//! size, which fixes the order of every sum over them.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The canary's weight among all weights of its route, reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Weights", into = "Weights")]
pub struct Share {
    canary: u32,
    total: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ShareError {
    #[error("failed to read a share: the weights add up to 0, so no request can be routed")]
    NoWeight,
    #[error("failed to read a share: the canary's weight {canary} exceeds the total of {total}")]
    MoreThanAll { canary: u32, total: u32 },
}

impl Share {
    pub const NONE: Self = Self {
        canary: 0,
        total: 1,
    };

    pub const ALL: Self = Self {
        canary: 1,
        total: 1,
    };

    pub fn new(canary: u32, total: u32) -> Result<Self, ShareError> {
        if total == 0 {
            return Err(ShareError::NoWeight);
        }
        if canary > total {
            return Err(ShareError::MoreThanAll { canary, total });
        }
        let divisor = greatest_common_divisor(canary, total);
        Ok(Self {
            canary: canary / divisor,
            total: total / divisor,
        })
    }

    pub fn as_f64(self) -> f64 {
        f64::from(self.canary) / f64::from(self.total)
    }

    /// Whether the coin has two sides: at a share of 0 or 1 it says nothing.
    pub fn is_split(self) -> bool {
        self.canary > 0 && self.canary < self.total
    }
}

impl Ord for Share {
    fn cmp(&self, other: &Self) -> Ordering {
        let cross = |a: u32, b: u32| u64::from(a) * u64::from(b);
        cross(self.canary, other.total).cmp(&cross(other.canary, self.total))
    }
}

impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A share as it is written down: the two weights.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Weights {
    canary: u32,
    total: u32,
}

impl TryFrom<Weights> for Share {
    type Error = ShareError;

    fn try_from(weights: Weights) -> Result<Self, ShareError> {
        Self::new(weights.canary, weights.total)
    }
}

impl From<Share> for Weights {
    fn from(share: Share) -> Self {
        Self {
            canary: share.canary,
            total: share.total,
        }
    }
}

/// A share to set, in hundredths of a percent, 10,000 at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub struct BasisPoints(u32);

impl BasisPoints {
    pub const NONE: Self = Self(0);
    /// The smallest share that is not nothing.
    pub const ONE: Self = Self(1);
    pub const ALL: Self = Self(10_000);

    /// Values above 10,000 mean all traffic.
    pub const fn new(value: u32) -> Self {
        if value < Self::ALL.0 {
            Self(value)
        } else {
            Self::ALL
        }
    }

    pub fn get(self) -> u32 {
        self.0
    }
}

impl From<u32> for BasisPoints {
    fn from(value: u32) -> Self {
        Self::new(value)
    }
}

impl From<BasisPoints> for u32 {
    fn from(value: BasisPoints) -> Self {
        value.0
    }
}

impl From<BasisPoints> for Share {
    fn from(value: BasisPoints) -> Self {
        let divisor = greatest_common_divisor(value.0, BasisPoints::ALL.0);
        Self {
            canary: value.0 / divisor,
            total: BasisPoints::ALL.0 / divisor,
        }
    }
}

/// Of two numbers that are not both zero.
fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

#[cfg(test)]
mod tests {
    use super::{BasisPoints, Share, ShareError};

    #[test]
    fn equal_ratios_are_one_share() {
        let share = Share::new(5, 100).unwrap();
        assert_eq!(share, Share::new(1, 20).unwrap());
        assert_eq!(share, Share::from(BasisPoints::new(500)));
        assert_eq!(Share::new(0, 7).unwrap(), Share::NONE);
        assert!(Share::new(125, 1000).unwrap() < Share::new(1, 7).unwrap());
    }

    #[test]
    fn weights_that_route_nothing_are_refused_from_json_too() {
        assert_eq!(Share::new(0, 0), Err(ShareError::NoWeight));
        let error = serde_json::from_str::<Share>(r#"{"canary":6,"total":5}"#).unwrap_err();
        assert!(error.to_string().contains("exceeds the total of 5"));
        let share = serde_json::from_str::<Share>(r#"{"canary":10,"total":80}"#).unwrap();
        assert_eq!(
            serde_json::to_string(&share).unwrap(),
            r#"{"canary":1,"total":8}"#
        );
    }
}
