//! Routes over gRPC.

use serde::{Deserialize, Serialize};

use super::{HttpRetryEvent, RouteAction, TcpRetryEvent};
use crate::check::{Check, Checker};
use crate::spec::listener::PORT;
use crate::spec::{Duration, HeaderMatch, HttpTimeout};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcRoute {
    pub action: RouteAction,
    #[serde(rename = "match")]
    pub matches: GrpcRouteMatch,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<GrpcRetryPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<HttpTimeout>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcRouteMatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// Only beside a service name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Vec<HeaderMatch>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcRetryPolicy {
    pub max_retries: i64,
    pub per_retry_timeout: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_retry_events: Option<Vec<GrpcRetryEvent>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_retry_events: Option<Vec<HttpRetryEvent>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_retry_events: Option<Vec<TcpRetryEvent>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GrpcRetryEvent {
    Cancelled,
    DeadlineExceeded,
    Internal,
    ResourceExhausted,
    Unavailable,
}

impl Check for GrpcRoute {
    fn check(&self, at: &mut Checker) {
        at.member("action", &self.action);
        at.member("match", &self.matches);
        at.member("retryPolicy", &self.retry_policy);
        at.member("timeout", &self.timeout);
    }
}

impl Check for GrpcRouteMatch {
    fn check(&self, at: &mut Checker) {
        at.text("methodName", self.method_name.as_ref(), 1..=50);
        at.integer("port", self.port, PORT);
        at.list("metadata", self.metadata.as_deref(), 1..=10);
    }
}

impl Check for GrpcRetryPolicy {
    fn check(&self, at: &mut Checker) {
        at.integer("maxRetries", Some(self.max_retries), 0..);
        at.member("perRetryTimeout", &self.per_retry_timeout);
        at.count("grpcRetryEvents", self.grpc_retry_events.as_deref(), 1..=5);
        at.count("httpRetryEvents", self.http_retry_events.as_deref(), 1..=25);
        at.count("tcpRetryEvents", self.tcp_retry_events.as_deref(), 1..=1);
    }
}
