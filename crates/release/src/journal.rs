//! What a release remembers: every event, in order, each written in the commit that made it true.
//!
//! The state of a release is nothing but its events folded ([`crate::State`]), so a server that was killed
//! resumes from them, and a verdict can be computed again from them.

use std::collections::BTreeMap;
use std::fmt;

use model::{Share, Timestamp};
use serde::{Deserialize, Serialize};

use crate::coverage::Row;
use crate::manifest::Limits;
use crate::{Policy, World};

/// One line of a release's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub at: Timestamp,
    #[serde(flatten)]
    pub event: Event,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "event",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Event {
    Requested {
        request: Box<Request>,
    },
    /// A server goes on with it that had not begun it, or was away.
    Resumed,
    /// A step that reaches outside the store is about to be performed.
    Began {
        step: String,
    },
    Built {
        version: Version,
    },
    /// The version's virtual node is in the mesh; no route leads to it yet.
    Joined {
        virtual_node: String,
    },
    TasksStarted,
    /// All tasks were healthy at once: traffic may come.
    TasksHealthy,
    ShareSet {
        share: Share,
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Seen>,
    },
    Ordered {
        order: Order,
        by: String,
    },
    /// Outcomes since the last such event: the judge's evidence.
    Observed {
        batch: judge::Batch,
        /// Remote proxies' last reports in this evidence, by the proxy: none of them counts again.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        reports: BTreeMap<String, u64>,
    },
    /// What both versions were asked for and answered since the last such event.
    Covered {
        rows: Vec<Row>,
    },
    /// The way the release will end. Only a promotion may be taken back, while it bakes.
    Decided {
        ending: Ending,
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seen: Option<Seen>,
    },
    /// The side that ends left the route, and its virtual node the mesh.
    Left {
        virtual_node: String,
    },
    /// The tasks of the side that ends are gone.
    Retired {
        version: String,
    },
    Ended {
        outcome: Outcome,
        reason: String,
    },
}

/// What the planner saw beside the journal when it decided: with it the decision can be computed again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub now: Timestamp,
    pub world: World,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub service: String,
    pub tag: String,
    pub patches: Vec<Patch>,
    /// The version that runs now; none for a service's first.
    pub baseline: Option<Version>,
    pub policy: Policy,
    pub limits: Limits,
    /// Tasks of the new version.
    pub tasks: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    pub name: String,
    pub text: String,
}

/// A built version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    pub tag: String,
    /// `sha256:…` of what runs.
    pub digest: String,
}

/// What people may tell a running release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "camelCase")]
pub enum Order {
    /// Set this share and stay there until `Resume`.
    Set {
        share: Share,
    },
    /// Stay at the present share; the judge may still roll back.
    Hold,
    /// Let the policy move the share again.
    Resume,
    Promote,
    Rollback,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set { share } => write!(f, "set {share}"),
            Self::Hold => f.write_str("hold"),
            Self::Resume => f.write_str("resume"),
            Self::Promote => f.write_str("promote"),
            Self::Rollback => f.write_str("rollback"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ending {
    Promote,
    RollBack,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The new version serves everything.
    Promoted,
    /// The old version serves everything again.
    RolledBack,
    /// It ended before any traffic saw the new version.
    Abandoned,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled back",
            Self::Abandoned => "abandoned",
        })
    }
}
