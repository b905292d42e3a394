//! The API: App Mesh's own under `/v20190125`, the release API under `/v1`, and `/metrics`.
//!
//! Every call of the release API but the server's health and its documentation needs the token of
//! `server.json`: whoever may release a service runs code as this user, and any user of the machine can
//! reach loopback. The App Mesh API has a gate of its own ([`app_mesh`]).

mod app_mesh;
pub mod export;
mod follow;
pub mod import;
mod logs;
mod metrics;
mod narrate;
mod openapi;
mod problem;
mod proxies;
mod releases;
mod render;
mod services;
pub mod types;
mod witness;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{any, get, post};
use model::Timestamp;
use store::Store;
use tokio::sync::watch;

use crate::configuration::{Account, MetricsAccess, ProxyTokens, Region};
use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::presence::Token;
use crate::proxies::Proxies;
use crate::workload::Workload;
use problem::Refusal;

pub(crate) use app_mesh::Door;
pub use openapi::document;

/// The patches of a release, or the resources of an import, in bytes.
const LARGEST_BODY: usize = 128 * 1024 * 1024;

/// What handlers answer from.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) account: Account,
    pub(crate) region: Region,
    pub(crate) workload: Option<Arc<Workload>>,
    pub(crate) door: Door,
    pub(crate) metrics: Metrics,
    pub(crate) metrics_access: MetricsAccess,
    pub(crate) since: Timestamp,
    pub(crate) token: Token,
    /// What proxies on their own may prove themselves with too.
    pub(crate) proxy_tokens: ProxyTokens,
    pub(crate) proxies: Arc<Proxies>,
    /// Nobody configured who may call.
    pub(crate) is_tolerant: bool,
    /// Ends answers that would go on for ever.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// What the handlers of services and releases answer from, where there is a manifest.
#[derive(Clone, Debug)]
pub(crate) struct Releases {
    pub(crate) engine: Arc<Engine>,
    pub(crate) gateway: SocketAddr,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Releases {
    fn of(server: &Server, workload: &Workload) -> Self {
        Self {
            engine: Arc::clone(&workload.engine),
            gateway: workload.gateway,
            stopping: server.stopping.clone(),
        }
    }
}

impl FromRequestParts<Arc<Server>> for Releases {
    type Rejection = Refusal;

    async fn from_request_parts(_: &mut Parts, server: &Arc<Server>) -> Result<Self, Refusal> {
        let workload = server.workload.as_ref();
        let workload = workload.ok_or_else(Refusal::without_manifest)?;
        Ok(Self::of(server, workload))
    }
}

/// All that a server answers.
pub(crate) fn router(server: Arc<Server>) -> Router {
    let all = release_api(&server)
        .route("/v20190125/{*path}", any(app_mesh::answer))
        .route(link::PATH, post(proxies::follow))
        .route("/metrics", get(metrics::metrics));
    witnessed(all, server)
}

/// The release API alone.
pub(crate) fn release_router(server: Arc<Server>) -> Router {
    witnessed(release_api(&server), server)
}

fn witnessed(router: Router<Arc<Server>>, server: Arc<Server>) -> Router {
    router
        .fallback(|| async {
            Refusal::not_found(
                "no such path in the API",
                "the release API is described by /openapi.json, App Mesh's begins with /v20190125",
            )
        })
        .layer(middleware::from_fn_with_state(
            Arc::clone(&server),
            witness::witness,
        ))
        .with_state(server)
}

fn release_api(server: &Arc<Server>) -> Router<Arc<Server>> {
    let guarded = Router::new()
        .route("/v1/status", get(services::status))
        .route("/v1/proxies", get(proxies::list))
        .route("/v1/import", get(import::owner).post(import::import))
        .route("/v1/export", get(export::export))
        .route("/v1/services/{service}", get(services::service))
        .route("/v1/services/{service}/releases", post(releases::create))
        .route("/v1/services/{service}/logs", get(logs::logs))
        .route("/v1/releases", get(releases::list))
        .route("/v1/releases/{id}", get(releases::show))
        .route("/v1/releases/{id}/orders", post(releases::order))
        .route("/v1/releases/{id}/events", get(follow::events))
        .route("/v1/releases/{id}/why", get(releases::why))
        .route("/v1/releases/{id}/replay", get(releases::replay))
        .route("/v1/releases/{id}/build-log", get(logs::build_log))
        // The limit holds before: bodies are whole when handlers get them.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(
            Arc::clone(server),
            authorise,
        ));
    Router::new()
        .route("/v1/health", get(|| async { "ok\n" }))
        .route("/openapi.json", get(openapi::serve))
        .merge(guarded)
}

async fn authorise(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if !has_token(&server, request.headers()) {
        return Err(Refusal::unauthorised());
    }
    let request = received(request, server.door.limits.body_time.0).await?;
    Ok(next.run(request).await)
}

/// The request with its whole body, so that no handler waits for a client.
async fn received(request: Request, limit: Duration) -> Result<Request, Refusal> {
    let (parts, body) = request.into_parts();
    let whole = axum::body::to_bytes(body, LARGEST_BODY);
    match tokio::time::timeout(limit, whole).await {
        Ok(Ok(body)) => Ok(Request::from_parts(parts, Body::from(body))),
        Ok(Err(_)) => Err(Refusal::invalid(format!(
            "the body broke off, or is larger than {} MiB",
            LARGEST_BODY >> 20
        ))),
        Err(_) => Err(Refusal::invalid("the body did not come in time")),
    }
}

fn has_token(server: &Server, headers: &HeaderMap) -> bool {
    bearer(headers).is_some_and(|given| server.token.is(given))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}
