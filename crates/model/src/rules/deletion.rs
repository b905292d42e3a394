//! What may be deleted: only what nothing else stands on.
//!
//! A backend does not hold its virtual service: the workshop's clean-up deletes services first.

use super::{find, virtual_service};
use crate::error::{Error, ErrorKind};
use crate::id::{Kind, LocalId, ResourceId};
use crate::resource::Resource;
use crate::snapshot::Snapshot;
use crate::spec::Spec;

/// Whether the resource may go.
pub fn delete(snapshot: &Snapshot, id: &ResourceId) -> Result<(), Error> {
    let resource = find(snapshot, id)?;
    let mesh = id.mesh.as_str();
    let obstacle = match &id.local {
        LocalId::Mesh => inhabitants(snapshot, resource),
        LocalId::VirtualNode(name) => {
            provides(snapshot, id).or_else(|| is_target(snapshot, id, name))
        }
        LocalId::VirtualRouter(name) => provides(snapshot, id)
            .or_else(|| has_children(id, Kind::Route, names(snapshot.routes(mesh, name)))),
        LocalId::VirtualGateway(name) => has_children(
            id,
            Kind::GatewayRoute,
            names(snapshot.gateway_routes(mesh, name)),
        ),
        LocalId::VirtualService(name) => is_gateway_target(snapshot, mesh, name),
        LocalId::Route { .. } | LocalId::GatewayRoute { .. } => None,
    };
    match obstacle {
        Some(message) => Err(Error::new(ErrorKind::ResourceInUse, message)),
        None => Ok(()),
    }
}

fn inhabitants(snapshot: &Snapshot, mesh: &Resource) -> Option<String> {
    let name = mesh.id.mesh.as_str();
    let account = &mesh.metadata.mesh_owner;
    let present = |kind: &Kind| snapshot.of_kind(name, *kind).next().is_some();
    let kind = Kind::ALL
        .into_iter()
        .filter(|kind| *kind != Kind::Mesh)
        .find(present)?;
    Some(format!(
        "Mesh {name} for account {account} has active {kind}s, please delete {kind}s before deleting the Mesh"
    ))
}

fn provides(snapshot: &Snapshot, id: &ResourceId) -> Option<String> {
    let mut services = snapshot.of_kind(&id.mesh, Kind::VirtualService);
    services.find(|resource| match &resource.spec {
        Spec::VirtualService(spec) => {
            virtual_service::provider(&id.mesh, spec).as_ref() == Some(id)
        }
        _ => false,
    })?;
    Some(format!(
        "{} with name {} cannot be deleted because it is a VirtualService provider",
        id.kind(),
        id.name()
    ))
}

fn is_target(snapshot: &Snapshot, id: &ResourceId, node: &str) -> Option<String> {
    let routes = snapshot.of_kind(&id.mesh, Kind::Route);
    let routes = routes.filter(|resource| match &resource.spec {
        Spec::Route(spec) => spec
            .targets()
            .iter()
            .any(|target| target.virtual_node == node),
        _ => false,
    });
    let routes = names(routes);
    (!routes.is_empty()).then(|| {
        format!("VirtualNode with name {node} cannot be deleted because it is a target of Routes: {routes}")
    })
}

fn is_gateway_target(snapshot: &Snapshot, mesh: &str, service: &str) -> Option<String> {
    let routes = snapshot.of_kind(mesh, Kind::GatewayRoute);
    let routes = routes.filter(|resource| match &resource.spec {
        Spec::GatewayRoute(spec) => spec
            .target()
            .is_some_and(|target| target.virtual_service.virtual_service_name == service),
        _ => false,
    });
    let routes = names(routes);
    (!routes.is_empty()).then(|| {
        format!("VirtualService {service} is being referenced in the following: GATEWAY_ROUTE: [{routes}]")
    })
}

fn has_children(id: &ResourceId, kind: Kind, children: String) -> Option<String> {
    (!children.is_empty()).then(|| {
        let (parent, name) = (id.kind(), id.name());
        format!("{parent} with name {name} cannot be deleted because it has {kind}s: {children}")
    })
}

fn names<'s>(resources: impl Iterator<Item = &'s std::sync::Arc<Resource>>) -> String {
    let names: Vec<&str> = resources.map(|resource| resource.id.name()).collect();
    names.join(", ")
}
