//! What load is put on a proxy.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use setup::Protocol;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// The next request as soon as an answer is there.
    Saturated,
    /// So many requests a second, each due at a time that does not wait for the answers before it.
    Fixed(f64),
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub proxy: SocketAddr,
    pub protocol: Protocol,
    /// The proxy's listener speaks TLS.
    pub tls: Option<Arc<ClientConfig>>,
    pub connections: usize,
    /// Requests under way on one connection; more than one with HTTP/2 only.
    pub streams: usize,
    pub pace: Pace,
    /// Bytes of an answer.
    pub body: usize,
    /// Requests go to these in turn.
    pub paths: Vec<String>,
    /// Every request has a connection of its own.
    pub fresh_connections: bool,
}

impl Plan {
    /// One request at a time on one connection: whether the proxy works at all.
    pub fn probe(&self) -> Self {
        Self {
            connections: 1,
            streams: 1,
            pace: Pace::Saturated,
            fresh_connections: false,
            ..self.clone()
        }
    }
}
