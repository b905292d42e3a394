//! Create, update and delete, of all seven kinds alike.
//!
//! Form and rules of the spec alone are checked before the store is asked; what depends on the rest of
//! the mesh is decided inside the commit. Every change counts in the resource's version, also an update
//! to the spec that it has already: a caller who updates twice finds the version two higher `[?]`.

use std::sync::Arc;

use model::{Error, Kind, Metadata, Resource, ResourceId, Snapshot, Timestamp, rules};
use serde_json::json;
use store::Effect;

use crate::AppMesh;
use crate::answer::{self, Described, Status};
use crate::call::Call;
use crate::commit::once;
use crate::reads::owned_by;

impl AppMesh {
    pub(crate) async fn create(
        &self,
        kind: Kind,
        call: &Call<'_>,
        now: Timestamp,
    ) -> Result<String, Error> {
        let body = call.body(&["clientToken", kind.name_member(), "spec", "tags"])?;
        let id = call.id_with_name(kind, body.required(kind.name_member())?);
        let (spec, tags) = (body.spec(kind)?, body.tags()?);
        let owner = mesh_owner(kind, call)?;
        rules::well_formed(&id, &spec)?;

        let meaning = json!([id, spec, tags]);
        let once = once(call.operation(), body.client_token()?, &meaning, now);
        let metadata = Metadata::new((self.settings.uid)(), &self.settings.account, now);
        let settings = Arc::clone(&self.settings);
        self.commit(call.operation(), once, move |world| {
            owned_by(world, &id, owner.as_deref())?;
            rules::create_well_formed(world, &id, &spec)?;
            settings.quotas.admit(world, &id)?;
            settings.quotas.admit_spec(&id, &spec)?;
            let metadata = Metadata {
                mesh_owner: mesh_owner_of(world, &id)
                    .unwrap_or(&metadata.mesh_owner)
                    .to_owned(),
                ..metadata.clone()
            };
            let mut resource = Resource::new(id.clone(), spec.clone(), metadata);
            resource.tags = tags.clone();
            let answer = described(&resource, Status::Active, &settings.region)?;
            Ok(Effect::new().put(resource).answer(answer))
        })
        .await
    }

    pub(crate) async fn update(
        &self,
        kind: Kind,
        call: &Call<'_>,
        now: Timestamp,
    ) -> Result<String, Error> {
        let body = call.body(&["clientToken", "spec"])?;
        let id = call.id(kind)?;
        let spec = body.spec(kind)?;
        let owner = mesh_owner(kind, call)?;
        rules::well_formed(&id, &spec)?;

        let meaning = json!([id, spec]);
        let once = once(call.operation(), body.client_token()?, &meaning, now);
        let settings = Arc::clone(&self.settings);
        self.commit(call.operation(), once, move |world| {
            owned_by(world, &id, owner.as_deref())?;
            rules::update_well_formed(world, &id, &spec)?;
            settings.quotas.admit_spec(&id, &spec)?;
            let current = rules::find(world, &id)?;
            let resource = Resource {
                spec: spec.clone(),
                metadata: current.metadata.changed(now),
                // Exact shares belong to the release that set them; who writes weights means weights.
                shares: None,
                ..Resource::clone(current)
            };
            let answer = described(&resource, Status::Active, &settings.region)?;
            Ok(Effect::new().put(resource).answer(answer))
        })
        .await
    }

    pub(crate) async fn delete(
        &self,
        kind: Kind,
        call: &Call<'_>,
        now: Timestamp,
    ) -> Result<String, Error> {
        let id = call.id(kind)?;
        let owner = mesh_owner(kind, call)?;
        let settings = Arc::clone(&self.settings);
        self.commit(call.operation(), None, move |world| {
            owned_by(world, &id, owner.as_deref())?;
            rules::delete(world, &id)?;
            let current = rules::find(world, &id)?;
            let deleted = Resource {
                metadata: current.metadata.changed(now),
                ..Resource::clone(current)
            };
            let answer = described(&deleted, Status::Deleted, &settings.region)?;
            Ok(Effect::new().remove(id.clone()).answer(answer))
        })
        .await
    }
}

/// The parameter `meshOwner`, which the operations that change a mesh itself do not have.
fn mesh_owner(kind: Kind, call: &Call<'_>) -> Result<Option<String>, Error> {
    match kind {
        Kind::Mesh => Ok(None),
        _ => call.mesh_owner(),
    }
}

/// The account that owns the mesh which the resource is in, if there is that mesh.
fn mesh_owner_of<'w>(world: &'w Snapshot, id: &ResourceId) -> Option<&'w String> {
    let mesh = world.get(&ResourceId::mesh(&id.mesh))?;
    Some(&mesh.metadata.mesh_owner)
}

fn described(resource: &Resource, status: Status, region: &str) -> Result<String, Error> {
    answer::write(&Described {
        resource,
        status,
        region,
    })
}
