//! How a route's requests find their arm, beyond the weights: what App Mesh has no words for.
//!
//! All of it is off by default, and a route without it pays nothing for it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    pub sticky: Option<Sticky>,
    pub pin: Option<Pin>,
    pub mirror: Option<Mirror>,
    pub fault: Option<Fault>,
}

/// Keeps a user on one arm. While shares only move towards later targets, so do users, each at most
/// once; the proxies of a mesh agree on it without talking to each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Sticky {
    /// Who sends no such cookie gets one.
    Cookie(String),
    /// A request without this header (in lower case) is drawn at random.
    Header(String),
}

/// Lets a request name its arm. Such requests say nothing about an arm drawn by chance, so they are
/// counted apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    pub by: PinKey,
    /// Targets of the split by what a request calls them.
    pub targets: BTreeMap<String, usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PinKey {
    /// The value of this header, in lower case.
    Header(String),
    /// This member of the W3C header `baggage`, which applications that are traced pass on.
    Baggage(String),
}

/// Sends a share of the requests to both of a split's two targets; the draw decides whose response the
/// client gets. The other response is thrown away and judged all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirror {
    pub share: Portion,
    /// Only these methods: a request that changes something would do so twice.
    pub methods: Vec<String>,
}

/// Trouble made on purpose, to see how callers bear it. Requests that it hits are no evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Only requests with this header, in lower case.
    pub only_with: Option<String>,
    pub delay: Option<Delay>,
    pub abort: Option<Abort>,
}

/// Before anything is sent to the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delay {
    pub share: Portion,
    pub time: Duration,
}

/// Instead of asking the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abort {
    pub share: Portion,
    pub status: u16,
}

/// Part of a whole, in hundredths of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Portion(pub u16);

impl Portion {
    pub const WHOLE: u16 = 10_000;
}
