//! Gateway routes over HTTP/1.1 and HTTP/2.

use serde::{Deserialize, Serialize};

use super::{DefaultRewrite, GatewayRouteTarget, HostnameMatch, HostnameRewrite};
use crate::check::{Check, Checker};
use crate::spec::listener::PORT;
use crate::spec::{HeaderMatch, HttpMethod, PathMatch, QueryParameter};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpGatewayRoute {
    pub action: HttpGatewayRouteAction,
    #[serde(rename = "match")]
    pub matches: HttpGatewayRouteMatch,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpGatewayRouteAction {
    pub target: GatewayRouteTarget,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<HttpGatewayRouteRewrite>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpGatewayRouteRewrite {
    /// Excludes `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<PrefixRewrite>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathRewrite>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<HostnameRewrite>,
}

/// What the matched prefix becomes: the default (`/`), itself, or a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrefixRewrite {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_prefix: Option<DefaultRewrite>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PathRewrite {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpGatewayRouteMatch {
    /// A plain string prefix of the path; excludes `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathMatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<HostnameMatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<HttpMethod>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Vec<HeaderMatch>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_parameters: Option<Vec<QueryParameter>>,
}

impl Check for HttpGatewayRoute {
    fn check(&self, at: &mut Checker) {
        at.member("action", &self.action);
        at.member("match", &self.matches);
    }
}

impl Check for HttpGatewayRouteAction {
    fn check(&self, at: &mut Checker) {
        at.member("target", &self.target);
        at.member("rewrite", &self.rewrite);
    }
}

impl Check for HttpGatewayRouteRewrite {
    fn check(&self, at: &mut Checker) {
        at.member("prefix", &self.prefix);
        at.member("path", &self.path);
    }
}

impl Check for PrefixRewrite {
    fn check(&self, at: &mut Checker) {
        at.text("value", self.value.as_ref(), 1..=255);
    }
}

impl Check for PathRewrite {
    fn check(&self, at: &mut Checker) {
        at.text("exact", self.exact.as_ref(), 1..=255);
    }
}

impl Check for HttpGatewayRouteMatch {
    fn check(&self, at: &mut Checker) {
        at.member("path", &self.path);
        at.member("hostname", &self.hostname);
        at.integer("port", self.port, PORT);
        at.list("headers", self.headers.as_deref(), 1..=10);
        at.count("queryParameters", self.query_parameters.as_deref(), 1..=10);
    }
}
