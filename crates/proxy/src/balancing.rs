//! How requests are spread over the endpoints of one version; the version itself stays a pure draw.

use std::time::Duration;

/// What App Mesh left to its proxies' defaults, for all clusters of a data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancing {
    /// Ejected endpoints are used like others while fewer than this share of a cluster's endpoints, in
    /// percent, would be left without them; 0 never uses them.
    pub panic_threshold: u8,
    /// How long a new endpoint takes to be sent as much as others; `None`: as much at once.
    pub slow_start: Option<Duration>,
    /// Where this proxy runs: endpoints of the same zone are preferred. `None`: all are alike.
    pub zone: Option<String>,
}

impl Default for Balancing {
    /// Envoy's defaults.
    fn default() -> Self {
        Self {
            panic_threshold: 50,
            slow_start: None,
            zone: None,
        }
    }
}
