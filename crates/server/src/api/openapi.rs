//! The API's description, made from the handlers themselves.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::{follow, logs, releases, services};

#[derive(OpenApi)]
#[openapi(
    info(title = "Serin release API", description = "Releases of a mesh's services, and what runs now."),
    paths(
        services::status,
        services::service,
        releases::create,
        releases::list,
        releases::show,
        releases::order,
        releases::why,
        follow::events,
        logs::logs,
        logs::build_log
    ),
    security(("token" = []))
)]
struct Description;

/// The description as `openapi.json` has it.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Description::openapi();
    let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("token", scheme);
    document
}

pub(super) async fn serve() -> Json<utoipa::openapi::OpenApi> {
    Json(document())
}
