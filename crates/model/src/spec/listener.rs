//! What a virtual node's or a virtual gateway's listener says beside its TLS.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::{Duration, HttpTimeout, TcpTimeout};
use crate::check::{Check, Checker};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortMapping {
    pub port: i32,
    pub protocol: Protocol,
}

/// What a listener speaks. A virtual gateway's never speaks [`Protocol::Tcp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Http,
    Tcp,
    Http2,
    Grpc,
}

impl Protocol {
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Tcp => "tcp",
            Protocol::Http2 => "http2",
            Protocol::Grpc => "grpc",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the clients of a listener find out which of its endpoints are fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheckPolicy {
    pub protocol: Protocol,
    pub interval_millis: i64,
    pub timeout_millis: i64,
    pub healthy_threshold: i32,
    pub unhealthy_threshold: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

/// Limits on what a listener admits; the member must be that of the listener's protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConnectionPool {
    Http(HttpConnectionPool),
    Http2(RequestPool),
    Grpc(RequestPool),
    Tcp(TcpConnectionPool),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpConnectionPool {
    pub max_connections: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pending_requests: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestPool {
    pub max_requests: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpConnectionPool {
    pub max_connections: i32,
}

/// When an endpoint that answers with server errors is left out for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutlierDetection {
    pub max_server_errors: i64,
    pub interval: Duration,
    pub base_ejection_duration: Duration,
    pub max_ejection_percent: i32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ListenerTimeout {
    Http(HttpTimeout),
    Http2(HttpTimeout),
    Grpc(HttpTimeout),
    Tcp(TcpTimeout),
}

/// Every port of the service model.
pub(crate) const PORT: RangeInclusive<i64> = 1..=65_535;

impl Check for PortMapping {
    fn check(&self, at: &mut Checker) {
        at.integer("port", Some(self.port), PORT);
    }
}

impl Check for HealthCheckPolicy {
    fn check(&self, at: &mut Checker) {
        at.integer(
            "intervalMillis",
            Some(self.interval_millis),
            5_000..=300_000,
        );
        at.integer("timeoutMillis", Some(self.timeout_millis), 2_000..=60_000);
        at.integer("healthyThreshold", Some(self.healthy_threshold), 2..=10);
        at.integer("unhealthyThreshold", Some(self.unhealthy_threshold), 2..=10);
        at.integer("port", self.port, PORT);
    }
}

impl Check for ConnectionPool {
    fn check(&self, at: &mut Checker) {
        match self {
            ConnectionPool::Http(pool) => at.member("http", pool),
            ConnectionPool::Http2(pool) => at.member("http2", pool),
            ConnectionPool::Grpc(pool) => at.member("grpc", pool),
            ConnectionPool::Tcp(pool) => at.member("tcp", pool),
        }
    }
}

impl Check for HttpConnectionPool {
    fn check(&self, at: &mut Checker) {
        at.integer("maxConnections", Some(self.max_connections), 1..);
        at.integer("maxPendingRequests", self.max_pending_requests, 1..);
    }
}

impl Check for RequestPool {
    fn check(&self, at: &mut Checker) {
        at.integer("maxRequests", Some(self.max_requests), 1..);
    }
}

impl Check for TcpConnectionPool {
    fn check(&self, at: &mut Checker) {
        at.integer("maxConnections", Some(self.max_connections), 1..);
    }
}

impl Check for OutlierDetection {
    fn check(&self, at: &mut Checker) {
        at.integer("maxServerErrors", Some(self.max_server_errors), 1..);
        at.member("interval", &self.interval);
        at.member("baseEjectionDuration", &self.base_ejection_duration);
        at.integer(
            "maxEjectionPercent",
            Some(self.max_ejection_percent),
            0..=100,
        );
    }
}

impl Check for ListenerTimeout {
    fn check(&self, at: &mut Checker) {
        match self {
            ListenerTimeout::Http(timeout) => at.member("http", timeout),
            ListenerTimeout::Http2(timeout) => at.member("http2", timeout),
            ListenerTimeout::Grpc(timeout) => at.member("grpc", timeout),
            ListenerTimeout::Tcp(timeout) => at.member("tcp", timeout),
        }
    }
}
