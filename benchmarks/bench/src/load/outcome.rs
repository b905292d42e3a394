//! What became of a run's requests.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies above this count as this.
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub struct Outcome {
    /// Whole answers with status 200 and the right body.
    pub answered: u64,
    /// Of those, how many each upstream gave.
    pub by_upstream: Vec<u64>,
    /// Everything else, by reason.
    pub failures: BTreeMap<String, u64>,
    /// Nanoseconds, from when a request was due.
    pub latency: Histogram<u64>,
    pub elapsed: Duration,
}

impl Outcome {
    pub(super) fn new(upstreams: usize) -> anyhow::Result<Self> {
        Ok(Self {
            answered: 0,
            by_upstream: vec![0; upstreams],
            failures: BTreeMap::new(),
            latency: Histogram::new_with_max(LONGEST.as_nanos() as u64, 3)?,
            elapsed: Duration::ZERO,
        })
    }

    pub(super) fn clear(&mut self) {
        self.answered = 0;
        self.by_upstream.fill(0);
        self.failures.clear();
        self.latency.reset();
    }

    pub(super) fn answer(&mut self, upstream: usize, latency: Duration) {
        self.answered += 1;
        if let Some(count) = self.by_upstream.get_mut(upstream) {
            *count += 1;
        }
        self.latency.saturating_record(latency.as_nanos() as u64);
    }

    pub(super) fn failure(&mut self, reason: String) {
        *self.failures.entry(reason).or_default() += 1;
    }

    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    pub fn per_second(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
    }

    /// Of all requests, in microseconds.
    pub fn quantile(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e3
    }
}
