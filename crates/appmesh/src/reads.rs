//! Describe and list, of all seven kinds alike. Both read one snapshot and wait for nobody.

use model::{Error, ErrorKind, Kind, ResourceId, Snapshot, rules};

use crate::AppMesh;
use crate::answer::{self, Described, List, Listed, Status};
use crate::call::Call;
use crate::page::Page;

/// The longest page, and the one that a caller gets who does not say.
const LONGEST_PAGE: usize = 100;

impl AppMesh {
    pub(crate) fn describe(&self, kind: Kind, call: &Call<'_>) -> Result<String, Error> {
        let id = call.id(kind)?;
        let owner = call.mesh_owner()?;
        let world = self.store.snapshot();
        owned_by(&world, &id, owner.as_deref())?;
        answer::write(&Described {
            resource: rules::find(&world, &id)?,
            status: Status::Active,
            region: &self.settings.region,
        })
    }

    pub(crate) fn list(&self, kind: Kind, call: &Call<'_>) -> Result<String, Error> {
        let collection = call.id_with_name(kind, String::new());
        let parent = collection.parent();
        let owner = match &parent {
            Some(parent) => {
                rules::well_named(parent)?;
                call.mesh_owner()?
            }
            None => None,
        };
        let page = Page::asked_for(call, collection.path(), LONGEST_PAGE)?;
        let after = page.after().unwrap_or_default().to_owned();
        let after = call.id_with_name(kind, after);

        let world = self.store.snapshot();
        if let Some(parent) = &parent {
            owned_by(&world, parent, owner.as_deref())?;
            rules::find(&world, parent)?;
        }
        let rest = world.siblings_after(&after);
        let (resources, next_token) = page.take(rest, |resource| resource.id.name().to_owned());
        let region = self.settings.region.as_str();
        let entries = resources
            .into_iter()
            .map(|resource| Listed { resource, region });
        answer::write(&List {
            member: list_member(kind),
            entries: entries.collect(),
            next_token,
        })
    }
}

/// Refuses a mesh that belongs to another account than the caller says, as if it were not there.
pub(crate) fn owned_by(
    world: &Snapshot,
    id: &ResourceId,
    owner: Option<&str>,
) -> Result<(), Error> {
    let Some(owner) = owner else { return Ok(()) };
    let mesh = rules::find(world, &ResourceId::mesh(&id.mesh))?;
    if mesh.metadata.mesh_owner == owner {
        return Ok(());
    }
    let message = format!(
        "Mesh with name {} is not present for account {owner}",
        id.mesh
    );
    Err(Error::new(ErrorKind::NotFound, message))
}

fn list_member(kind: Kind) -> &'static str {
    match kind {
        Kind::Mesh => "meshes",
        Kind::VirtualNode => "virtualNodes",
        Kind::VirtualRouter => "virtualRouters",
        Kind::VirtualService => "virtualServices",
        Kind::VirtualGateway => "virtualGateways",
        Kind::Route => "routes",
        Kind::GatewayRoute => "gatewayRoutes",
    }
}
