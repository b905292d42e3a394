//! What is between the callers and the tasks: a virtual gateway of its own, whose one route draws between
//! the virtual nodes of two services and tries again elsewhere what an endpoint's death has broken.

use std::path::Path;

use serde_json::{Value, json};

use crate::authority::{Authority, SERVER_NAME};
use crate::server::Server;

pub const SERVICES: [&str; 2] = ["blue", "green"];
pub const TASKS_OF_EACH: usize = 3;

const ROUTE: &str = "virtualRouter/both/routes";

/// The manifest of `serin up`: the example service, twice.
pub fn manifest(source: &Path) -> String {
    let services = SERVICES.map(|name| {
        let service = json!({
            "host": format!("{name}.chaos.local"),
            "source": source,
            "build": "rustc --edition 2024 -O -o server src/main.rs",
            "artifacts": ["server", "code_hash.txt"],
            "run": ["./server"],
            "environment": { "HOST": "127.0.0.1", "IP": "127.0.0.1", "AZ": name },
            "tasks": TASKS_OF_EACH,
            "health": { "path": "/health" },
        });
        (name.to_owned(), service)
    });
    let services = services.into_iter().collect::<serde_json::Map<_, _>>();
    // YAML takes JSON as it is.
    json!({ "mesh": "chaos", "gateway": { "port": 0 }, "services": services }).to_string()
}

pub async fn create(server: &Server, authority: &Authority, tls: bool) -> anyhow::Result<()> {
    let port = json!({ "port": 8080, "protocol": "http" });
    let mut listener = json!({ "portMapping": port });
    if tls {
        listener["tls"] = json!({
            "mode": "PERMISSIVE",
            "certificate": { "file": {
                "certificateChain": authority.chain,
                "privateKey": authority.key,
            } },
        });
    }
    let router = json!({ "listeners": [{ "portMapping": port }] });
    let service = json!({ "provider": { "virtualRouter": { "virtualRouterName": "both" } } });
    let gateway_route = json!({ "httpRoute": {
        "match": { "prefix": "/", "hostname": { "exact": SERVER_NAME } },
        "action": { "target": { "virtualService": { "virtualServiceName": "both.chaos.local" } } },
    } });
    for (path, body) in [
        (
            "virtualGateways",
            json!({ "virtualGatewayName": "door", "spec": { "listeners": [listener] } }),
        ),
        (
            "virtualRouters",
            json!({ "virtualRouterName": "both", "spec": router }),
        ),
        (ROUTE, json!({ "routeName": "split", "spec": split(50) })),
        (
            "virtualServices",
            json!({ "virtualServiceName": "both.chaos.local", "spec": service }),
        ),
        (
            "virtualGateway/door/gatewayRoutes",
            json!({ "gatewayRouteName": "all", "spec": gateway_route }),
        ),
    ] {
        server.put(path, &body).await?;
    }
    Ok(())
}

/// Moves the weights: so many of a hundred requests go to the first service.
pub async fn change(server: &Server, first: u32) -> anyhow::Result<()> {
    let path = format!("{ROUTE}/split");
    server.put(&path, &json!({ "spec": split(first) })).await
}

fn split(first: u32) -> Value {
    let [one, other] = SERVICES.map(|name| format!("{name}-sd-vanilla"));
    json!({ "httpRoute": {
        "match": { "prefix": "/" },
        "action": { "weightedTargets": [
            { "virtualNode": one, "weight": first },
            { "virtualNode": other, "weight": 100 - first },
        ] },
        "retryPolicy": {
            "maxRetries": 3,
            "perRetryTimeout": { "unit": "s", "value": 2 },
            "httpRetryEvents": ["gateway-error"],
            "tcpRetryEvents": ["connection-error"],
        },
    } })
}
