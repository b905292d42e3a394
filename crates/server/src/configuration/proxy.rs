//! How the proxy in the server treats connections and endpoints, where App Mesh had no say.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};

use proxy::{Balancing, Ceilings, Options};
use release::manifest::TextDuration;
use serde::Deserialize;
use view::ProxyProtocol;

use super::fields::{Percent, Size};
use super::nodes::NodePath;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProxySettings {
    /// Where the server runs: endpoints of the same zone are preferred.
    pub zone: Option<String>,
    /// How long a new endpoint takes to be sent as much as others.
    pub slow_start: Option<TextDuration>,
    /// Ejected endpoints are used while a smaller share of all would be left without them.
    pub panic_threshold: Option<Percent>,
    /// Who is asked for endpoints' names; none: whoever the machine asks.
    pub name_servers: Vec<SocketAddr>,
    /// Client connections of each worker.
    pub connections: Option<NonZeroUsize>,
    pub ceilings: CeilingSettings,
    /// By the paths of virtual nodes and gateways.
    pub proxy_protocol: BTreeMap<NodePath, ProxyProtocol>,
}

/// What the proxy sheds what is beyond of; nothing where they are not set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CeilingSettings {
    pub connections: Option<NonZeroUsize>,
    pub listener_connections: Option<NonZeroUsize>,
    pub requests: Option<NonZeroUsize>,
    pub body_size: Option<Size>,
}

impl CeilingSettings {
    /// These where they are set, else the others.
    pub fn or(self, others: Self) -> Self {
        Self {
            connections: self.connections.or(others.connections),
            listener_connections: self.listener_connections.or(others.listener_connections),
            requests: self.requests.or(others.requests),
            body_size: self.body_size.or(others.body_size),
        }
    }
}

impl From<CeilingSettings> for Ceilings {
    fn from(settings: CeilingSettings) -> Self {
        let bytes = |size: Size| NonZeroU64::new(size.bytes() as u64);
        Self {
            connections: settings.connections,
            listener_connections: settings.listener_connections,
            requests: settings.requests,
            body: settings.body_size.and_then(bytes),
        }
    }
}

impl ProxySettings {
    pub(crate) fn options(&self) -> Options {
        let default = Balancing::default();
        Options {
            connections: self.connections,
            ceilings: self.ceilings.clone().into(),
            name_servers: self.name_servers.clone(),
            balancing: Balancing {
                panic_threshold: self
                    .panic_threshold
                    .map_or(default.panic_threshold, |percent| percent.0),
                slow_start: self.slow_start.map(|slow_start| slow_start.0),
                zone: self.zone.clone(),
            },
            ..Options::default()
        }
    }
}
