//! The release API: HTTP with JSON under `/v1`, documented by `/openapi.json`.
//!
//! Every call but the server's health and its documentation needs the token of `server.json`: whoever may
//! release a service runs code as this user, and any user of the machine can reach loopback.

mod follow;
mod logs;
mod narrate;
mod openapi;
mod problem;
mod releases;
mod render;
mod services;
pub mod types;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use model::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::engine::Engine;
use problem::Refusal;

pub use openapi::document;

/// Patches of a request together, in bytes.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// What handlers answer from.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) engine: Arc<Engine>,
    pub(crate) gateway: SocketAddr,
    pub(crate) since: Timestamp,
    pub(crate) token: String,
    /// Ends answers that would go on for ever.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// Answers until told to stop, then lets requests in flight end.
pub(crate) async fn serve(
    listener: TcpListener,
    server: Server,
    mut stopped: watch::Receiver<bool>,
) {
    let router = router(server);
    let stop = async move {
        // An error means that whoever could say stop is gone.
        drop(stopped.wait_for(|stop| *stop).await);
    };
    if let Err(error) = axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
    {
        tracing::error!(%error, "the release API stopped");
    }
}

fn router(server: Server) -> Router {
    let guarded = Router::new()
        .route("/v1/status", get(services::status))
        .route("/v1/services/{service}", get(services::service))
        .route("/v1/services/{service}/releases", post(releases::create))
        .route("/v1/services/{service}/logs", get(logs::logs))
        .route("/v1/releases", get(releases::list))
        .route("/v1/releases/{id}", get(releases::show))
        .route("/v1/releases/{id}/orders", post(releases::order))
        .route("/v1/releases/{id}/events", get(follow::events))
        .route("/v1/releases/{id}/why", get(releases::why))
        .route("/v1/releases/{id}/build-log", get(logs::build_log))
        .layer(middleware::from_fn_with_state(server.clone(), authorise));
    Router::new()
        .route("/v1/health", get(|| async { "ok\n" }))
        .route("/openapi.json", get(openapi::serve))
        .merge(guarded)
        .fallback(|| async {
            Refusal::not_found("no such path in the release API", "see /openapi.json")
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(server)
}

async fn authorise(
    State(server): State<Server>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let given = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let given = given
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    if !equal_in_constant_time(given.as_bytes(), server.token.as_bytes()) {
        return Err(Refusal::unauthorised());
    }
    Ok(next.run(request).await)
}

/// Takes as long for a nearly right token as for a wrong one.
fn equal_in_constant_time(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .fold(0, |differ, (a, b)| differ | (a ^ b))
            == 0
}
