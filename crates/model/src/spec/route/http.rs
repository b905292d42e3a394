//! Routes over HTTP/1.1 and HTTP/2.

use serde::{Deserialize, Serialize};

use super::RouteAction;
use crate::check::{Check, Checker};
use crate::spec::listener::PORT;
use crate::spec::{
    Duration, HeaderMatch, HttpMethod, HttpScheme, HttpTimeout, PathMatch, QueryParameter,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRoute {
    pub action: RouteAction,
    #[serde(rename = "match")]
    pub matches: HttpRouteMatch,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<HttpRetryPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<HttpTimeout>,
}

/// Everything given must hold; nothing given takes every request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRouteMatch {
    /// A plain string prefix of the path; excludes `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathMatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<HttpScheme>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<HeaderMatch>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_parameters: Option<Vec<QueryParameter>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRetryPolicy {
    pub max_retries: i64,
    pub per_retry_timeout: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_retry_events: Option<Vec<HttpRetryEvent>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_retry_events: Option<Vec<TcpRetryEvent>>,
}

/// The model leaves these free text of 1..=25 characters; the documentation lists exactly four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpRetryEvent {
    /// 500 to 508, 510 and 511.
    ServerError,
    /// 502, 503 and 504.
    GatewayError,
    /// 409.
    ClientError,
    /// A stream the upstream refused.
    StreamError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TcpRetryEvent {
    ConnectionError,
}

impl Check for HttpRoute {
    fn check(&self, at: &mut Checker) {
        at.member("action", &self.action);
        at.member("match", &self.matches);
        at.member("retryPolicy", &self.retry_policy);
        at.member("timeout", &self.timeout);
    }
}

impl Check for HttpRouteMatch {
    fn check(&self, at: &mut Checker) {
        at.member("path", &self.path);
        at.integer("port", self.port, PORT);
        at.list("headers", self.headers.as_deref(), 1..=10);
        at.count("queryParameters", self.query_parameters.as_deref(), 1..=10);
    }
}

impl Check for HttpRetryPolicy {
    fn check(&self, at: &mut Checker) {
        at.integer("maxRetries", Some(self.max_retries), 0..);
        at.member("perRetryTimeout", &self.per_retry_timeout);
        at.count("httpRetryEvents", self.http_retry_events.as_deref(), 1..=25);
        at.count("tcpRetryEvents", self.tcp_retry_events.as_deref(), 1..=1);
    }
}
