//! A release's events, as they are and as they come: one JSON object a line.

use axum::body::Body;
use axum::extract::{Path, Query};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use release::ReleaseId;
use serde::Deserialize;

use super::problem::Refusal;
use super::releases::{find, journal};
use super::types::{EventLine, Problem};
use super::{Releases, narrate};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// Only events after this one.
    #[serde(default)]
    after: u64,
    /// Stay until the release has ended.
    #[serde(default)]
    follow: bool,
}

/// The release's events after one of them, as JSON lines.
#[utoipa::path(
    get,
    path = "/v1/releases/{id}/events",
    params(
        ("id" = String, Path, description = "a release (crystal-2), or a service for its running, else last one"),
        ("after" = Option<u64>, Query, description = "only events after this sequence number"),
        ("follow" = Option<bool>, Query, description = "stay until the release has ended")
    ),
    responses(
        (status = 200, description = "one event a line", body = EventLine, content_type = "application/x-ndjson"),
        (status = 404, body = Problem)
    )
)]
pub(super) async fn events(
    server: Releases,
    Path(id): Path<String>,
    Query(query): Query<EventsQuery>,
) -> Result<Response, Refusal> {
    let id = find(&server, &id).await?.id.clone();
    let (sender, body) = Channel::<Bytes>::new(16);
    tokio::spawn(send(server, id, query, sender));
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::new(body)).into_response())
}

/// Ends when the caller is gone, the release has ended, or the server stops.
async fn send(server: Releases, id: ReleaseId, query: EventsQuery, mut to: Sender<Bytes>) {
    let mut after = query.after;
    let progress = server
        .engine
        .handle(&id.service)
        .map(|handle| handle.progress);
    let mut stopping = server.stopping.clone();
    loop {
        // Looked at before the journal is read: an end after this look brings another round.
        let running_at = progress.as_ref().and_then(|progress| {
            let progress = progress.borrow();
            let runs = progress.id == id && progress.is_running();
            runs.then_some(progress.position)
        });
        let Ok(records) = journal(&server, &id, after).await else {
            return;
        };
        // The journal is ahead of the engine for a moment; whoever reads an event here and then asks how the
        // release stands must not be told of a time before it.
        let known = |sequence: &u64| running_at.is_none_or(|position| *sequence <= position);
        for (sequence, record) in records.into_iter().filter(|(at, _)| known(at)) {
            after = sequence;
            let Ok(mut line) = serde_json::to_vec(&narrate::line(&id, sequence, &record)) else {
                return;
            };
            line.push(b'\n');
            if to.send_data(line.into()).await.is_err() {
                return;
            }
        }
        let still_running = progress.clone().filter(|_| running_at.is_some());
        let Some(mut progress) = still_running.filter(|_| query.follow) else {
            return;
        };
        tokio::select! {
            news = progress.wait_for(|progress| progress.position > after || !progress.is_running()) => {
                if news.is_err() {
                    return;
                }
            }
            _ = stopping.wait_for(|stop| *stop) => return,
        }
    }
}
