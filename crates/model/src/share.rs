//! Exact shares of a split, and the integer weights that come nearest to them.
//!
//! App Mesh weights are whole numbers from 0 to 100, relative to their sum, so 12.5 % fits (7 to 1)
//! but 0.3 % does not. A release keeps its exact shares beside the route's spec; the spec carries the
//! nearest weights, so that every App Mesh client sees a valid route.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Part of a whole in basis points: hundredths of a percent, from 0 to 10 000.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u16", into = "u16")]
pub struct Share(u16);

/// A route's exact shares by virtual node name; they always sum to the whole.
///
/// Valid only while the spec's targets are the same nodes: whoever writes the spec without shares
/// clears them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Share>", into = "BTreeMap<String, Share>")]
pub struct Shares(BTreeMap<String, Share>);

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ShareError {
    #[error("share `{0}` is no percentage between 0 and 100 with at most two decimals")]
    Text(String),
    #[error("share of {0} basis points is not from 0 to 10000")]
    BasisPoints(u16),
    #[error("shares sum to {sum} basis points instead of 10000")]
    Sum { sum: u32 },
}

impl Share {
    pub const ZERO: Share = Share(0);
    pub const WHOLE: Share = Share(10_000);

    pub fn from_basis_points(points: u16) -> Result<Self, ShareError> {
        if points > Self::WHOLE.0 {
            return Err(ShareError::BasisPoints(points));
        }
        Ok(Self(points))
    }

    pub fn basis_points(self) -> u16 {
        self.0
    }

    /// From 0.0 to 1.0.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE.0)
    }

    /// What is left of the whole.
    pub fn rest(self) -> Share {
        Share(Self::WHOLE.0 - self.0)
    }
}

impl Shares {
    pub fn new(shares: BTreeMap<String, Share>) -> Result<Self, ShareError> {
        let sum = shares.values().map(|share| u32::from(share.0)).sum();
        if sum != u32::from(Share::WHOLE.0) {
            return Err(ShareError::Sum { sum });
        }
        Ok(Self(shares))
    }

    /// A canary's share, and the rest for the stable version.
    pub fn split(stable: impl Into<String>, canary: impl Into<String>, share: Share) -> Self {
        let mut shares = BTreeMap::from([(stable.into(), share.rest())]);
        // Added, not inserted: a version split with itself has the whole.
        shares.entry(canary.into()).or_default().0 += share.0;
        Self(shares)
    }

    pub fn get(&self, virtual_node: &str) -> Option<Share> {
        self.0.get(virtual_node).copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, Share)> {
        self.0.iter().map(|(node, share)| (node.as_str(), *share))
    }
}

/// The weights `(stable, canary)` nearest to the canary's share.
///
/// Whole percents are exact out of 100. Anything between takes the best ratio of two weights from 1 to
/// 100, the smallest if several are equally good: neither side is ever zeroed by rounding.
pub fn weights_for(share: Share) -> (u32, u32) {
    let points = u32::from(share.basis_points());
    if points % 100 == 0 {
        return (100 - points / 100, points / 100);
    }
    let mut best = Ratio::of(1, 1, points);
    for canary in 1..=100 {
        // The error grows on both sides of the exact quotient, so its two neighbours are enough.
        let below = canary * (10_000 - points) / points;
        for stable in [below, below + 1] {
            let ratio = Ratio::of(stable.clamp(1, 100), canary, points);
            if ratio.is_nearer_than(&best) {
                best = ratio;
            }
        }
    }
    (best.stable, best.canary)
}

/// A candidate, with its distance from the wanted share as a fraction over its own total weight.
struct Ratio {
    stable: u32,
    canary: u32,
    distance: u64,
}

impl Ratio {
    fn of(stable: u32, canary: u32, points: u32) -> Self {
        let wanted = u64::from(points) * u64::from(stable + canary);
        Self {
            stable,
            canary,
            distance: (u64::from(canary) * 10_000).abs_diff(wanted),
        }
    }

    fn total(&self) -> u64 {
        u64::from(self.stable + self.canary)
    }

    fn is_nearer_than(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.distance * other.total(), other.distance * self.total());
        (mine, self.total()) < (theirs, other.total())
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, hundredths) = (self.0 / 100, self.0 % 100);
        match hundredths {
            0 => write!(f, "{whole} %"),
            tenths if tenths % 10 == 0 => write!(f, "{whole}.{} %", tenths / 10),
            _ => write!(f, "{whole}.{hundredths:02} %"),
        }
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        parse_percent(text).ok_or_else(|| ShareError::Text(text.to_owned()))
    }
}

fn parse_percent(text: &str) -> Option<Share> {
    let number = text.trim();
    let number = number.strip_suffix('%').unwrap_or(number).trim_end();
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(decimals) || decimals.len() > 2 {
        return None;
    }
    let whole: u16 = whole.parse().ok()?;
    let hundredths: u16 = format!("{decimals:0<2}").parse().ok()?;
    let points = whole.checked_mul(100)?.checked_add(hundredths)?;
    Share::from_basis_points(points).ok()
}

impl TryFrom<u16> for Share {
    type Error = ShareError;

    fn try_from(points: u16) -> Result<Self, ShareError> {
        Self::from_basis_points(points)
    }
}

impl From<Share> for u16 {
    fn from(share: Share) -> Self {
        share.0
    }
}

impl TryFrom<BTreeMap<String, Share>> for Shares {
    type Error = ShareError;

    fn try_from(shares: BTreeMap<String, Share>) -> Result<Self, ShareError> {
        Self::new(shares)
    }
}

impl From<Shares> for BTreeMap<String, Share> {
    fn from(shares: Shares) -> Self {
        shares.0
    }
}
