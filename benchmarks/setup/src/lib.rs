//! What every peer is asked to do in one scenario. Peers of our own making get it as their one argument,
//! in JSON; for the others the driver writes it into their own configuration.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Protocol of one side of the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    Http1,
    Http2,
    Tcp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    pub address: SocketAddr,
    pub weight: u32,
}

/// One proxy with one listener, and a weighted split behind each of its routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    pub listen: SocketAddr,
    pub downstream: Protocol,
    pub upstream: Protocol,
    /// The listener speaks TLS with this.
    pub tls: Option<Certificate>,
    pub upstreams: Vec<Upstream>,
    /// Threads (or processes) that carry traffic.
    pub workers: usize,
    /// One route is `/`; more are `/service-0/`, `/service-1/` and so on.
    pub routes: usize,
    /// A line for each request goes here.
    pub access_log: Option<PathBuf>,
    /// Retries after connection failures, resets and 503.
    pub retries: bool,
    /// Bodies are larger than any default buffer, so that buffers are worth enlarging.
    pub large_bodies: bool,
}

impl Setup {
    /// Of a peer's only argument.
    pub fn from_arguments() -> Result<Self, String> {
        let argument = std::env::args()
            .nth(1)
            .ok_or("the setup is missing: a JSON object as the only argument")?;
        serde_json::from_str(&argument).map_err(|error| format!("the setup is not valid: {error}"))
    }

    /// The upstream that a draw from `0..total_weight()` falls on.
    pub fn drawn(&self, draw: u32) -> SocketAddr {
        let mut left = draw;
        for upstream in &self.upstreams {
            if left < upstream.weight {
                return upstream.address;
            }
            left -= upstream.weight;
        }
        self.upstreams[0].address
    }

    pub fn total_weight(&self) -> u32 {
        self.upstreams.iter().map(|upstream| upstream.weight).sum()
    }

    /// Prefixes of the routes, each with a slash at its end.
    pub fn prefixes(&self) -> Vec<String> {
        match self.routes {
            0 | 1 => vec!["/".to_owned()],
            routes => (0..routes)
                .map(|route| format!("/service-{route}/"))
                .collect(),
        }
    }
}
