//! A route: which of a router's requests it takes, and how it splits them among virtual nodes.
//!
//! The service model has four optional members where exactly one is meant; [`RouteSpec::action`] is
//! that one, and the rules refuse a spec without it.

use serde::{Deserialize, Serialize};

use super::Protocol;
use super::listener::PORT;
use crate::check::{Check, Checker};

pub use self::grpc::*;
pub use self::http::*;
pub use self::tcp::*;

mod grpc;
mod http;
mod tcp;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteSpec {
    /// 0 is tried first; absent is tried last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_route: Option<HttpRoute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http2_route: Option<HttpRoute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grpc_route: Option<GrpcRoute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_route: Option<TcpRoute>,
}

/// Where a route sends what it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteAction {
    pub weighted_targets: Vec<WeightedTarget>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WeightedTarget {
    /// The virtual node's name.
    pub virtual_node: String,
    /// Relative to the other targets' weights.
    pub weight: i32,
    /// Which of the node's listeners; absent where it has only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

impl RouteSpec {
    /// The protocol of the first member that is set.
    pub fn protocol(&self) -> Option<Protocol> {
        if self.http_route.is_some() {
            Some(Protocol::Http)
        } else if self.http2_route.is_some() {
            Some(Protocol::Http2)
        } else if self.grpc_route.is_some() {
            Some(Protocol::Grpc)
        } else {
            self.tcp_route.as_ref().map(|_| Protocol::Tcp)
        }
    }

    /// The action of the first member that is set.
    pub fn action(&self) -> Option<&RouteAction> {
        let http = self.http_route.as_ref().or(self.http2_route.as_ref());
        http.map(|route| &route.action)
            .or_else(|| self.grpc_route.as_ref().map(|route| &route.action))
            .or_else(|| self.tcp_route.as_ref().map(|route| &route.action))
    }

    pub fn action_mut(&mut self) -> Option<&mut RouteAction> {
        let http = self.http_route.as_mut().or(self.http2_route.as_mut());
        http.map(|route| &mut route.action)
            .or_else(|| self.grpc_route.as_mut().map(|route| &mut route.action))
            .or_else(|| self.tcp_route.as_mut().map(|route| &mut route.action))
    }

    pub fn targets(&self) -> &[WeightedTarget] {
        self.action()
            .map(|action| action.weighted_targets.as_slice())
            .unwrap_or_default()
    }

    /// The listener port the route is for; absent where the router has only one.
    pub fn match_port(&self) -> Option<i32> {
        let http = self.http_route.as_ref().or(self.http2_route.as_ref());
        if let Some(route) = http {
            route.matches.port
        } else if let Some(route) = &self.grpc_route {
            route.matches.port
        } else {
            self.tcp_route.as_ref()?.matches.as_ref()?.port
        }
    }
}

impl Check for RouteSpec {
    fn check(&self, at: &mut Checker) {
        at.integer("priority", self.priority, 0..=1000);
        at.member("httpRoute", &self.http_route);
        at.member("http2Route", &self.http2_route);
        at.member("grpcRoute", &self.grpc_route);
        at.member("tcpRoute", &self.tcp_route);
    }
}

impl Check for RouteAction {
    fn check(&self, at: &mut Checker) {
        at.list("weightedTargets", Some(&self.weighted_targets), 1..=10);
    }
}

impl Check for WeightedTarget {
    fn check(&self, at: &mut Checker) {
        at.text("virtualNode", Some(&self.virtual_node), 1..=255);
        at.integer("weight", Some(self.weight), 0..=100);
        at.integer("port", self.port, PORT);
    }
}
