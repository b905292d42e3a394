//! All the judge remembers of latencies: what is usual, the bets for and against, and the totals for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    config::Config,
    counts::{Batch, Latencies},
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
    /// Latencies are known, though none may count yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    withheld: bool,
}

impl Latency {
    /// Bets on what is new, by what is old; then the new is old.
    pub(crate) fn absorb(&mut self, config: &Config, batch: &Batch) {
        self.slowness.pass(batch.after);
        let mut by_share: BTreeMap<Share, Latencies> = BTreeMap::new();
        let levels = batch.levels.iter();
        for level in levels.filter(|level| !level.latency.is_empty()) {
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
        for (share, latencies) in &by_share {
            self.recent.add(&latencies.stable);
            // Where there is no coin nothing can be proved, so nothing needs to be.
            if share.is_split() {
                self.total.add(latencies);
            }
        }
    }

    /// Notes that latencies were left out: the canary's are known, and have to be proved.
    pub(crate) fn withhold(&mut self) {
        self.withheld = true;
    }

    /// Whether the canary is proved to be fast enough; so is one whose latencies nobody knows.
    pub(crate) fn is_certified(&self, config: &Config) -> bool {
        (self.total.is_empty() && !self.withheld)
            || self
                .slowdown
                .requests_missing(config, config.allowed_slowdown)
                == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Latency;
    use crate::{Batch, Bin, Config, Level, Share, Tally};

    fn at(share: Share) -> Batch {
        let mut level = Level::new(share, Tally::default());
        level.latency.canary.add(Bin::of_micros(50_000), 1);
        level.latency.stable.add(Bin::of_micros(50_000), 1);
        Batch::of(level)
    }

    #[test]
    fn latencies_that_nobody_knows_need_no_proof_but_those_withheld_do() {
        let config = Config::default();
        let mut latency = Latency::default();
        assert!(latency.is_certified(&config));
        for share in [Share::NONE, Share::ALL] {
            latency.absorb(&config, &at(share));
        }
        assert!(latency.is_certified(&config), "there was no coin yet");
        let mut withheld = latency.clone();
        withheld.withhold();
        assert!(!withheld.is_certified(&config));
        latency.absorb(&config, &at(Share::new(1, 2).unwrap()));
        assert!(!latency.is_certified(&config));
    }
}
