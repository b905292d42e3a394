//! Releases: ask for one, steer it, ask why.

use axum::Json;
use axum::extract::Path;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use image::patch::Patch as ParsedPatch;
use release::journal::{Event, Order, Patch, Record, Request};
use release::manifest::{Name, Percent, Policy, PolicyKind, ReleaseSettings, TextDuration};
use release::{ReleaseId, State as ReleaseState};

use super::problem::Refusal;
use super::types::{
    FileChange, NewOrder, NewRelease, OrderTaken, PatchText, PolicyText, Problem, ReleasePlan,
    ReleaseStatus, Replay, StoryLine, Why,
};
use super::{Releases, narrate, render};
use crate::actuator::write_patches;
use crate::engine::{self, Progress};

/// Every release of every service, oldest first.
#[utoipa::path(get, path = "/v1/releases", responses((status = 200, body = [ReleaseStatus])))]
pub(super) async fn list(server: Releases) -> Result<Json<Vec<ReleaseStatus>>, Refusal> {
    let mut releases = Vec::new();
    for service in server.engine.manifest.services.keys() {
        for id in server.engine.releases(service.as_str()).await? {
            releases.push(render::release(&*server.engine.progress(&id).await?));
        }
    }
    Ok(Json(releases))
}

/// Where a release stands.
#[utoipa::path(
    get,
    path = "/v1/releases/{id}",
    params(("id" = String, Path, description = "a release (crystal-2), or a service for its running, else last one")),
    responses((status = 200, body = ReleaseStatus), (status = 404, body = Problem))
)]
pub(super) async fn show(
    server: Releases,
    Path(id): Path<String>,
) -> Result<Json<ReleaseStatus>, Refusal> {
    Ok(Json(render::release(&*find(&server, &id).await?)))
}

/// Begins a release, or says what it would be.
#[utoipa::path(
    post,
    path = "/v1/services/{service}/releases",
    params(("service" = String, Path, description = "the service's name in the manifest")),
    request_body = NewRelease,
    responses(
        (status = 202, description = "begun", body = ReleasePlan),
        (status = 200, description = "a dry run", body = ReleasePlan),
        (status = 400, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem)
    )
)]
pub(super) async fn create(
    server: Releases,
    Path(service): Path<String>,
    body: Result<Json<NewRelease>, JsonRejection>,
) -> Result<(StatusCode, Json<ReleasePlan>), Refusal> {
    let new = read(body)?;
    let engine = &server.engine;
    let tag = tag_of(&new)?;
    let patches = new
        .patches
        .into_iter()
        .map(patch_of)
        .collect::<Result<Vec<_>, _>>()?;
    let settings = engine
        .manifest
        .services
        .get(service.as_str())
        .map(|settings| &settings.release);
    let policy = match (&new.policy, settings) {
        (Some(text), Some(settings)) => Some(policy_of(text, settings)?),
        _ => None,
    };
    let request = engine
        .draft_request(&service, tag.clone(), patches.clone(), policy.clone())
        .await?;
    let mut plan = plan(&server, &request)?;
    if new.dry_run {
        return Ok((StatusCode::OK, Json(plan)));
    }
    let id = engine.request(&service, tag, patches, policy).await?;
    plan.id = Some(id.to_string());
    Ok((StatusCode::ACCEPTED, Json(plan)))
}

/// Checks everything that can be checked before anything is touched.
fn plan(server: &Releases, request: &Request) -> Result<ReleasePlan, Refusal> {
    let mut stat = image::DiffStat::default();
    for patch in &request.patches {
        let parsed = ParsedPatch::parse(patch.text.as_bytes()).map_err(|refusal| {
            Refusal::invalid(format!("the patch {} is refused: {refusal}", patch.name))
        })?;
        stat.extend(parsed.stat());
    }
    let planned = check_build(server, request)?;
    let files = stat.files.into_iter().map(|file| FileChange {
        path: file.path,
        added: file.added,
        removed: file.deleted,
    });
    let node = server
        .engine
        .manifest
        .virtual_node(&request.service, &request.tag);
    Ok(ReleasePlan {
        id: None,
        service: request.service.clone(),
        tag: request.tag.clone(),
        baseline: request.baseline.as_ref().map(|version| version.tag.clone()),
        virtual_node: node.name().to_owned(),
        policy: render::policy(&request.policy),
        files: files.collect(),
        built: planned.reused.is_some(),
    })
}

