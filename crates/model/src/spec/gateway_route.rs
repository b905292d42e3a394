//! A gateway route: which requests from outside go to which virtual service, and how they are rewritten.
//!
//! As with routes, the service model has optional members where exactly one is meant.

use serde::{Deserialize, Serialize};

use super::Protocol;
use super::listener::PORT;
use crate::check::{Check, Checker};

pub use self::grpc::*;
pub use self::http::*;

mod grpc;
mod http;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayRouteSpec {
    /// 0 is tried first; absent is tried last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_route: Option<HttpGatewayRoute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http2_route: Option<HttpGatewayRoute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_route: Option<GrpcGatewayRoute>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayRouteTarget {
    pub virtual_service: GatewayRouteVirtualService,
    /// Which of the service's ports; absent where its provider has only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewayRouteVirtualService {
    pub virtual_service_name: String,
}

/// The authority asked for, exactly or by its end: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostnameMatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostnameRewrite {
    /// Whether the authority becomes the virtual service's name; absent means enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_target_hostname: Option<DefaultRewrite>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DefaultRewrite {
    Enabled,
    Disabled,
}

impl GatewayRouteSpec {
    /// The protocol of the first member that is set.
    pub fn protocol(&self) -> Option<Protocol> {
        if self.http_route.is_some() {
            Some(Protocol::Http)
        } else if self.http2_route.is_some() {
            Some(Protocol::Http2)
        } else {
            self.grpc_route.as_ref().map(|_| Protocol::Grpc)
        }
    }

    /// The target of the first member that is set.
    pub fn target(&self) -> Option<&GatewayRouteTarget> {
        let http = self.http_route.as_ref().or(self.http2_route.as_ref());
        http.map(|route| &route.action.target)
            .or_else(|| self.grpc_route.as_ref().map(|route| &route.action.target))
    }

    /// The listener port the route is for; absent where the gateway has only one.
    pub fn match_port(&self) -> Option<i32> {
        let http = self.http_route.as_ref().or(self.http2_route.as_ref());
        match http {
            Some(route) => route.matches.port,
            None => self.grpc_route.as_ref()?.matches.port,
        }
    }
}

impl Check for GatewayRouteSpec {
    fn check(&self, at: &mut Checker) {
        at.integer("priority", self.priority, 0..=1000);
        at.member("httpRoute", &self.http_route);
        at.member("http2Route", &self.http2_route);
        at.member("grpcRoute", &self.grpc_route);
    }
}

impl Check for GatewayRouteTarget {
    fn check(&self, at: &mut Checker) {
        let name = &self.virtual_service.virtual_service_name;
        at.text("virtualService.virtualServiceName", Some(name), 1..=255);
        at.integer("port", self.port, PORT);
    }
}

impl Check for HostnameMatch {
    fn check(&self, at: &mut Checker) {
        at.text("exact", self.exact.as_ref(), 1..=253);
        at.text("suffix", self.suffix.as_ref(), 1..=253);
    }
}
