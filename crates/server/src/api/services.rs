//! What runs now: the mesh and its services.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use model::{Resource, Snapshot};
use release::journal::Version;

use super::problem::Refusal;
use super::render::{name, release, time};
use super::types::{MeshStatus, Role, ServiceStatus, Status, TaskStatus, VersionStatus};
use super::{Releases, Server};
use crate::actuator::task_set;
use crate::{engine, steering};

/// Everything at a glance.
#[utoipa::path(get, path = "/v1/status", responses((status = 200, body = Status)))]
pub(super) async fn status(State(server): State<Arc<Server>>) -> Result<Json<Status>, Refusal> {
    let mut services = Vec::new();
    if let Some(workload) = &server.workload {
        let releases = Releases::of(&server, workload);
        for name in workload.engine.manifest.services.keys() {
            services.push(status_of(&releases, name.as_str()).await?);
        }
    }
    let workload = server.workload.as_ref();
    let snapshot = server.store.snapshot();
    Ok(Json(Status {
        mesh: workload.map(|workload| workload.engine.manifest.mesh.to_string()),
        gateway: workload.map(|workload| format!("http://{}", workload.gateway)),
        since: time(server.since),
        meshes: snapshot.meshes().map(mesh_status(&snapshot)).collect(),
        services,
        proxies: super::proxies::all(&server).await,
    }))
}

fn mesh_status(snapshot: &Snapshot) -> impl Fn(&Arc<Resource>) -> MeshStatus {
    |mesh| MeshStatus {
        name: mesh.id.name().to_owned(),
        resources: snapshot.of_mesh(mesh.id.name()).count(),
    }
}

/// One service: its versions, their tasks and traffic, and its release.
#[utoipa::path(
    get,
    path = "/v1/services/{service}",
    params(("service" = String, Path, description = "the service's name in the manifest")),
    responses((status = 200, body = ServiceStatus), (status = 404, body = super::types::Problem))
)]
pub(super) async fn service(
    server: Releases,
    Path(service): Path<String>,
) -> Result<Json<ServiceStatus>, Refusal> {
    Ok(Json(status_of(&server, &service).await?))
}

async fn status_of(server: &Releases, service: &str) -> Result<ServiceStatus, Refusal> {
    let engine = &server.engine;
    let Some(settings) = engine.manifest.services.get(service) else {
        return Err(engine::Error::NoService(service.to_owned()).into());
    };
    let stable = engine.stable(service).await?;
    let progress = engine
        .handle(service)
        .map(|handle| handle.progress.borrow().clone());
    let canary = progress
        .as_ref()
        .filter(|progress| progress.is_running())
        .and_then(|progress| progress.state.version.clone());
    let mut versions = Vec::new();
    if let Some(version) = &stable {
        versions.push(version_status(server, service, version, Role::Stable));
    }
    if let Some(version) = canary.filter(|canary| stable.as_ref() != Some(canary)) {
        versions.push(version_status(server, service, &version, Role::Canary));
    }
    if let Some(ended) = progress.as_ref().filter(|progress| !progress.is_running()) {
        let sides = [&ended.state.request.baseline, &ended.state.version];
        let former = sides
            .into_iter()
            .flatten()
            .filter(|version| stable.as_ref() != Some(version));
        let former = former.map(|version| version_status(server, service, version, Role::Former));
        versions.extend(former.filter(|version| version.requests > 0));
    }
    let fleet = engine.fleet();
    let ready = stable.as_ref().is_some_and(|version| {
        let set = fleet.task_sets.get(&task_set(service, &version.tag));
        set.is_some_and(|set| set.healthy() >= settings.tasks as usize)
    });
    let path = engine.manifest.path(service);
    Ok(ServiceStatus {
        name: service.to_owned(),
        host: engine.manifest.host(service),
        url: format!("http://{}{path}", server.gateway),
        ready,
        versions,
        traffic: steering::in_words(&settings.traffic),
        release: progress.map(|progress| release(&progress)),
    })
}

fn version_status(
    server: &Releases,
    service: &str,
    version: &Version,
    role: Role,
) -> VersionStatus {
    let engine = &server.engine;
    let node = engine.manifest.virtual_node(service, &version.tag);
    let split = engine.manifest.route(service).path();
    let totals = engine.traffic.arm(&split, node.name());
    let fleet = engine.fleet();
    let tasks = fleet.task_sets.get(&task_set(service, &version.tag));
    let tasks = tasks.map(|set| set.tasks.iter().map(task_status).collect());
    VersionStatus {
        tag: version.tag.clone(),
        digest: version.digest.clone(),
        virtual_node: node.name().to_owned(),
        role,
        tasks: tasks.unwrap_or_default(),
        requests: totals.ended,
        failures: totals.failures(),
        in_flight: totals.in_flight(),
        requests_per_second: totals.requests_per_second(engine.executor.ambient.now()),
        p50: totals.latency.quantile(0.5),
        p99: totals.latency.quantile(0.99),
        pinned: engine.traffic.pinned(&split, node.name()).ended,
        faulted: engine.traffic.faulted(&split, node.name()).ended,
    }
}

fn task_status(task: &compute::Task) -> TaskStatus {
    TaskStatus {
        id: task.id.clone(),
        address: task.address.to_string(),
        state: name(task.state),
        pid: task.pid,
        restarts: task.restarts,
        last_exit: task.last_exit.clone(),
        log: task.log.display().to_string(),
    }
}
