//! Gateway routes over gRPC.

use serde::{Deserialize, Serialize};

use super::{GatewayRouteTarget, HostnameMatch, HostnameRewrite};
use crate::check::{Check, Checker};
use crate::spec::HeaderMatch;
use crate::spec::listener::PORT;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcGatewayRoute {
    pub action: GrpcGatewayRouteAction,
    #[serde(rename = "match")]
    pub matches: GrpcGatewayRouteMatch,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcGatewayRouteAction {
    pub target: GatewayRouteTarget,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<GrpcGatewayRouteRewrite>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcGatewayRouteRewrite {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<HostnameRewrite>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcGatewayRouteMatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<HostnameMatch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Vec<HeaderMatch>>,
}

impl Check for GrpcGatewayRoute {
    fn check(&self, at: &mut Checker) {
        at.member("action", &self.action);
        at.member("match", &self.matches);
    }
}

impl Check for GrpcGatewayRouteAction {
    fn check(&self, at: &mut Checker) {
        at.member("target", &self.target);
    }
}

impl Check for GrpcGatewayRouteMatch {
    fn check(&self, at: &mut Checker) {
        at.member("hostname", &self.hostname);
        at.integer("port", self.port, PORT);
        at.list("metadata", self.metadata.as_deref(), 1..=10);
    }
}
