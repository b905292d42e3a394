//! Names of resources: which mesh, which kind, which name, and under which parent.
//!
//! Identifiers order a mesh first, then its resources by kind, routes by router: a mesh, a kind or a
//! router's routes are each one contiguous range of an ordered map. The path form
//! (`mesh/M/virtualNode/N`) is App Mesh's own, used in ARNs and in Envoy's node ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use self::arn::{Arn, ArnError};

mod arn;
mod path;

/// The seven kinds of resource, in the order in which a snapshot holds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    Mesh,
    VirtualNode,
    VirtualRouter,
    VirtualService,
    VirtualGateway,
    Route,
    GatewayRoute,
}

/// One resource of one mesh.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    pub mesh: String,
    pub local: LocalId,
}

/// A resource's name inside its mesh. The variants stand in [`Kind`]'s order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LocalId {
    /// The mesh itself.
    Mesh,
    VirtualNode(String),
    VirtualRouter(String),
    VirtualService(String),
    VirtualGateway(String),
    Route {
        router: String,
        name: String,
    },
    GatewayRoute {
        gateway: String,
        name: String,
    },
}

/// A path that names no resource.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{path}` names no App Mesh resource: expected a path like `mesh/M/virtualNode/N`")]
pub struct PathError {
    path: String,
}

impl Kind {
    pub const ALL: [Kind; 7] = [
        Kind::Mesh,
        Kind::VirtualNode,
        Kind::VirtualRouter,
        Kind::VirtualService,
        Kind::VirtualGateway,
        Kind::Route,
        Kind::GatewayRoute,
    ];

    /// The name App Mesh uses in messages: `VirtualNode`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Mesh => "Mesh",
            Kind::VirtualNode => "VirtualNode",
            Kind::VirtualRouter => "VirtualRouter",
            Kind::VirtualService => "VirtualService",
            Kind::VirtualGateway => "VirtualGateway",
            Kind::Route => "Route",
            Kind::GatewayRoute => "GatewayRoute",
        }
    }

    /// The name App Mesh uses in paths: `virtualNode`.
    pub fn segment(self) -> &'static str {
        match self {
            Kind::Mesh => "mesh",
            Kind::VirtualNode => "virtualNode",
            Kind::VirtualRouter => "virtualRouter",
            Kind::VirtualService => "virtualService",
            Kind::VirtualGateway => "virtualGateway",
            Kind::Route => "route",
            Kind::GatewayRoute => "gatewayRoute",
        }
    }

    /// The member that holds such a resource's name in App Mesh's requests and answers.
    pub fn name_member(self) -> &'static str {
        match self {
            Kind::Mesh => "meshName",
            Kind::VirtualNode => "virtualNodeName",
            Kind::VirtualRouter => "virtualRouterName",
            Kind::VirtualService => "virtualServiceName",
            Kind::VirtualGateway => "virtualGatewayName",
            Kind::Route => "routeName",
            Kind::GatewayRoute => "gatewayRouteName",
        }
    }
}

impl LocalId {
    /// The identifier of that kind; only routes and gateway routes have a parent beside the mesh, which
    /// is not looked at for others, as a name is not for a mesh.
    pub fn of(kind: Kind, parent: impl Into<String>, name: impl Into<String>) -> Self {
        let (parent, name) = (parent.into(), name.into());
        match kind {
            Kind::Mesh => LocalId::Mesh,
            Kind::VirtualNode => LocalId::VirtualNode(name),
            Kind::VirtualRouter => LocalId::VirtualRouter(name),
            Kind::VirtualService => LocalId::VirtualService(name),
            Kind::VirtualGateway => LocalId::VirtualGateway(name),
            Kind::Route => LocalId::Route {
                router: parent,
                name,
            },
            Kind::GatewayRoute => LocalId::GatewayRoute {
                gateway: parent,
                name,
            },
        }
    }
}

impl ResourceId {
    pub fn new(mesh: impl Into<String>, local: LocalId) -> Self {
        Self {
            mesh: mesh.into(),
            local,
        }
    }

    pub fn mesh(mesh: impl Into<String>) -> Self {
        Self::new(mesh, LocalId::Mesh)
    }

    pub fn virtual_node(mesh: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(mesh, LocalId::VirtualNode(name.into()))
    }

    pub fn virtual_router(mesh: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(mesh, LocalId::VirtualRouter(name.into()))
    }

    pub fn virtual_service(mesh: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(mesh, LocalId::VirtualService(name.into()))
    }

    pub fn virtual_gateway(mesh: impl Into<String>, name: impl Into<String>) -> Self {
        Self::new(mesh, LocalId::VirtualGateway(name.into()))
    }

    pub fn route(
        mesh: impl Into<String>,
        router: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        let (router, name) = (router.into(), name.into());
        Self::new(mesh, LocalId::Route { router, name })
    }

