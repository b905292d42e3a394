//! How many resources there may be, as App Mesh limited them.
//!
//! App Mesh's quotas protected a service that many shared. They are kept as defaults, so that a mesh which
//! was accepted there meets the same limits here, and every one of them can be configured.

use model::{Error, ErrorKind, Kind, ResourceId, Snapshot, Spec};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Quotas {
    pub meshes_per_account: usize,
    pub virtual_services_per_mesh: usize,
    pub virtual_nodes_per_mesh: usize,
    pub virtual_routers_per_mesh: usize,
    /// The value is not published; this is what users remember.
    pub virtual_gateways_per_mesh: usize,
    pub backends_per_virtual_node: usize,
    pub routes_per_virtual_router: usize,
    /// The value is not published; this is what users remember.
    pub gateway_routes_per_virtual_gateway: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            meshes_per_account: 15,
            virtual_services_per_mesh: 200,
            virtual_nodes_per_mesh: 200,
            virtual_routers_per_mesh: 200,
            virtual_gateways_per_mesh: 3,
            backends_per_virtual_node: 50,
            routes_per_virtual_router: 50,
            gateway_routes_per_virtual_gateway: 10,
        }
    }
}

impl Quotas {
    /// Whether there is room for one more resource like this.
    pub(crate) fn admit(&self, snapshot: &Snapshot, id: &ResourceId) -> Result<(), Error> {
        let (quota, most) = match id.kind() {
            Kind::Mesh => ("meshesPerAccount", self.meshes_per_account),
            Kind::VirtualService => ("virtualServicesPerMesh", self.virtual_services_per_mesh),
            Kind::VirtualNode => ("virtualNodesPerMesh", self.virtual_nodes_per_mesh),
            Kind::VirtualRouter => ("virtualRoutersPerMesh", self.virtual_routers_per_mesh),
            Kind::VirtualGateway => ("virtualGatewaysPerMesh", self.virtual_gateways_per_mesh),
            Kind::Route => ("routesPerVirtualRouter", self.routes_per_virtual_router),
            Kind::GatewayRoute => (
                "gatewayRoutesPerVirtualGateway",
                self.gateway_routes_per_virtual_gateway,
            ),
        };
        if snapshot.count_siblings(id) < most {
            return Ok(());
        }
        let owner = match id.parent() {
            None => "the account".to_owned(),
            Some(parent) => format!("{} {}", parent.kind(), parent.name()),
        };
        Err(exceeded(&format!("{owner} has reached"), quota, most))
    }

    /// Whether a spec stays inside its own limits; those of the service model are checked elsewhere.
    pub(crate) fn admit_spec(&self, id: &ResourceId, spec: &Spec) -> Result<(), Error> {
        let Spec::VirtualNode(node) = spec else {
            return Ok(());
        };
        let (most, present) = (self.backends_per_virtual_node, node.backends().len());
        if present <= most {
            return Ok(());
        }
        let excess = format!("VirtualNode {} with {present} backends exceeds", id.name());
        Err(exceeded(&excess, "backendsPerVirtualNode", most))
    }
}

fn exceeded(excess: &str, quota: &str, most: usize) -> Error {
    let message = format!(
        "{excess} the quota {quota} of {most}; to allow more, raise quotas.{quota} in the server's configuration"
    );
    Error::new(ErrorKind::LimitExceeded, message)
}
