//! The specs of the seven kinds: what a user writes, shape by shape as the public service model has it.
//!
//! Each type reads and writes exactly the service model's JSON: unknown members are refused, a member
//! that was absent stays absent, and an empty list stays an empty list. The model's twin shapes for
//! virtual gateways (`VirtualGatewayListenerTls` and so on) are folded into the shape they copy.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::check::{Check, Checker};
use crate::error::Error;
use crate::id::Kind;
use crate::read::read;

pub use self::discovery::*;
pub use self::duration::*;
pub use self::gateway_route::*;
pub use self::listener::*;
pub use self::logging::*;
pub use self::mesh::*;
pub use self::request_match::*;
pub use self::route::*;
pub use self::tls::*;
pub use self::virtual_gateway::*;
pub use self::virtual_node::*;
pub use self::virtual_router::*;
pub use self::virtual_service::*;

pub mod discovery;
pub mod duration;
pub mod gateway_route;
pub mod listener;
pub mod logging;
pub mod mesh;
mod references;
pub mod request_match;
pub mod route;
pub mod tls;
pub mod virtual_gateway;
pub mod virtual_node;
pub mod virtual_router;
pub mod virtual_service;

/// A resource's spec; stored under its kind, on the wire bare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Spec {
    Mesh(MeshSpec),
    VirtualNode(VirtualNodeSpec),
    VirtualRouter(VirtualRouterSpec),
    VirtualService(VirtualServiceSpec),
    VirtualGateway(VirtualGatewaySpec),
    Route(RouteSpec),
    GatewayRoute(GatewayRouteSpec),
}

impl Spec {
    /// Reads a spec from its wire form, strictly; constraints and rules are checked apart.
    pub fn parse(kind: Kind, value: &Value) -> Result<Self, Error> {
        let path = "spec";
        Ok(match kind {
            Kind::Mesh => Spec::Mesh(read(value, path)?),
            Kind::VirtualNode => Spec::VirtualNode(read(value, path)?),
            Kind::VirtualRouter => Spec::VirtualRouter(read(value, path)?),
            Kind::VirtualService => Spec::VirtualService(read(value, path)?),
            Kind::VirtualGateway => Spec::VirtualGateway(read(value, path)?),
            Kind::Route => Spec::Route(read(value, path)?),
            Kind::GatewayRoute => Spec::GatewayRoute(read(value, path)?),
        })
    }

    /// The wire form: the spec without its kind.
    pub fn wire(&self) -> impl Serialize + '_ {
        Wire(self)
    }

    pub fn kind(&self) -> Kind {
        match self {
            Spec::Mesh(_) => Kind::Mesh,
            Spec::VirtualNode(_) => Kind::VirtualNode,
            Spec::VirtualRouter(_) => Kind::VirtualRouter,
            Spec::VirtualService(_) => Kind::VirtualService,
            Spec::VirtualGateway(_) => Kind::VirtualGateway,
            Spec::Route(_) => Kind::Route,
            Spec::GatewayRoute(_) => Kind::GatewayRoute,
        }
    }
}

struct Wire<'a>(&'a Spec);

impl Serialize for Wire<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Spec::Mesh(spec) => spec.serialize(serializer),
            Spec::VirtualNode(spec) => spec.serialize(serializer),
            Spec::VirtualRouter(spec) => spec.serialize(serializer),
            Spec::VirtualService(spec) => spec.serialize(serializer),
            Spec::VirtualGateway(spec) => spec.serialize(serializer),
            Spec::Route(spec) => spec.serialize(serializer),
            Spec::GatewayRoute(spec) => spec.serialize(serializer),
        }
    }
}

impl Check for Spec {
    fn check(&self, at: &mut Checker) {
        match self {
            Spec::Mesh(spec) => spec.check(at),
            Spec::VirtualNode(spec) => spec.check(at),
            Spec::VirtualRouter(spec) => spec.check(at),
            Spec::VirtualService(spec) => spec.check(at),
            Spec::VirtualGateway(spec) => spec.check(at),
            Spec::Route(spec) => spec.check(at),
            Spec::GatewayRoute(spec) => spec.check(at),
        }
    }
}

macro_rules! from_spec {
    ($($kind:ident($spec:ident)),* $(,)?) => {
        $(impl From<$spec> for Spec {
            fn from(spec: $spec) -> Self {
                Spec::$kind(spec)
            }
        })*
    };
}

from_spec!(
    Mesh(MeshSpec),
    VirtualNode(VirtualNodeSpec),
    VirtualRouter(VirtualRouterSpec),
    VirtualService(VirtualServiceSpec),
    VirtualGateway(VirtualGatewaySpec),
    Route(RouteSpec),
    GatewayRoute(GatewayRouteSpec),
);
