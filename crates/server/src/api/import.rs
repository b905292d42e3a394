//! Takes resources over from elsewhere: plans, and makes the whole plan in one change.
//!
//! A resource that a mesh has already is updated, so that the same import may be repeated. Quotas are not
//! asked: what is imported was a mesh before. The plan is made where the store makes the change, on the
//! very state that it changes.

mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use model::{ResourceId, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Change, Effect};
use utoipa::ToSchema;

use super::Server;
use super::problem::Refusal;
use super::types::Problem;
use crate::ambient;

/// Whose resources a server keeps, and where they seem to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    pub region: String,
    pub account: String,
}

/// Resources to be taken over.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewImport {
    pub resources: Vec<Described>,
    /// Only say what would happen.
    #[serde(default)]
    pub dry_run: bool,
    /// Take over the rest if some are refused; else nothing is.
    #[serde(default)]
    pub skip_refused: bool,
    /// Take over resources whose ARNs would change.
    #[serde(default)]
    pub new_arns: bool,
}

/// A resource from elsewhere, and what is known of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Described {
    /// As in its ARN: `mesh/M/virtualRouter/R/route/N`.
    #[schema(value_type = String)]
    pub resource: ResourceId,
    /// As the App Mesh API has it.
    #[schema(value_type = Object)]
    pub spec: serde_json::Value,
    /// Absent leaves the tags as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub metadata: PartialMetadata,
}

/// What is known of a resource's past; a resource that is new here keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PartialMetadata {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub created_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    pub last_updated_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mesh_owner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_owner: Option<String>,
}

/// What an import does, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportPlan {
    /// The plan was made; not so for a dry run, or if something is refused and not skipped.
    pub applied: bool,
    /// In the order in which they are made.
    pub resources: Vec<PlannedResource>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedResource {
    #[schema(value_type = String)]
    pub resource: ResourceId,
    pub action: Action,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    Create,
    Update,
    /// It is here already, as described.
    Same,
    Refused,
}

/// Whose region and account ARNs have here.
#[utoipa::path(get, path = "/v1/import", responses((status = 200, body = Owner)))]
pub(super) async fn owner(State(server): State<Arc<Server>>) -> Json<Owner> {
    Json(owner_of(&server))
}

pub(super) fn owner_of(server: &Server) -> Owner {
    Owner {
        region: server.region.to_string(),
        account: server.account.to_string(),
    }
}

/// Takes resources over, or says what that would do.
#[utoipa::path(
    post,
    path = "/v1/import",
    request_body = NewImport,
    responses(
        (status = 200, body = ImportPlan),
        (status = 400, body = Problem),
        (status = 409, body = Problem)
    )
)]
pub(super) async fn import(
    State(server): State<Arc<Server>>,
    body: Result<Json<NewImport>, JsonRejection>,
) -> Result<Json<ImportPlan>, Refusal> {
    let Json(new) = body.map_err(|rejection| Refusal::invalid(rejection.body_text()))?;
    let arrival = plan::Arrival {
        resources: new.resources,
        owner: owner_of(&server),
        now: ambient::now(),
        uid: ambient::uid,
        new_arns: new.new_arns,
    };
    if new.dry_run {
        let planned = plan::plan(&server.store.snapshot(), &arrival);
        return Ok(Json(ImportPlan {
            applied: false,
            resources: planned.resources,
        }));
    }
    let skip_refused = new.skip_refused;
    let change = Change::decided_by(move |snapshot| {
        let planned = plan::plan(snapshot, &arrival);
        let applied = skip_refused || !planned.refuses();
        let effect = match applied {
            true => planned.writes.into_iter().fold(Effect::new(), Effect::put),
            false => Effect::new(),
        };
        let plan = ImportPlan {
            applied,
            resources: planned.resources,
        };
        // A plan is text and enumerations: it is always JSON.
        Ok(effect.answer(serde_json::to_string(&plan).unwrap_or_default()))
    });
    let committed = server.store.commit(change).await.map_err(Refusal::store)?;
    let plan =
        serde_json::from_str(&committed.answer).map_err(|error| Refusal::internal(&error))?;
    Ok(Json(plan))
}
