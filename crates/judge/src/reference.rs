//! How long requests of the stable version take of late: what bets about the canary's latency are made from.
//!
//! It is always older than the requests that are bet on, so a bet knows nothing of them. Half of it is forgotten
//! from time to time, so that it follows the hour.

use serde::{Deserialize, Serialize};

use crate::histogram::{Bin, Histogram};

/// The latencies seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Recent(Histogram);

impl Recent {
    /// Fewer say too little.
    const FEWEST: u64 = 100;
    const MOST: u64 = 20_000;

    pub(crate) fn add(&mut self, latencies: &Histogram) {
        self.0.merge(latencies);
        while self.0.count() > Self::MOST {
            self.0.halve();
        }
    }

    pub(crate) fn reference(&self) -> Option<Reference> {
        (self.0.count() >= Self::FEWEST).then(|| Reference::new(&self.0))
    }
}

/// The slowest requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail {
    /// It begins within this bin...
    pub(crate) bin: Bin,
    /// ...of whose requests this part belongs to it.
    pub(crate) part: f64,
    /// How many are expected to be in it, never 0.
    pub(crate) share: f64,
}

/// A distribution of latencies, in cells fine enough to bet on.
#[derive(Debug)]
pub(crate) struct Reference {
    requests: f64,
    /// The share of requests that take at least as long as each bin's low end, and 0 for beyond the last.
    at_least: Vec<f64>,
    /// The first bin of each cell, fastest first.
    cells: Vec<Bin>,
    /// The share of requests in each cell or slower.
    reaching: Vec<f64>,
}

impl Reference {
    /// A cell holds this part of what is as slow or slower...
    const PART: f64 = 0.4;
    /// ...and enough to tell how likely it is.
    const FEWEST: f64 = 4.0;
    /// Where slower cells begin than any request has met, as multiples of the slowest.
    const BEYOND: [f64; 4] = [1.0, 1.5, 3.0, 10.0];

    fn new(recent: &Histogram) -> Self {
        let requests = recent.count() as f64;
        let mut counts = vec![0.0; usize::from(Bin::COUNT)];
        for (bin, count) in recent.bins() {
            counts[bin.index()] = count as f64;
        }
        let mut at_least = vec![0.0; usize::from(Bin::COUNT) + 1];
        for index in (0..counts.len()).rev() {
            at_least[index] = at_least[index + 1] + counts[index] / requests;
        }
        let mut cells = vec![Bin::default()];
        let mut held = 0.0;
        let mut left = requests;
        for (bin, count) in recent.bins() {
            held += count as f64;
            if held >= Self::FEWEST && held >= Self::PART * left {
                left -= held;
                held = 0.0;
                cells.push(bin.next());
            }
        }
        let slowest = recent.bins().next_back().map_or(0, |(bin, _)| bin.end());
        for times in Self::BEYOND {
            cells.push(Bin::of_micros((slowest as f64 * times) as u64));
        }
        cells.sort_unstable();
        cells.dedup();
        let mut reference = Self {
            requests,
            at_least,
            cells,
            reaching: Vec::new(),
        };
        let lows = reference.cells.iter().map(|bin| bin.low() as f64);
        reference.reaching = lows.map(|low| reference.at_least(low)).collect();
        reference
    }

    /// The share of requests that take at least as long as so many microseconds.
    fn at_least(&self, micros: f64) -> f64 {
        let bin = Bin::of_micros(micros as u64);
        let (low, end) = (bin.low() as f64, bin.end() as f64);
        let place = ((micros - low) / (end - low)).clamp(0.0, 1.0);
        let (here, next) = (self.at_least[bin.index()], self.at_least[bin.index() + 1]);
        here + place * (next - here)
    }

