//! What the two sides say.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use view::Binding;
use view::observe::{Arm, Cell, Latency};

use crate::Change;

/// From a proxy to its server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Upward {
    /// The first message of every stream.
    Hello(Hello),
    /// Every worker of the proxy uses the view of this revision.
    Applied {
        revision: u64,
    },
    /// The proxy keeps the view before, and tries this one again.
    Refused {
        revision: u64,
        reason: String,
    },
    Report(Report),
    /// Sent when it changes, and now and then to show that the proxy lives.
    Condition(Condition),
    /// The proxy wants an identity that its view names.
    Sign(SigningRequest),
    /// The proxy ends; nothing more comes.
    Goodbye,
}

/// From a server to a proxy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Downward {
    View(Box<Change>),
    /// Every report up to this number is kept for good: forget them.
    Taken {
        through: u64,
    },
    Signed(Signed),
    NotSigned {
        secret: String,
        reason: String,
    },
    /// Whom every trust in the view that is a secret stands for, in PEM.
    Trust {
        bundle: String,
    },
}

/// A key that the proxy has made, to be certified for its node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningRequest {
    /// As the view names it.
    pub secret: String,
    /// PKCS #10, in PEM.
    pub request: String,
}

/// The certificate for the key of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signed {
    pub secret: String,
    /// In PEM.
    pub chain: String,
    /// From now on.
    pub lifetime: Duration,
}

/// Who asks, and where it can bind what the view leaves to its machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// `mesh/M/virtualNode/N` or `mesh/M/virtualGateway/G`.
    pub node: String,
    /// Tells this process from every other one; reports are numbered within it.
    pub instance: String,
    /// Of the program.
    pub version: String,
    pub binding: Binding,
    /// The revision of the view that it runs now, from its disk or from an earlier stream.
    pub holds: Option<u64>,
}

/// What was counted since the report before. Each cell carries the weights in force when its requests drew
/// their arm, so it is the same evidence whenever it arrives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Counted from 1.
    pub number: u64,
    pub cells: Vec<Cell>,
}

/// How a proxy is: whatever is not as its view would have it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    pub refusals: Vec<RefusedPart>,
    /// Endpoints that are unhealthy or ejected.
    pub endpoints: Vec<EndpointState>,
    pub certificates: Vec<CertificateState>,
}

/// A part of the view that the proxy cannot carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPart {
    pub resource: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointState {
    pub cluster: String,
    pub virtual_node: String,
    pub address: SocketAddr,
    pub healthy: bool,
    pub ejected: bool,
    /// Why its last check failed.
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateState {
    /// The listener or cluster that it is for, by its name in the view.
    pub resource: String,
    /// The file or secret it came from.
    pub source: String,
    /// Seconds since 1970, as the first that ends says; none where there is no certificate.
    pub not_after: Option<u64>,
    /// Why what the source holds now is not used.
    pub error: Option<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "report {} of {} cells", self.number, self.cells.len())
    }
}

impl Report {
    /// Whether its counts are ones that a proxy can have counted: their sums over many reports fit.
    pub fn is_plausible(&self) -> bool {
        const MOST: u64 = 1 << 40;
        let fits = |arm: &Arm| {
            let mut outcomes = arm.outcomes.values();
            let mut latencies = arm.latency.buckets();
            arm.routed < MOST
                && arm.retried < MOST
                && arm.answers.is_plausible(MOST)
                && outcomes.all(|&count| count < MOST)
                && latencies
                    .all(|(bucket, count)| (bucket as usize) < Latency::BUCKETS && count < MOST)
        };
        self.cells.iter().all(|cell| {
            let mut weights = cell.arms.iter().map(|arm| arm.weight);
            let total = weights.try_fold(0, u32::checked_add);
            total.is_some() && cell.arms.iter().all(fits)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use view::observe::answers::{Answered, Case, Class};
    use view::observe::{Kind, Outcome};

    fn arm(count: u64) -> Arm {
        let mut arm = Arm {
            name: "n".into(),
            weight: 5,
            routed: count,
            outcomes: BTreeMap::from([(Outcome::ServerError, count)]),
            ..Arm::default()
        };
        arm.latency.add(Latency::bucket_of(700), count);
        arm
    }

    fn report(count: u64) -> Report {
        let cell = Cell {
            split: "s".into(),
            kind: Kind::default(),
            arms: vec![arm(count)],
        };
        Report {
            number: 7,
            cells: vec![cell],
        }
    }

    #[test]
    fn messages_are_heard_as_they_were_said() {
        let mut binding = Binding::sidecar();
        binding.ingress_ports.insert(8080, 15080);
        let hello = Hello {
            node: "mesh/m/virtualNode/n".into(),
            instance: "i".into(),
            version: "1".into(),
            binding,
            holds: Some(3),
        };
        for message in [
            Upward::Hello(hello),
            Upward::Report(report(2)),
            Upward::Condition(Condition::default()),
            Upward::Applied { revision: 4 },
            Upward::Sign(SigningRequest {
                secret: "spiffe://m/n".into(),
                request: "pem".into(),
            }),
            Upward::Goodbye,
        ] {
            let text = serde_json::to_vec(&message).unwrap();
            assert_eq!(serde_json::from_slice::<Upward>(&text).unwrap(), message);
        }
    }

    /// A proxy that is older than its server says less, and one that has nothing to say of it says nothing.
    #[test]
    fn a_report_without_retried_requests_is_one_of_which_none_was() {
        let mut some = report(2);
        some.cells[0].arms[0].retried = 1;
        let text = serde_json::to_string(&some).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), some);
        let old = text.replace(r#""retried":1,"#, "");
        assert!(old.len() < text.len());
        assert_eq!(serde_json::from_str::<Report>(&old).unwrap(), report(2));
        assert_eq!(serde_json::to_string(&report(2)).unwrap(), old);
    }

    #[test]
    fn counts_that_nobody_can_have_counted_are_not_plausible() {
        assert!(report(1_000_000).is_plausible());
        assert!(!report(u64::MAX).is_plausible());
        let mut weights = report(1);
        let heavy = Arm {
            weight: u32::MAX,
            ..arm(1)
        };
        weights.cells[0].arms.push(heavy);
        assert!(!weights.is_plausible());
        let mut retried = report(1);
        retried.cells[0].arms[0].retried = u64::MAX;
        assert!(!retried.is_plausible());
        let mut latencies = report(1);
        latencies.cells[0].arms[0]
            .latency
            .add(Latency::BUCKETS as u32, 1);
        assert!(!latencies.is_plausible());
        for (path, count) in [("/orders/{}".to_owned(), u64::MAX), ("/".repeat(10_000), 1)] {
            let mut answers = report(1);
            let case = Case {
                method: "GET".into(),
                path: Some(path),
                class: Class::Success,
            };
            let answered = Answered {
                callers: count,
                copies: 0,
            };
            answers.cells[0].arms[0].answers.add(case, answered);
            assert!(!answers.is_plausible());
        }
    }
}
