//! Which changes to a mesh are possible.
//!
//! Three questions, each a pure function of the world and the change: may this be created, updated,
//! deleted? A spec that passed [`create`] or [`update`] keeps the service model's constraints and every
//! rule here, so nothing downstream validates again. The evidence for a rule is named where it stands:
//! `[M]` the service model and its documentation, `[G]` the user guide, `[K]` the Kubernetes controller,
//! `[E]` AWS's examples, `[A]` AWS's Envoy agent, `[?]` nowhere, decided as a user would expect.
//!
//! References are checked when a resource that refers is written, not when what it refers to changes:
//! moving a service to another protocol takes several updates, and every order must be possible.
//!
//! App Mesh's quotas (200 virtual nodes a mesh and the like) are no rules of a mesh: the API that is asked
//! for a change holds them, as it is configured to, and releases are free of them.

use std::sync::Arc;

use crate::check::{self, Check};
use crate::error::{Error, ErrorKind};
use crate::id::{LocalId, ResourceId};
use crate::resource::Resource;
use crate::snapshot::Snapshot;
use crate::spec::Spec;

pub use self::deletion::delete;
pub use self::names::well_named;

mod deletion;
mod duration;
mod gateway_route;
mod listeners;
mod names;
mod request_match;
mod route;
mod virtual_gateway;
mod virtual_node;
mod virtual_router;

/// Whether the resource may be added.
pub fn create(snapshot: &Snapshot, id: &ResourceId, spec: &Spec) -> Result<(), Error> {
    well_formed(id, spec)?;
    create_well_formed(snapshot, id, spec)
}

/// Whether the resource may have this spec from now on.
pub fn update(snapshot: &Snapshot, id: &ResourceId, spec: &Spec) -> Result<(), Error> {
    well_formed(id, spec)?;
    update_well_formed(snapshot, id, spec)
}

/// What remains of [`create`] after [`well_formed`]: all that depends on the world.
pub fn create_well_formed(snapshot: &Snapshot, id: &ResourceId, spec: &Spec) -> Result<(), Error> {
    if let Some(parent) = id.parent() {
        find(snapshot, &parent)?;
    }
    if snapshot.contains(id) {
        // [?] What Terraform and the Kubernetes controller rely on.
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("{} with name {} already exists", id.kind(), id.name()),
        ));
    }
    references(snapshot, id, spec)
}

/// What remains of [`update`] after [`well_formed`].
pub fn update_well_formed(snapshot: &Snapshot, id: &ResourceId, spec: &Spec) -> Result<(), Error> {
    find(snapshot, id)?;
    references(snapshot, id, spec)
}

/// The resource, or App Mesh's answer for one that is not there; a missing parent is named first.
pub fn find<'s>(snapshot: &'s Snapshot, id: &ResourceId) -> Result<&'s Arc<Resource>, Error> {
    if let Some(found) = snapshot.get(id) {
        return Ok(found);
    }
    let (kind, name, mesh) = (id.kind(), id.name(), &id.mesh);
    let message = match id.parent() {
        None => format!("Mesh with name {mesh} is not present"),
        Some(parent) => {
            find(snapshot, &parent)?;
            let account = &find(snapshot, &ResourceId::mesh(mesh))?.metadata.mesh_owner;
            format!(
                "{kind} with name {name} is not present under mesh {mesh} for account {account}"
            )
        }
    };
    Err(Error::new(ErrorKind::NotFound, message))
}

/// What can be said of a name and a spec alone: constraints first, then the rules of its kind.
pub fn well_formed(id: &ResourceId, spec: &Spec) -> Result<(), Error> {
    well_named(id)?;
    check::request("spec", |at| {
        if spec.kind() != id.kind() {
            let (is, wanted) = (spec.kind(), id.kind());
            return at.refuse(format!("is the spec of a {is}, not of a {wanted}"));
        }
        spec.check(at);
        // Rules are for specs of bounded size: one with too many criteria is not read on.
        if !at.is_clean() {
            return;
        }
        match spec {
            Spec::Mesh(_) | Spec::VirtualService(_) => {}
            Spec::VirtualNode(spec) => virtual_node::check(spec, at),
            Spec::VirtualRouter(spec) => virtual_router::check(spec, at),
            Spec::VirtualGateway(spec) => virtual_gateway::check(spec, at),
            Spec::Route(spec) => route::check(spec, at),
            Spec::GatewayRoute(spec) => gateway_route::check(spec, at),
        }
    })
}

/// What a spec says of other resources.
fn references(snapshot: &Snapshot, id: &ResourceId, spec: &Spec) -> Result<(), Error> {
    for target in spec.references(&id.mesh) {
        require(snapshot, &target)?;
    }
    match (spec, &id.local) {
        (Spec::Route(spec), LocalId::Route { router, .. }) => {
            route::references(snapshot, &id.mesh, router, spec)
        }
        (Spec::GatewayRoute(spec), LocalId::GatewayRoute { gateway, .. }) => {
            gateway_route::references(snapshot, &id.mesh, gateway, spec)
        }
        _ => Ok(()),
    }
}

/// Refuses a reference to something that is not there.
fn require(snapshot: &Snapshot, id: &ResourceId) -> Result<(), Error> {
    if snapshot.contains(id) {
        return Ok(());
    }
    Err(Error::missing(id))
}
