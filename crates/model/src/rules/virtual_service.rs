//! Rules of virtual services: the provider exists.

use super::require;
use crate::error::Error;
use crate::id::ResourceId;
use crate::snapshot::Snapshot;
use crate::spec::{VirtualServiceProvider, VirtualServiceSpec};

pub(super) fn references(
    snapshot: &Snapshot,
    mesh: &str,
    spec: &VirtualServiceSpec,
) -> Result<(), Error> {
    match provider(mesh, spec) {
        Some(provider) => require(snapshot, &provider),
        None => Ok(()),
    }
}

/// The node or router that answers for the service.
pub(super) fn provider(mesh: &str, spec: &VirtualServiceSpec) -> Option<ResourceId> {
    spec.provider.as_ref().map(|provider| match provider {
        VirtualServiceProvider::VirtualNode(node) => {
            ResourceId::virtual_node(mesh, &node.virtual_node_name)
        }
        VirtualServiceProvider::VirtualRouter(router) => {
            ResourceId::virtual_router(mesh, &router.virtual_router_name)
        }
    })
}
