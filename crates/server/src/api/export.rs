//! Hands out resources, with all that is known of them, so that another server can take them over.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use model::{Resource, ResourceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Server;
use super::import::{Described, Owner, PartialMetadata, owner_of};
use super::problem::Refusal;
use super::types::Problem;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    mesh: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Export {
    pub owner: Owner,
    /// In the order in which they can be made.
    pub resources: Vec<Described>,
}

/// Every resource of every mesh, or of one.
#[utoipa::path(
    get,
    path = "/v1/export",
    params(("mesh" = Option<String>, Query, description = "only this mesh")),
    responses((status = 200, body = Export), (status = 404, body = Problem))
)]
pub(super) async fn export(
    State(server): State<Arc<Server>>,
    Query(which): Query<Which>,
) -> Result<Json<Export>, Refusal> {
    let snapshot = server.store.snapshot();
    let owner = owner_of(&server);
    let mut resources: Vec<&Arc<Resource>> = match &which.mesh {
        Some(mesh) if snapshot.contains(&ResourceId::mesh(mesh)) => {
            snapshot.of_mesh(mesh).collect()
        }
        Some(mesh) => {
            return Err(Refusal::not_found(
                format!("no mesh is called {mesh}"),
                "`serin status` lists the meshes",
            ));
        }
        None => snapshot.iter().collect(),
    };
    resources.sort_by_key(|resource| resource.id.kind());
    let described: Result<_, _> = resources
        .into_iter()
        .map(|resource| described(resource, &owner))
        .collect();
    let resources = described.map_err(|error: serde_json::Error| Refusal::internal(&error))?;
    Ok(Json(Export { owner, resources }))
}

fn described(resource: &Resource, owner: &Owner) -> Result<Described, serde_json::Error> {
    let metadata = &resource.metadata;
    let arn = resource.id.arn(&owner.region, &owner.account);
    Ok(Described {
        resource: resource.id.clone(),
        spec: serde_json::to_value(resource.spec.wire())?,
        tags: Some(resource.tags.clone()),
        metadata: PartialMetadata {
            arn: Some(arn.to_string()),
            uid: Some(metadata.uid.clone()),
            version: Some(metadata.version),
            created_at: Some(metadata.created_at),
            last_updated_at: Some(metadata.last_updated_at),
            mesh_owner: Some(metadata.mesh_owner.clone()),
            resource_owner: Some(metadata.resource_owner.clone()),
        },
    })
}
