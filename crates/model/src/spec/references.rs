//! What a spec cannot do without: the resources that must be there when it is written, and must stay while it is.
//!
//! A backend is none of them: it may name a virtual service that does not exist yet `[E]`, and the workshop's clean-up
//! deletes services before the nodes that name them `[W]`.

use super::{Spec, VirtualServiceProvider, VirtualServiceSpec};
use crate::id::ResourceId;

impl Spec {
    /// The resources of this mesh that the spec refers to, in the order in which it names them.
    pub fn references(&self, mesh: &str) -> Vec<ResourceId> {
        match self {
            Spec::VirtualService(spec) => spec.provider_id(mesh).into_iter().collect(),
            Spec::Route(spec) => {
                let targets = spec.targets().iter();
                targets
                    .map(|target| ResourceId::virtual_node(mesh, &target.virtual_node))
                    .collect()
            }
            Spec::GatewayRoute(spec) => {
                let services = spec.target().into_iter();
                services
                    .map(|target| &target.virtual_service.virtual_service_name)
                    .map(|name| ResourceId::virtual_service(mesh, name))
                    .collect()
            }
            Spec::Mesh(_)
            | Spec::VirtualNode(_)
            | Spec::VirtualRouter(_)
            | Spec::VirtualGateway(_) => Vec::new(),
        }
    }
}

impl VirtualServiceSpec {
    /// The node or router that answers for the service.
    pub fn provider_id(&self, mesh: &str) -> Option<ResourceId> {
        self.provider.as_ref().map(|provider| match provider {
            VirtualServiceProvider::VirtualNode(node) => {
                ResourceId::virtual_node(mesh, &node.virtual_node_name)
            }
            VirtualServiceProvider::VirtualRouter(router) => {
                ResourceId::virtual_router(mesh, &router.virtual_router_name)
            }
        })
    }
}