/// Whether the patches apply to the source as it is now, and whether the result was built before.
fn check_build(server: &Releases, request: &Request) -> Result<image::Planned, Refusal> {
    let actuator = &server.engine.actuator;
    let invalid = |error: &dyn std::error::Error| Refusal::invalid(crate::actuator::chain(error));
    let directory = std::env::temp_dir().join(format!("serin-plan-{:016x}", fastrand::u64(..)));
    let written = private_directory(&directory).and_then(|()| write_patches(&directory, request));
    let planned = written
        .map_err(|error| Refusal::internal(&error))
        .and_then(|patches| {
            let recipe = actuator
                .recipe_of(&request.service, &request.tag, patches)
                .map_err(|fault| invalid(&fault))?;
            actuator
                .images
                .plan(&recipe)
                .map_err(|error| match misfit(&error, &recipe, request) {
                    Some(misfit) => Refusal::invalid(misfit),
                    None => invalid(&error),
                })
        });
    // The directory may be absent, if it could not be made.
    drop(std::fs::remove_dir_all(&directory));
    planned
}

/// Which patch does not apply, by its caller's name for it: the file that was tried is ours, and gone.
fn misfit(error: &image::ImageError, recipe: &image::Recipe, request: &Request) -> Option<String> {
    let image::ImageError::Patch { path, refusal } = error else {
        return None;
    };
    let mut patches = recipe.patches.iter().zip(&request.patches);
    let (_, patch) = patches.find(|(file, _)| *file == path)?;
    Some(format!(
        "the patch {} does not apply to the source of {}: {refusal}",
        patch.name, request.service
    ))
}

fn private_directory(directory: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(directory)
}

/// Patches are kept in files of their names.
const LONGEST_PATCH_NAME: usize = 200;

fn patch_of(patch: PatchText) -> Result<Patch, Refusal> {
    let PatchText { name, text } = patch;
    if name.is_empty() || name.len() > LONGEST_PATCH_NAME || name.chars().any(char::is_control) {
        let name = name.escape_debug();
        let rule = format!("1 to {LONGEST_PATCH_NAME} bytes without control characters");
        return Err(Refusal::invalid(format!(
            "`{name}` is no name of a patch: use {rule}"
        )));
    }
    Ok(Patch { name, text })
}

fn tag_of(new: &NewRelease) -> Result<String, Refusal> {
    let (tag, named_by) = match (&new.tag, new.patches.first()) {
        (Some(tag), _) => (tag.as_str(), String::new()),
        (None, Some(patch)) => {
            let name = patch.name.rsplit('/').next().unwrap_or_default();
            let tag = name
                .strip_suffix(".patch")
                .or_else(|| name.strip_suffix(".diff"))
                .unwrap_or(name);
            (
                tag,
                format!(" of the patch {} (--tag gives another)", patch.name),
            )
        }
        (None, None) => {
            return Err(Refusal::invalid(
                "a release without patches needs a tag: name it with --tag",
            ));
        }
    };
    let tag: Name = tag
        .parse()
        .map_err(|reason| Refusal::invalid(format!("the tag{named_by}: {reason}")))?;
    Ok(tag.to_string())
}

