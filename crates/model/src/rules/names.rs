//! Names of resources: from 1 to 255 characters `[M]`.
//!
//! A virtual service's name has no upper limit in the service model, but a gateway route could not
//! refer to a longer one.

use crate::check::{self, Checker};
use crate::error::Error;
use crate::id::{LocalId, ResourceId};

pub(super) fn check(id: &ResourceId) -> Result<(), Error> {
    check::request("", |request| names(id, request))
}

fn names(id: &ResourceId, request: &mut Checker) {
    let mut name = |member, value| request.text(member, Some(value), 1..=255);
    name("meshName", &id.mesh);
    match &id.local {
        LocalId::Mesh => {}
        LocalId::VirtualNode(node) => name("virtualNodeName", node),
        LocalId::VirtualRouter(router) => name("virtualRouterName", router),
        LocalId::VirtualService(service) => name("virtualServiceName", service),
        LocalId::VirtualGateway(gateway) => name("virtualGatewayName", gateway),
        LocalId::Route {
            router,
            name: route,
        } => {
            name("virtualRouterName", router);
            name("routeName", route);
        }
        LocalId::GatewayRoute {
            gateway,
            name: route,
        } => {
            name("virtualGatewayName", gateway);
            name("gatewayRouteName", route);
        }
    }
}
