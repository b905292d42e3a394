//! What a demo has proved: what its client saw, what the proxy counted, and that both are the same.

use std::collections::BTreeMap;

use serde::Serialize;
use server::api::types::{Ended, ServiceStatus};

use super::load::Seen;

/// The proxy's counts by version, of versions that are gone too.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Counted(BTreeMap<String, Count>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    pub requests: u64,
    pub failures: u64,
}

impl Counted {
    /// Takes over what the proxy says now. Counts only grow; a version that is gone keeps its last.
    pub fn update(&mut self, service: &ServiceStatus) {
        for version in &service.versions {
            let count = self.0.entry(version.tag.clone()).or_default();
            count.requests = count.requests.max(version.requests);
            count.failures = count.failures.max(version.failures);
        }
    }

    pub fn of(&self, tag: &str) -> Count {
        self.0.get(tag).copied().unwrap_or_default()
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    pub release: String,
    pub ended: Ended,
    /// The old and the new version.
    pub tags: [String; 2],
    pub seen: Seen,
    pub counted: Counted,
    /// The outcome that this demo is about.
    pub wanted: &'static str,
}

impl Proof {
    /// The proxy's counts are the client's.
    pub fn agrees(&self) -> bool {
        agree(&self.tags, &self.seen, &self.counted)
    }

    /// All went as it should.
    pub fn holds(&self) -> bool {
        let unharmed = match self.wanted {
            "promoted" => self.seen.failures() == 0,
            _ => self.seen.cut == 0 && self.seen.strange == 0,
        };
        self.ended.outcome == self.wanted && unharmed && self.agrees()
    }
}

/// Both sides have counted the same answers, of the same versions.
pub fn agree(tags: &[String; 2], seen: &Seen, counted: &Counted) -> bool {
    let counts = tags.each_ref().map(|tag| counted.of(tag));
    let answered = counts.map(|count| count.requests - count.failures.min(count.requests));
    let failures: u64 = counts.iter().map(|count| count.failures).sum();
    answered == seen.answered && failures == seen.failed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(outcome: &str, failed: u64, cut: u64, counts: [(u64, u64); 2]) -> Proof {
        let tags = ["vanilla".to_owned(), "epoch".to_owned()];
        let counts = counts.map(|(requests, failures)| Count { requests, failures });
        Proof {
            release: "crystal-2".to_owned(),
            ended: Ended {
                outcome: outcome.to_owned(),
                reason: String::new(),
                at: String::new(),
            },
            counted: Counted(tags.iter().cloned().zip(counts).collect()),
            tags,
            seen: Seen {
                answered: [100, 50],
                failed,
                cut,
                ..Seen::default()
            },
            wanted: "promoted",
        }
    }

    #[test]
    fn a_promotion_without_a_failure_holds() {
        assert!(proof("promoted", 0, 0, [(100, 0), (50, 0)]).holds());
    }

    #[test]
    fn any_difference_or_failure_is_no_proof() {
        for bad in [
            proof("rolledBack", 0, 0, [(100, 0), (50, 0)]),
            proof("promoted", 1, 0, [(100, 0), (51, 1)]),
            proof("promoted", 0, 1, [(100, 0), (50, 0)]),
            proof("promoted", 0, 0, [(101, 0), (50, 0)]),
            proof("promoted", 0, 0, [(100, 0), (50, 1)]),
        ] {
            assert!(!bad.holds(), "{bad:?}");
        }
    }

    #[test]
    fn a_rollback_may_have_failures_but_none_unaccounted_for() {
        let rolled_back = |failed, cut, counts| Proof {
            wanted: "rolledBack",
            ..proof("rolledBack", failed, cut, counts)
        };
        assert!(rolled_back(7, 0, [(100, 0), (57, 7)]).holds());
        assert!(!rolled_back(7, 0, [(100, 0), (56, 6)]).holds());
        assert!(!rolled_back(7, 1, [(100, 0), (57, 7)]).holds());
    }
}
