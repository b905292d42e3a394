//! Endpoints with their health, in the lines that Envoy has for them, and as JSON.

use std::fmt::Write;

use proxy::{EndpointHealth, HealthStatus};
use serde_json::{Value, json};

pub(crate) fn text(endpoints: &[EndpointHealth]) -> String {
    let mut text = String::new();
    for endpoint in endpoints {
        let (cluster, address) = (&endpoint.cluster, endpoint.address);
        // Writing to a string cannot fail.
        writeln!(
            text,
            "{cluster}::{address}::health_flags::{}",
            flags(endpoint)
        )
        .ok();
        writeln!(text, "{cluster}::{address}::hostname::{}", endpoint.id).ok();
        writeln!(
            text,
            "{cluster}::{address}::virtual_node::{}",
            endpoint.virtual_node
        )
        .ok();
        if let Some(reason) = &endpoint.reason {
            writeln!(text, "{cluster}::{address}::last_failure::{reason}").ok();
        }
    }
    text
}

/// Envoy's words.
fn flags(endpoint: &EndpointHealth) -> &'static str {
    match (
        endpoint.status == HealthStatus::Unhealthy,
        endpoint.is_ejected,
    ) {
        (true, true) => "/failed_active_hc/failed_outlier_check",
        (true, false) => "/failed_active_hc",
        (false, true) => "/failed_outlier_check",
        (false, false) => "healthy",
    }
}

pub(crate) fn json(endpoints: &[EndpointHealth]) -> Value {
    let entry = |endpoint: &EndpointHealth| {
        json!({
            "node": endpoint.node,
            "cluster": endpoint.cluster,
            "virtualNode": endpoint.virtual_node,
            "id": endpoint.id,
            "address": endpoint.address,
            "health": format!("{:?}", endpoint.status).to_lowercase(),
            "ejected": endpoint.is_ejected,
            "reason": endpoint.reason,
        })
    };
    json!({ "endpoints": endpoints.iter().map(entry).collect::<Vec<_>>() })
}
