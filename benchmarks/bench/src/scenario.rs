//! The matrix: what is asked of every peer.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use setup::{Certificate, Protocol, Setup, Upstream};

use crate::load::{Pace, Plan};

/// Of the split that is behind every route.
pub const WEIGHTS: [u32; 2] = [95, 5];

#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub title: &'static str,
    pub downstream: Protocol,
    pub upstream: Protocol,
    pub tls: bool,
    pub body: usize,
    pub connections: usize,
    pub streams: usize,
    pub pace: Pace,
    pub fresh_connections: bool,
    pub routes: usize,
    pub logs_and_retries: bool,
    pub workers: usize,
    /// Not load but memory: the connections make one request each and stay.
    pub idles: bool,
}

const HTTP1: Scenario = Scenario {
    name: "h1-100b",
    title: "HTTP/1.1, 100-byte bodies, saturated",
    downstream: Protocol::Http1,
    upstream: Protocol::Http1,
    tls: false,
    body: 100,
    connections: 64,
    streams: 1,
    pace: Pace::Saturated,
    fresh_connections: false,
    routes: 1,
    logs_and_retries: false,
    workers: 1,
    idles: false,
};

const HTTP2: Scenario = Scenario {
    name: "h2",
    title: "HTTP/2 in clear text to HTTP/1.1, 100-byte bodies, saturated",
    downstream: Protocol::Http2,
    connections: 8,
    streams: 16,
    ..HTTP1
};

pub const ALL: &[Scenario] = &[
    HTTP1,
    Scenario {
        name: "h1-64k",
        title: "HTTP/1.1, 64 KiB bodies, saturated",
        body: 64 << 10,
        ..HTTP1
    },
    Scenario {
        name: "h1-1m",
        title: "HTTP/1.1, 1 MiB bodies, saturated",
        body: 1 << 20,
        connections: 16,
        ..HTTP1
    },
    Scenario {
        name: "h1-5k",
        title: "HTTP/1.1, 100-byte bodies, 5,000 requests a second",
        pace: Pace::Fixed(5_000.0),
        ..HTTP1
    },
    Scenario {
        name: "h1-20k",
        title: "HTTP/1.1, 100-byte bodies, 20,000 requests a second",
        pace: Pace::Fixed(20_000.0),
        ..HTTP1
    },
    Scenario {
        name: "h1-new",
        title: "HTTP/1.1, a new connection for each request",
        fresh_connections: true,
        ..HTTP1
    },
    Scenario {
        name: "h1-10-routes",
        title: "HTTP/1.1, 10 routes",
        routes: 10,
        ..HTTP1
    },
    Scenario {
        name: "h1-1000-routes",
        title: "HTTP/1.1, 1,000 routes",
        routes: 1_000,
        ..HTTP1
    },
    Scenario {
        name: "h1-log-retries",
        title: "HTTP/1.1, access log and retries on",
        logs_and_retries: true,
        ..HTTP1
    },
    Scenario {
        name: "h1-two-workers",
        title: "HTTP/1.1, two workers on two cores, one of which the load shares",
        workers: 2,
        ..HTTP1
    },
    Scenario {
        name: "h1-tls",
        title: "HTTP/1.1 over TLS, 100-byte bodies, saturated",
        tls: true,
        ..HTTP1
    },
    Scenario {
        name: "h1-tls-64k",
        title: "HTTP/1.1 over TLS, 64 KiB bodies, saturated",
        tls: true,
        body: 64 << 10,
        ..HTTP1
    },
    Scenario {
        name: "h1-tls-new",
        title: "HTTP/1.1 over TLS, a new connection for each request, full handshakes",
        tls: true,
        fresh_connections: true,
        ..HTTP1
    },
    HTTP2,
    Scenario {
        name: "h2-h2",
        title: "HTTP/2 in clear text on both sides, 100-byte bodies, saturated",
        upstream: Protocol::Http2,
        ..HTTP2
    },
    Scenario {
        name: "h2-tls",
        title: "HTTP/2 over TLS to HTTP/1.1, 100-byte bodies, saturated",
        tls: true,
        ..HTTP2
    },
    Scenario {
        name: "tcp",
        title: "TCP, 100-byte messages, saturated",
        downstream: Protocol::Tcp,
        upstream: Protocol::Tcp,
        ..HTTP1
    },
    Scenario {
        name: "idle",
        title: "Memory with 10,000 idle HTTP/1.1 connections",
        connections: 10_000,
        idles: true,
        ..HTTP1
    },
];

impl Scenario {
    /// TCP goes to one upstream: where a connection is what is split, there are too few to count.
    pub fn upstreams(&self) -> usize {
        if self.downstream == Protocol::Tcp {
            1
        } else {
            WEIGHTS.len()
        }
    }

    pub fn setup(
        &self,
        listen: SocketAddr,
        upstreams: &[SocketAddr],
        certificate: &Certificate,
        directory: &Path,
    ) -> Setup {
        Setup {
            listen,
            downstream: self.downstream,
            upstream: self.upstream,
            tls: self.tls.then(|| certificate.clone()),
            upstreams: upstreams
                .iter()
                .zip(WEIGHTS)
                .take(self.upstreams())
                .map(|(&address, weight)| Upstream { address, weight })
                .collect(),
            workers: self.workers,
            routes: self.routes,
            access_log: self.logs_and_retries.then(|| directory.join("access.log")),
            retries: self.logs_and_retries,
            large_bodies: self.body > 16 << 10,
        }
    }

    pub fn plan(&self, setup: &Setup, tls: &Arc<ClientConfig>) -> Plan {
        Plan {
            proxy: setup.listen,
            protocol: self.downstream,
            tls: self.tls.then(|| Arc::clone(tls)),
            connections: self.connections,
            streams: self.streams,
            pace: self.pace,
            body: self.body,
            paths: setup.prefixes(),
            fresh_connections: self.fresh_connections,
        }
    }
}

pub fn by_name(name: &str) -> Result<&'static Scenario, String> {
    let found = ALL.iter().find(|scenario| scenario.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|scenario| scenario.name).collect();
        format!(
            "no scenario is called {name:?}: there are {}",
            names.join(", ")
        )
    })
}
