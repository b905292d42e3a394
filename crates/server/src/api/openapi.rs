//! The API's description, made from the handlers themselves.

use axum::Json;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::{export, follow, import, logs, proxies, releases, services};

#[derive(OpenApi)]
#[openapi(
    info(title = "Serin release API", description = "Releases of a mesh's services, and what runs now."),
    paths(
        services::status,
        services::service,
        proxies::list,
        releases::create,
        releases::list,
        releases::show,
        releases::order,
        releases::why,
        releases::replay,
        follow::events,
        logs::logs,
        logs::build_log,
        import::owner,
        import::import,
        export::export
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

#[cfg(test)]
mod tests {
    /// The checked-in description is the API's. After a wanted change, run this with `UPDATE=1`.
    #[test]
    fn the_checked_in_description_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let current = super::document().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &current).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).is_ok_and(|written| written == current),
            "docs/openapi.json is out of date: run this test with UPDATE=1"
        );
    }
}
