//! All the judge remembers of latencies: what is usual, the bets for and against, and the totals for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    config::Config,
    counts::{Latencies, Level},
    reference::Recent,
    share::Share,
    slowdown::Slowdown,
    slowness::Slowness,
};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Latency {
    pub(crate) total: Latencies,
    recent: Recent,
    pub(crate) slowness: Slowness,
    pub(crate) slowdown: Slowdown,
}

impl Latency {
    /// Bets on what is new, by what is old; then the new is old.
    pub(crate) fn absorb(&mut self, config: &Config, levels: &[Level]) {
        let mut by_share: BTreeMap<Share, Latencies> = BTreeMap::new();
        for level in levels.iter().filter(|level| !level.latency.is_empty()) {
            by_share.entry(level.share).or_default().add(&level.latency);
        }
        if by_share.is_empty() {
            return;
        }
        if let Some(reference) = self.recent.reference() {
            for (&share, latencies) in by_share.iter().filter(|(share, _)| share.is_split()) {
                self.slowness.absorb(config, &reference, share, latencies);
                self.slowdown.absorb(config, &reference, share, latencies);
            }
            self.slowdown.conclude(config);
        }
        for latencies in by_share.values() {
            self.recent.add(&latencies.stable);
            self.total.add(latencies);
        }
    }

    /// Whether the canary is proved to be fast enough; so is one whose latencies nobody knows.
    pub(crate) fn is_certified(&self, config: &Config) -> bool {
        self.total.is_empty()
            || self
                .slowdown
                .requests_missing(config, config.allowed_slowdown)
                == Some(0)
    }
}