    pub fn gateway_route(
        mesh: impl Into<String>,
        gateway: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        let (gateway, name) = (gateway.into(), name.into());
        Self::new(mesh, LocalId::GatewayRoute { gateway, name })
    }

    pub fn kind(&self) -> Kind {
        match &self.local {
            LocalId::Mesh => Kind::Mesh,
            LocalId::VirtualNode(_) => Kind::VirtualNode,
            LocalId::VirtualRouter(_) => Kind::VirtualRouter,
            LocalId::VirtualService(_) => Kind::VirtualService,
            LocalId::VirtualGateway(_) => Kind::VirtualGateway,
            LocalId::Route { .. } => Kind::Route,
            LocalId::GatewayRoute { .. } => Kind::GatewayRoute,
        }
    }

    /// The resource's own name; a mesh's is the mesh's.
    pub fn name(&self) -> &str {
        match &self.local {
            LocalId::Mesh => &self.mesh,
            LocalId::VirtualNode(name)
            | LocalId::VirtualRouter(name)
            | LocalId::VirtualService(name)
            | LocalId::VirtualGateway(name)
            | LocalId::Route { name, .. }
            | LocalId::GatewayRoute { name, .. } => name,
        }
    }

    /// What must exist before this can: a route's router, a gateway route's gateway, else the mesh.
    pub fn parent(&self) -> Option<ResourceId> {
        match &self.local {
            LocalId::Mesh => None,
            LocalId::Route { router, .. } => Some(Self::virtual_router(&self.mesh, router)),
            LocalId::GatewayRoute { gateway, .. } => {
                Some(Self::virtual_gateway(&self.mesh, gateway))
            }
            _ => Some(Self::mesh(&self.mesh)),
        }
    }

    /// All names that make up the identifier, outermost first, by their members in App Mesh's requests
    /// and answers.
    pub fn names(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let (parent, name) = match &self.local {
            LocalId::Mesh => (None, None),
            LocalId::Route { router, name } => (Some((Kind::VirtualRouter, router)), Some(name)),
            LocalId::GatewayRoute { gateway, name } => {
                (Some((Kind::VirtualGateway, gateway)), Some(name))
            }
            LocalId::VirtualNode(name)
            | LocalId::VirtualRouter(name)
            | LocalId::VirtualService(name)
            | LocalId::VirtualGateway(name) => (None, Some(name)),
        };
        let all = [
            Some((Kind::Mesh, &self.mesh)),
            parent,
            name.map(|name| (self.kind(), name)),
        ];
        all.into_iter()
            .flatten()
            .map(|(kind, name)| (kind.name_member(), name.as_str()))
    }

    /// The nameless identifier of the same kind under the same parent: it comes before all that have a name, and stands
    /// for the whole collection of them.
    pub fn collection(&self) -> ResourceId {
        let none = String::new;
        match &self.local {
            LocalId::Mesh => Self::mesh(""),
            LocalId::VirtualNode(_) => Self::virtual_node(&self.mesh, none()),
            LocalId::VirtualRouter(_) => Self::virtual_router(&self.mesh, none()),
            LocalId::VirtualService(_) => Self::virtual_service(&self.mesh, none()),
            LocalId::VirtualGateway(_) => Self::virtual_gateway(&self.mesh, none()),
            LocalId::Route { router, .. } => Self::route(&self.mesh, router, none()),
            LocalId::GatewayRoute { gateway, .. } => {
                Self::gateway_route(&self.mesh, gateway, none())
            }
        }
    }

    /// Whether both are of one collection: the same kind under the same parent.
    pub fn is_beside(&self, other: &ResourceId) -> bool {
        match (&self.local, &other.local) {
            (LocalId::Mesh, LocalId::Mesh) => true,
            (LocalId::Route { router: one, .. }, LocalId::Route { router: two, .. })
            | (
                LocalId::GatewayRoute { gateway: one, .. },
                LocalId::GatewayRoute { gateway: two, .. },
            ) => self.mesh == other.mesh && one == two,
            _ => self.mesh == other.mesh && self.kind() == other.kind(),
        }
    }

    /// `mesh/M/virtualRouter/R/route/N`; `/` and `%` inside a name are written `%2F` and `%25`.
    pub fn path(&self) -> String {
        path::write(self)
    }

    pub fn arn(&self, region: impl Into<String>, account: impl Into<String>) -> Arn {
        Arn {
            region: region.into(),
            account: account.into(),
            id: self.clone(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

impl fmt::Display for LocalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&path::write_local(self))
    }
}

impl FromStr for ResourceId {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        path::read(text).ok_or_else(|| PathError {
            path: text.to_owned(),
        })
    }
}

impl Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}
