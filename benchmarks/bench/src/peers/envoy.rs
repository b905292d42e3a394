//! Envoy, configured by `peers/envoy/envoy.yaml`.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde_json::{Value, json};
use setup::{Protocol, Setup};

use super::fill;

const TEMPLATE: &str = include_str!("../../../peers/envoy/envoy.yaml");
const EXTENSIONS: &str = "type.googleapis.com/envoy.extensions";

pub(super) fn command(program: &Path, setup: &Setup, directory: &Path) -> anyhow::Result<Command> {
    let filter = match setup.downstream {
        Protocol::Tcp => json!({
            "name": "envoy.filters.network.tcp_proxy",
            "typed_config": {
                "@type": format!("{EXTENSIONS}.filters.network.tcp_proxy.v3.TcpProxy"),
                "stat_prefix": "entrance",
                "weighted_clusters": {"clusters": weighted(setup)},
            },
        }),
        Protocol::Http1 | Protocol::Http2 => manager(setup),
    };
    let transport = setup.tls.as_ref().map(|tls| {
        let alpn = if setup.downstream == Protocol::Http2 {
            "h2"
        } else {
            "http/1.1"
        };
        let certificate = json!({
            "certificate_chain": {"filename": tls.chain},
            "private_key": {"filename": tls.key},
        });
        let context = json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": format!("{EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext"),
                "disable_stateless_session_resumption": true,
                "common_tls_context": {
                    "alpn_protocols": [alpn],
                    "tls_certificates": [certificate],
                },
            },
        });
        format!("transport_socket: {context}")
    });
    let clusters: Vec<Value> = (0..setup.upstreams.len())
        .map(|number| cluster(setup, number))
        .collect();
    let values = [
        ("LISTEN_ADDRESS", setup.listen.ip().to_string()),
        ("LISTEN_PORT", setup.listen.port().to_string()),
        ("FILTER", filter.to_string()),
        ("TRANSPORT", transport.unwrap_or_default()),
        ("CLUSTERS", Value::from(clusters).to_string()),
    ];
    let path = directory.join("envoy.yaml");
    std::fs::write(&path, fill(TEMPLATE, &values))
        .context("Envoy's configuration cannot be written")?;
    let mut command = Command::new(program);
    command.arg("-c").arg(path);
    command.args(["--concurrency", &setup.workers.to_string()]);
    command.args(["--disable-hot-restart", "--log-level", "error"]);
    Ok(command)
}

fn weighted(setup: &Setup) -> Vec<Value> {
    setup
        .upstreams
        .iter()
        .enumerate()
        .map(|(number, upstream)| {
            json!({"name": format!("version-{number}"), "weight": upstream.weight})
        })
        .collect()
}

fn manager(setup: &Setup) -> Value {
    let mut action = json!({"weighted_clusters": {"clusters": weighted(setup)}, "timeout": "15s"});
    if setup.retries {
        action["retry_policy"] = json!({
            "retry_on": "connect-failure,reset,retriable-status-codes",
            "retriable_status_codes": [503],
            "num_retries": 2,
        });
    }
    let routes: Vec<Value> = setup
        .prefixes()
        .iter()
        .map(|prefix| json!({"match": {"prefix": prefix}, "route": action}))
        .collect();
    let log = setup.access_log.as_ref().map(|path| {
        json!({
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": format!("{EXTENSIONS}.access_loggers.file.v3.FileAccessLog"),
                "path": path,
            },
        })
    });
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": format!(
                "{EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager"
            ),
            "stat_prefix": "entrance",
            "codec_type": if setup.downstream == Protocol::Http2 { "HTTP2" } else { "HTTP1" },
            "http2_protocol_options": {"max_concurrent_streams": 1024},
            "generate_request_id": false,
            "use_remote_address": false,
            "skip_xff_append": true,
            "access_log": log.into_iter().collect::<Vec<_>>(),
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": format!("{EXTENSIONS}.filters.http.router.v3.Router"),
                    "dynamic_stats": false,
                    "suppress_envoy_headers": true,
                },
            }],
            "route_config": {"virtual_hosts": [{
                "name": "all",
                "domains": ["*"],
                "routes": routes,
            }]},
        },
    })
}

fn cluster(setup: &Setup, number: usize) -> Value {
    let name = format!("version-{number}");
    let address = setup.upstreams[number].address;
    let socket = json!({
        "socket_address": {"address": address.ip().to_string(), "port_value": address.port()},
    });
    let most = 1_000_000;
    let mut cluster = json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [{
            "max_connections": most,
            "max_pending_requests": most,
            "max_requests": most,
        }]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket}}]}],
        },
    });
    if setup.upstream == Protocol::Http2 {
        let options = json!({
            "@type": format!("{EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"),
            "explicit_http_config": {
                "http2_protocol_options": {"max_concurrent_streams": 1024},
            },
        });
        cluster["typed_extension_protocol_options"] =
            json!({"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options});
    }
    cluster
}
