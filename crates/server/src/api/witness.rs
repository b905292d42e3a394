//! Every request gets an id, a line in the log and its place in the metrics.
//!
//! The id is sent back as `x-amzn-RequestId`, which AWS's clients show with an error. A line holds who asked
//! for what and what came of it; never a body, a query, or an `Authorization`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;

use super::Server;
use crate::ambient;
use crate::listener::Peer;
use crate::metrics::Answered;

const REQUEST_ID: &str = "x-amzn-requestid";

/// What a request turned out to be: an extension of its answer.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) operation: &'static str,
    pub(super) access_key_id: Option<String>,
    /// The error type, where the sender was refused.
    pub(super) refused_as: Option<&'static str>,
    pub(super) throttled: bool,
}

pub(super) async fn witness(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = ambient::uid();
    let peer = request.extensions().get::<Peer>().copied();
    let by_route = route_of(&request);
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let mut response = next.run(request).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }

    let subject = response.extensions_mut().remove::<Subject>();
    let line = Line {
        id,
        peer: peer.map(|Peer(address)| address.to_string()),
        operation: match &subject {
            Some(subject) => subject.operation.to_owned(),
            None => by_route,
        },
        access_key_id: subject
            .as_ref()
            .and_then(|subject| subject.access_key_id.clone()),
        status: response.status().as_u16(),
        duration: started.elapsed(),
    };
    server.metrics.answered(&Answered {
        operation: &line.operation,
        status: line.status,
        duration: line.duration,
    });
    if let Some(subject) = &subject {
        subject.count(&server);
    }
    // Commands ask the release API many times a second how things are: that would drown the rest.
    line.log(subject.is_some() || !is_read);
    response
}

impl Subject {
    fn count(&self, server: &Server) {
        if self.throttled {
            server.metrics.throttled();
        }
        if let Some(error) = self.refused_as {
            server.metrics.refused(error);
        }
    }
}

/// A route's method and pattern: few, whatever callers make up.
fn route_of(request: &Request) -> String {
    let method = match *request.method() {
        Method::GET | Method::HEAD | Method::PUT | Method::POST | Method::DELETE => {
            request.method().as_str()
        }
        _ => "OTHER",
    };
    match request.extensions().get::<MatchedPath>() {
        Some(path) => format!("{method} {}", path.as_str()),
        None => "Unknown".to_owned(),
    }
}

struct Line {
    id: String,
    peer: Option<String>,
    operation: String,
    access_key_id: Option<String>,
    status: u16,
    duration: Duration,
}

impl Line {
    fn log(&self, is_notable: bool) {
        macro_rules! at {
            ($level:ident) => {
                tracing::$level!(
                    target: "server::request",
                    id = self.id,
                    peer = self.peer,
                    operation = self.operation,
                    access_key_id = self.access_key_id,
                    status = self.status,
                    duration = ?self.duration,
                )
            };
        }
        match is_notable {
            true => at!(info),
            false => at!(debug),
        }
    }
}
