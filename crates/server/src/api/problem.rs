//! Errors as the API tells them: a status, a stable code, what is wrong, and what to do.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::types::Problem;
use crate::actuator::chain;
use crate::engine;

#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    problem: Problem,
}

impl Refusal {
    fn new(status: StatusCode, code: &str, message: impl Into<String>, hint: Option<&str>) -> Self {
        Self {
            status,
            problem: Problem {
                code: code.to_owned(),
                message: message.into(),
                hint: hint.map(str::to_owned),
            },
        }
    }

    pub(super) fn not_found(message: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "notFound", message, Some(hint))
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message, None)
    }

    pub(super) fn unauthorised() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorised",
            "the token is missing or wrong",
            Some(
                "send `authorization: Bearer TOKEN` with the token of server.json in the state directory",
            ),
        )
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        let hint = "or send `authorization: Bearer TOKEN` with the token of server.json";
        Self::new(StatusCode::FORBIDDEN, "forbidden", message, Some(hint))
    }

    pub(super) fn without_manifest() -> Self {
        Self::not_found(
            "this server runs without a manifest: it has no services and no releases",
            "`serin up` runs the services of a manifest",
        )
    }

    fn conflict(message: impl Into<String>, hint: &str) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message, Some(hint))
    }

    /// The store could not make a change.
    pub(super) fn store(error: store::Error) -> Self {
        match &error {
            store::Error::Unfit { .. } => Self::invalid(error.to_string()),
            store::Error::Conflict(_) => Self::conflict(error.to_string(), "ask again"),
            _ => Self::internal(&error),
        }
    }

    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        let message = chain(error);
        tracing::error!(message, "a call of the release API failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message, None)
    }
}

impl From<engine::Error> for Refusal {
    fn from(error: engine::Error) -> Self {
        match &error {
            engine::Error::NoService(_) => {
                Self::not_found(error.to_string(), "`serin status` lists the services")
            }
            engine::Error::NoRelease(_) => {
                Self::not_found(error.to_string(), "`serin status` shows the last release")
            }
            engine::Error::Busy { running } => {
                let hint = format!(
                    "wait for it, or end it with `serin promote {running}` or `serin rollback {running}`"
                );
                Self::conflict(error.to_string(), &hint)
            }
            engine::Error::TagServes { .. } => {
                Self::conflict(error.to_string(), "choose another name with --tag")
            }
            engine::Error::Ended(id) | engine::Error::Settled(id) => {
                Self::conflict(error.to_string(), &format!("`serin why {id}` tells how"))
            }
            engine::Error::Stopping(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "stopping",
                error.to_string(),
                Some("give it again when the server is back"),
            ),
            _ => Self::internal(&error),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.problem)).into_response()
    }
}