/// A policy for one release: what it does not say is the manifest's.
fn policy_of(text: &PolicyText, manifest: &ReleaseSettings) -> Result<Policy, Refusal> {
    let invalid = |key: &str, reason: String| Refusal::invalid(format!("policy.{key}: {reason}"));
    let mut settings = manifest.clone();
    settings.policy = match text.policy.as_str() {
        "auto" => PolicyKind::Auto,
        "steps" => PolicyKind::Steps,
        "manual" => PolicyKind::Manual,
        other => {
            return Err(invalid(
                "policy",
                format!("`{other}` is not auto, steps or manual"),
            ));
        }
    };
    if let Some(steps) = &text.steps {
        let shares: Result<Vec<_>, _> =
            steps.iter().map(|step| step.parse().map(Percent)).collect();
        settings.steps = shares
            .map_err(|error: model::share::ShareError| invalid("steps", error.to_string()))?;
    }
    if let Some(time) = &text.step_time {
        settings.step_time = time
            .parse::<TextDuration>()
            .map_err(|reason| invalid("stepTime", reason))?;
    }
    if let Some(requests) = text.step_requests {
        settings.step_requests = requests;
    }
    settings.check().map_err(|(key, rule)| invalid(key, rule))?;
    Ok(settings.policy())
}

/// Steers a running release. The answer comes when the order is in the journal.
#[utoipa::path(
    post,
    path = "/v1/releases/{id}/orders",
    params(("id" = String, Path, description = "a release (crystal-2), or a service for its running one")),
    request_body = NewOrder,
    responses(
        (status = 200, body = OrderTaken),
        (status = 400, body = Problem),
        (status = 404, body = Problem),
        (status = 409, body = Problem),
        (status = 503, body = Problem)
    )
)]
pub(super) async fn order(
    server: Releases,
    Path(id): Path<String>,
    body: Result<Json<NewOrder>, JsonRejection>,
) -> Result<Json<OrderTaken>, Refusal> {
    let new = read(body)?;
    let order = order_of(&new)?;
    let progress = find(&server, &id).await?;
    if let Some(refusal) = progress.refusal() {
        return Err(refusal.into());
    }
    let taken = OrderTaken {
        release: progress.id.to_string(),
        order: order.to_string(),
        undo: undo(&order, &progress),
    };
    if !new.dry_run {
        let by = new.by.unwrap_or_else(|| "a caller of the API".to_owned());
        server.engine.order(&progress.id, order, by).await?;
    }
    Ok(Json(taken))
}

fn order_of(new: &NewOrder) -> Result<Order, Refusal> {
    let order = match (new.order.as_str(), &new.share) {
        ("set", Some(share)) => Order::Set {
            share: share
                .parse()
                .map_err(|error: model::share::ShareError| Refusal::invalid(error.to_string()))?,
        },
        ("set", None) => return Err(Refusal::invalid("`set` needs a share, as in 12.5%")),
        (_, Some(_)) => return Err(Refusal::invalid("only `set` takes a share")),
        ("hold", None) => Order::Hold,
        ("resume", None) => Order::Resume,
        ("promote", None) => Order::Promote,
        ("rollback", None) => Order::Rollback,
        (other, None) => {
            let message = format!("`{other}` is not set, hold, resume, promote or rollback");
            return Err(Refusal::invalid(message));
        }
    };
    Ok(order)
}

fn undo(order: &Order, progress: &Progress) -> Option<String> {
    let id = &progress.id;
    match order {
        Order::Set { .. } if progress.state.held => Some(format!(
            "serin set {id} {}",
            progress.state.share.to_string().replace(' ', "")
        )),
        Order::Set { .. } | Order::Hold => Some(format!("serin resume {id}")),
        Order::Resume => Some(format!("serin hold {id}")),
        Order::Promote | Order::Rollback => None,
    }
}

