//! `/metrics`, for Prometheus and whoever else reads OpenMetrics.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::problem::Refusal;
use super::{Server, has_token};
use crate::access::check_is_no_page;
use crate::configuration::MetricsAccess;
use crate::metrics;

pub(super) async fn metrics(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    match server.metrics_access {
        _ if has_token(&server, request.headers()) => {}
        MetricsAccess::Open => {}
        // Open to this machine, which is not to the pages that its browsers show.
        MetricsAccess::Loopback => check_is_no_page(request.uri(), request.headers())
            .map_err(|refused| Refusal::forbidden(refused.to_string()))?,
        MetricsAccess::Token => return Err(Refusal::unauthorised()),
    }
    let text = server
        .metrics
        .text(&*server.store, server.workload.as_deref())
        .await
        .map_err(|error| Refusal::internal(&error))?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}
