//! The App Mesh API at the server's door: a request is received whole, then its signature is checked, then
//! it is counted against the throttle, and only then answered by [`appmesh`].
//!
//! Refusals on the way look as AWS's do, so that clients show them, and try again where that helps.

use std::sync::Arc;

use appmesh::{AppMesh, Operation, refusal_named};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::Instant;

use super::Server;
use super::witness::Subject;
use crate::access::{Caller, Gate};
use crate::ambient;
use crate::configuration::Limits;
use crate::throttle::Throttle;

#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) app_mesh: AppMesh,
    pub(crate) gate: Gate,
    pub(crate) throttle: Option<Throttle>,
    pub(crate) limits: Limits,
}

/// Every call below `/v20190125`.
pub(super) async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response {
    let operation = Operation::of(request.method(), request.uri().path());
    let mut subject = Subject {
        operation: operation.map_or("Unknown", |operation| operation.name()),
        access_key_id: None,
        refused_as: None,
        throttled: false,
    };
    let mut response = match server.door.admit(request, operation, &mut subject).await {
        Ok(request) => {
            let now = ambient::now();
            server.door.app_mesh.answer(&request, now).await
        }
        Err(refusal) => refusal,
    };
    response.extensions_mut().insert(subject);
    response.map(Body::from)
}

impl Door {
    /// The request with its body, if it may be answered.
    async fn admit(
        &self,
        request: Request,
        operation: Option<Operation>,
        subject: &mut Subject,
    ) -> Result<http::Request<Bytes>, http::Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let body = receive(body, self.limits).await?;
        let caller = self
            .gate
            .admit(&parts, &body, operation, ambient::system_now())
            .map_err(|refused| {
                let name = refused.name();
                subject.refused_as = Some(name);
                refusal_named(refused.status(), name, &refused.to_string())
            })?;
        if let Caller::Key(access_key_id) = caller {
            subject.access_key_id = Some(access_key_id);
        }
        if let Some(throttle) = &self.throttle
            && !throttle.admits(Instant::now())
        {
            subject.throttled = true;
            return Err(refusal_named(
                429,
                "TooManyRequestsException",
                "requests come faster than this server's throttle allows: try again later",
            ));
        }
        Ok(http::Request::from_parts(parts, body))
    }
}

async fn receive(body: Body, limits: Limits) -> Result<Bytes, http::Response<Bytes>> {
    let largest = limits.body_size;
    let whole = Limited::new(body, largest.bytes()).collect();
    match tokio::time::timeout(limits.body_time.0, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(refusal_named(
            413,
            "RequestEntityTooLargeException",
            &format!("the body is larger than {largest}, this server's limits.bodySize"),
        )),
        Ok(Err(_)) => Err(refusal_named(
            400,
            "BadRequestException",
            "the body broke off before its end",
        )),
        Err(_) => Err(refusal_named(
            408,
            "RequestTimeoutException",
            "the body did not come in time: this server's limits.bodyTime",
        )),
    }
}
