//! How long requests took, as counts in log-linear bins of microseconds.
//!
//! A bin is at most a sixteenth of its value wide, the same as in what the proxies report; values from
//! 71 minutes count as that. Written as pairs of a bin and its count, so that a journal stays small.

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Counts by bin, fastest first; empty bins are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Bin, u64)>", into = "Vec<(Bin, u64)>")]
pub struct Histogram {
    bins: Vec<(Bin, u64)>,
}

/// One bin, by its place from the fastest to the slowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bin(u16);

impl Bin {
    const GROUPING_POWER: u32 = 4;
    const MAX_POWER: u32 = 32;
    /// How many bins there are.
    pub const COUNT: u16 =
        ((Self::MAX_POWER - Self::GROUPING_POWER + 1) << Self::GROUPING_POWER) as u16;
    pub const LAST: Self = Self(Self::COUNT - 1);

    pub fn of(latency: Duration) -> Self {
        Self::of_micros(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX))
    }

    pub fn of_micros(micros: u64) -> Self {
        let micros = micros.min((1 << Self::MAX_POWER) - 1);
        if micros < 1 << (Self::GROUPING_POWER + 1) {
            return Self(micros as u16);
        }
        let shift = 63 - micros.leading_zeros() - Self::GROUPING_POWER;
        let offset = (micros >> shift) as u32 - (1 << Self::GROUPING_POWER);
        Self((((shift + 1) << Self::GROUPING_POWER) + offset) as u16)
    }

    /// The smallest value that falls into it, in microseconds.
    pub fn low(self) -> u64 {
        let (group, place) = (
            u32::from(self.0) >> Self::GROUPING_POWER,
            u64::from(self.0) & ((1 << Self::GROUPING_POWER) - 1),
        );
        if group == 0 {
            return place;
        }
        ((1 << Self::GROUPING_POWER) + place) << (group - 1)
    }

    /// The smallest value that lies above it, in microseconds.
    pub fn end(self) -> u64 {
        Self(self.0 + 1).low()
    }

    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    pub fn next(self) -> Self {
        Self((self.0 + 1).min(Self::LAST.0))
    }
}

impl From<u16> for Bin {
    /// Places beyond the last mean the last.
    fn from(place: u16) -> Self {
        Self(place.min(Self::LAST.0))
    }
}

impl Histogram {
    pub fn add(&mut self, bin: Bin, count: u64) {
        if count > 0 {
            match self.bins.binary_search_by_key(&bin, |&(bin, _)| bin) {
                Ok(place) => self.bins[place].1 = self.bins[place].1.saturating_add(count),
                Err(place) => self.bins.insert(place, (bin, count)),
            }
        }
    }

    pub fn merge(&mut self, other: &Self) {
        let mut merged = Vec::with_capacity(self.bins.len().max(other.bins.len()));
        let (mut ours, mut theirs) = (self.bins().peekable(), other.bins().peekable());
        while let (Some(&(bin, count)), Some(&(their_bin, their_count))) =
            (ours.peek(), theirs.peek())
        {
            let sum = match bin.cmp(&their_bin) {
                Ordering::Less => (bin, count),
                Ordering::Greater => (their_bin, their_count),
                Ordering::Equal => (bin, count.saturating_add(their_count)),
            };
            ours.next_if(|&(bin, _)| bin == sum.0);
            theirs.next_if(|&(bin, _)| bin == sum.0);
            merged.push(sum);
        }
        merged.extend(ours);
        merged.extend(theirs);
        self.bins = merged;
    }

    /// Fastest first.
    pub fn bins(&self) -> impl DoubleEndedIterator<Item = (Bin, u64)> + '_ {
        self.bins.iter().copied()
    }

    pub fn count(&self) -> u64 {
        self.bins()
            .fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }

    /// Leaves out what took longer than `limit`.
    pub fn truncate(&mut self, limit: Duration) {
        let limit = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX);
        self.bins.retain(|(bin, _)| bin.low() <= limit);
    }

    /// The value below which a share `q` of the requests lie, as the end of its bin; `None` if there are none.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let rank = libm::ceil(q.clamp(0.0, 1.0) * self.count() as f64).max(1.0);
        let mut seen = 0.0;
        for (bin, count) in self.bins() {
            seen += count as f64;
            if seen >= rank {
                return Some(Duration::from_micros(bin.end()));
            }
        }
        None
    }

    pub(crate) fn halve(&mut self) {
        self.bins.retain_mut(|(_, count)| {
            *count /= 2;
            *count > 0
        });
    }
}

impl From<Vec<(Bin, u64)>> for Histogram {
    fn from(pairs: Vec<(Bin, u64)>) -> Self {
        let mut histogram = Self::default();
        for (Bin(place), count) in pairs {
            histogram.add(Bin::from(place), count);
        }
        histogram
    }
}

impl From<Histogram> for Vec<(Bin, u64)> {
    fn from(histogram: Histogram) -> Self {
        histogram.bins
    }
}

#[cfg(test)]
mod tests {
    use super::{Bin, Histogram};
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn a_value_lies_within_its_bin(micros in 0_u64..(1 << 32)) {
            let bin = Bin::of_micros(micros);
            prop_assert!(bin <= Bin::LAST);
            prop_assert!(bin.low() <= micros && micros < bin.end());
            prop_assert!((bin.end() - 1 - bin.low()) as f64 <= micros as f64 / 16.0);
            prop_assert_eq!(Bin::of_micros(bin.low()), bin);
        }
    }

    #[test]
    fn places_that_do_not_exist_are_the_last() {
        let read: Histogram = serde_json::from_str("[[0,2],[65535,1],[0,3]]").unwrap();
        assert_eq!(
            read.bins().collect::<Vec<_>>(),
            [(Bin(0), 5), (Bin::LAST, 1)]
        );
        assert_eq!(serde_json::to_string(&read).unwrap(), "[[0,5],[463,1]]");
        assert_eq!(Bin::of(Duration::MAX), Bin::LAST);
    }

    #[test]
    fn quantiles_are_ends_of_bins() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        for millis in 1..=100 {
            histogram.add(Bin::of(Duration::from_millis(millis)), 1);
        }
        let median = histogram.quantile(0.5).unwrap();
        assert!((50_000..54_000).contains(&median.as_micros()), "{median:?}");
        histogram.truncate(Duration::from_millis(10));
        assert_eq!(histogram.count(), 10);
    }
}