    /// For each cell, how many times as likely it is if `part` of the requests took `times` as long. It never
    /// falls from a cell to the next.
    pub(crate) fn ratios(&self, part: f64, times: f64) -> Vec<f64> {
        let reaching = |(bin, &now): (&Bin, &f64)| {
            (
                now,
                now + part * (self.at_least(bin.low() as f64 / times) - now),
            )
        };
        // One request more, spread evenly, so that nothing is impossible.
        let spread = 1.0 / self.cells.len() as f64;
        let smooth = |mass: f64| (self.requests * mass.max(0.0) + spread) / (self.requests + 1.0);
        let mut merged: Vec<(f64, f64, usize)> = Vec::with_capacity(self.cells.len());
        let mut ends = self.cells.iter().zip(&self.reaching).map(reaching);
        let mut here = ends.next().unwrap_or_default();
        for next in ends.chain([(0.0, 0.0)]) {
            let mut cell = (smooth(here.0 - next.0), smooth(here.1 - next.1), 1);
            here = next;
            while let Some(&(mass, supposed, cells)) = merged.last()
                && supposed * cell.0 >= cell.1 * mass
            {
                cell = (cell.0 + mass, cell.1 + supposed, cell.2 + cells);
                merged.pop();
            }
            merged.push(cell);
        }
        merged
            .into_iter()
            .flat_map(|(mass, supposed, cells)| std::iter::repeat_n(supposed / mass, cells))
            .collect()
    }

    /// How many of these requests fall into each cell.
    pub(crate) fn by_cell(&self, latencies: &Histogram) -> Vec<u64> {
        let mut counts = vec![0; self.cells.len()];
        for (bin, count) in latencies.bins() {
            let cell = self.cells.partition_point(|&first| first <= bin) - 1;
            counts[cell] += count;
        }
        counts
    }

    /// Where this share of the requests lies beyond.
    ///
    /// Where many take the same time no bin has just so many beyond it; so of one bin only a part counts.
    pub(crate) fn tail(&self, share: f64) -> Tail {
        let reaching = self.at_least.partition_point(|&beyond| beyond >= share);
        let index = reaching.saturating_sub(1);
        let reached = |index: usize| self.at_least.get(index).copied().unwrap_or_default();
        let (here, next) = (reached(index), reached(index + 1));
        Tail {
            bin: Bin::from(u16::try_from(index).unwrap_or(Bin::COUNT)),
            part: ((share - next) / (here - next)).clamp(0.0, 1.0),
            share: (self.requests * share + 1.0) / (self.requests + 2.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Recent, Reference};
    use crate::{Bin, Histogram};
    use proptest::prelude::*;

    fn reference(micros: &[u64]) -> Reference {
        let mut latencies = Histogram::default();
        for &micros in micros {
            latencies.add(Bin::of_micros(micros), 1);
        }
        Reference::new(&latencies)
    }

    #[test]
    fn there_is_none_before_a_hundred_requests_and_it_forgets() {
        let mut recent = Recent::default();
        let mut one = Histogram::default();
        one.add(Bin::of_micros(70), 99);
        recent.add(&one);
        assert!(recent.reference().is_none());
        one.add(Bin::of_micros(900), 1_000_000);
        recent.add(&one);
        assert!(recent.0.count() <= Recent::MOST);
        assert!(recent.reference().is_some());
    }

    #[test]
    fn the_tail_is_where_few_requests_reach() {
        let reference = reference(&(1..=1000).map(|index| index * 1000).collect::<Vec<_>>());
        let tail = reference.tail(0.01);
        let low = tail.bin.low();
        assert!((980_000..1_050_000).contains(&low), "{low}");
        assert!((0.01..0.012).contains(&tail.share), "{tail:?}");
    }

    #[test]
    fn of_requests_that_all_take_the_same_time_a_part_is_the_tail() {
        let same = reference(&[50_000; 1000]).tail(0.01);
        assert_eq!(same.bin, Bin::of_micros(50_000));
        assert!((same.part - 0.01).abs() < 1e-9, "{same:?}");
    }

    proptest! {
        #[test]
        fn ratios_rise_and_are_a_distribution_once_more(
            micros in prop::collection::vec(0_u64..100_000_000, 100..400),
            part in 0.001_f64..=1.0,
            times in 1.01_f64..100.0,
        ) {
            let reference = reference(&micros);
            let ratios = reference.ratios(part, times);
            prop_assert_eq!(ratios.len(), reference.cells.len());
            prop_assert!(ratios.iter().all(|ratio| ratio.is_finite() && *ratio > 0.0));
            prop_assert!(ratios.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", ratios);
            prop_assert!(reference.cells.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(reference.cells.len() < 100);
        }
    }
}