/// The story of a release: its events, and the evidence at every turn.
#[utoipa::path(
    get,
    path = "/v1/releases/{id}/why",
    params(("id" = String, Path, description = "a release (crystal-2), or a service for its running, else last one")),
    responses((status = 200, body = Why), (status = 404, body = Problem))
)]
pub(super) async fn why(server: Releases, Path(id): Path<String>) -> Result<Json<Why>, Refusal> {
    let progress = find(&server, &id).await?;
    let records = journal(&server, &progress.id, 0).await?;
    let told = records
        .iter()
        .filter(|(_, record)| !is_measurement(&record.event));
    Ok(Json(Why {
        release: render::release(&progress),
        cases: render::cases(&progress.state),
        events: told
            .map(|(sequence, record)| narrate::line(&progress.id, *sequence, record))
            .collect(),
        story: story(records.into_iter().map(|(_, record)| record)),
    }))
}

/// Too many for a story, which sums them up.
fn is_measurement(event: &Event) -> bool {
    matches!(event, Event::Observed { .. } | Event::Covered { .. })
}

/// Every decision of a release computed again from its journal, and compared with what was done.
#[utoipa::path(
    get,
    path = "/v1/releases/{id}/replay",
    params(("id" = String, Path, description = "a release (crystal-2), or a service for its running, else last one")),
    responses((status = 200, body = Replay), (status = 404, body = Problem))
)]
pub(super) async fn replay(
    server: Releases,
    Path(id): Path<String>,
) -> Result<Json<Replay>, Refusal> {
    let progress = find(&server, &id).await?;
    let records = journal(&server, &progress.id, 0).await?;
    let decisions = release::replay(records.into_iter().map(|(_, record)| record));
    Ok(Json(Replay {
        release: progress.id.to_string(),
        same: decisions.iter().all(release::Decision::is_same),
        decisions: decisions.iter().map(render::replayed).collect(),
    }))
}

/// Computed again from the journal: the judge's word just before each turn of the release.
fn story(records: impl Iterator<Item = Record>) -> Vec<StoryLine> {
    let mut story = Vec::new();
    let mut state: Option<ReleaseState> = None;
    for record in records {
        match (&mut state, &record.event) {
            (None, Event::Requested { request }) => {
                state = Some(ReleaseState::requested(Request::clone(request), record.at));
            }
            (None, _) => {}
            (Some(state), event) => {
                if matches!(event, Event::ShareSet { .. } | Event::Decided { .. }) {
                    story.push(StoryLine {
                        at: render::time(record.at),
                        share: state.share.to_string(),
                        evidence: render::evidence(&state.verdict()),
                    });
                }
                state.apply(&record);
            }
        }
    }
    story
}

/// A release's records after a position, each with its own.
pub(super) async fn journal(
    server: &Releases,
    id: &ReleaseId,
    after: u64,
) -> Result<Vec<(u64, Record)>, Refusal> {
    let entries = server
        .engine
        .store
        .journal(&id.stream(), after)
        .await
        .map_err(engine::Error::from)?;
    let records = entries.into_iter().map(|entry| {
        let position = entry.position;
        let record = serde_json::from_value(entry.body).map_err(|_| engine::Error::Journal {
            stream: entry.stream,
            position,
        })?;
        Ok((position, record))
    });
    records.collect()
}

/// By its id, or by its service.
pub(super) async fn find(server: &Releases, id: &str) -> Result<std::sync::Arc<Progress>, Refusal> {
    if server.engine.manifest.services.contains_key(id) {
        let handle = server
            .engine
            .handle(id)
            .ok_or_else(|| engine::Error::NoRelease(format!("of {id} yet")))?;
        let progress = handle.progress.borrow().clone();
        return Ok(progress);
    }
    let id: ReleaseId = id.parse().map_err(|reason: String| {
        Refusal::not_found(reason, "`serin status` lists services and releases")
    })?;
    Ok(server.engine.progress(&id).await?)
}

fn read<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Refusal> {
    body.map(|Json(value)| value)
        .map_err(|rejection| Refusal::invalid(rejection.body_text()))
}
