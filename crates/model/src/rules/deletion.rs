//! What may be deleted: only what nothing else stands on.
//!
//! A backend does not hold its virtual service: the workshop's clean-up deletes services first.

use super::find;
use crate::error::{Error, ErrorKind};
use crate::id::{Kind, LocalId, ResourceId};
use crate::resource::Resource;
use crate::snapshot::Snapshot;

/// So many names at most are in a message.
const MOST_NAMED: usize = 10;

/// Whether the resource may go.
pub fn delete(snapshot: &Snapshot, id: &ResourceId) -> Result<(), Error> {
    let resource = find(snapshot, id)?;
    let obstacle = match &id.local {
        LocalId::Mesh => inhabitants(snapshot, resource),
        LocalId::VirtualNode(_) => provides(snapshot, id).or_else(|| is_target(snapshot, id)),
        LocalId::VirtualRouter(name) => provides(snapshot, id)
            .or_else(|| has_children(snapshot, id, &ResourceId::route(&id.mesh, name, ""))),
        LocalId::VirtualGateway(name) => {
            has_children(snapshot, id, &ResourceId::gateway_route(&id.mesh, name, ""))
        }
        LocalId::VirtualService(_) => is_gateway_target(snapshot, id),
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
    referrers(snapshot, id, Kind::VirtualService)?;
    let (kind, name) = (id.kind(), id.name());
    Some(format!(
        "{kind} with name {name} cannot be deleted because it is a VirtualService provider"
    ))
}

fn is_target(snapshot: &Snapshot, node: &ResourceId) -> Option<String> {
    let (routes, node) = (referrers(snapshot, node, Kind::Route)?, node.name());
    Some(format!(
        "VirtualNode with name {node} cannot be deleted because it is a target of Routes: {routes}"
    ))
}

fn is_gateway_target(snapshot: &Snapshot, service: &ResourceId) -> Option<String> {
    let routes = referrers(snapshot, service, Kind::GatewayRoute)?;
    let service = service.name();
    Some(format!(
        "VirtualService {service} is being referenced in the following: GATEWAY_ROUTE: [{routes}]"
    ))
}

fn has_children(snapshot: &Snapshot, id: &ResourceId, children: &ResourceId) -> Option<String> {
    let names = names(
        snapshot
            .siblings_after(children)
            .map(|child| child.id.name().to_owned()),
    )?;
    let (parent, name, kind) = (id.kind(), id.name(), children.kind());
    Some(format!(
        "{parent} with name {name} cannot be deleted because it has {kind}s: {names}"
    ))
}

/// The names of the resources of one kind that refer to this one, if there are any.
fn referrers(snapshot: &Snapshot, id: &ResourceId, kind: Kind) -> Option<String> {
    let of_kind = snapshot
        .referrers(id)
        .filter(|referrer| referrer.kind() == kind);
    names(of_kind.map(|referrer| referrer.name().to_owned()))
}

fn names(mut names: impl Iterator<Item = String>) -> Option<String> {
    let mut named: Vec<String> = names.by_ref().take(MOST_NAMED).collect();
    if names.next().is_some() {
        named.push("...".to_owned());
    }
    (!named.is_empty()).then(|| named.join(", "))
}
