//! The mesh that asks for a setup: a virtual gateway in front of a router that splits between two virtual
//! nodes. TCP, which App Mesh's gateways do not carry, goes in through a virtual node's own listener.

use std::collections::BTreeMap;

use anyhow::Context;
use model::draft::{Author, Draft};
use model::{ResourceId, Snapshot, Spec, Timestamp};
use serde_json::{Value, json};
use setup::{Protocol, Setup};
use view::{Binding, NodeView};

const MESH: &str = "bench";
const SERVICE: &str = "service.bench.local";

/// What the proxy of the setup sees of its mesh.
pub(crate) fn view(setup: &Setup) -> anyhow::Result<NodeView> {
    let author = Author {
        account: "000000000000".to_owned(),
        now: Timestamp::from_millis(0),
        uid: || "uid".to_owned(),
    };
    let mut draft = Draft::new(&Snapshot::new(), author);
    let mut put = |id: ResourceId, spec: Value| -> anyhow::Result<()> {
        let spec = Spec::parse(id.kind(), &spec)
            .map_err(|error| anyhow::anyhow!("{id} is no valid resource: {error}"))?;
        draft.put(id, spec)?;
        Ok(())
    };
    put(ResourceId::mesh(MESH), json!({}))?;
    for number in 0..setup.upstreams.len() {
        put(node(number), node_spec(setup, number))?;
    }
    let (proxied, binding) = if setup.downstream == Protocol::Tcp {
        let application = setup.upstreams.first().context("there is no upstream")?;
        let mut binding = Binding::loopback();
        let ports = (application.address.port(), setup.listen.port());
        binding.ingress_ports = BTreeMap::from([ports]);
        (node(0), binding)
    } else {
        let routed = protocol_of(setup.upstream);
        put(
            ResourceId::virtual_router(MESH, "router"),
            json!({"listeners": [{"portMapping": {"port": 80, "protocol": routed}}]}),
        )?;
        let provider = json!({"virtualRouter": {"virtualRouterName": "router"}});
        put(
            ResourceId::virtual_service(MESH, SERVICE),
            json!({"provider": provider}),
        )?;
        for (number, prefix) in setup.prefixes().iter().enumerate() {
            let route = ResourceId::route(MESH, "router", &format!("route-{number}"));
            put(route, route_spec(setup, prefix))?;
        }
        put(gateway(), gateway_spec(setup))?;
        let target = json!({"virtualService": {"virtualServiceName": SERVICE}});
        let through = json!({"match": {"prefix": "/"}, "action": {"target": target}});
        put(
            ResourceId::gateway_route(MESH, "gateway", "all"),
            json!({route_kind(setup.downstream): through}),
        )?;
        (gateway(), Binding::loopback())
    };
    view::compile(draft.snapshot(), &proxied, &binding).context("the mesh does not compile")
}

fn node(number: usize) -> ResourceId {
    ResourceId::virtual_node(MESH, &format!("version-{number}"))
}

fn gateway() -> ResourceId {
    ResourceId::virtual_gateway(MESH, "gateway")
}

fn node_spec(setup: &Setup, number: usize) -> Value {
    let address = setup.upstreams[number].address;
    let mapping = json!({"port": address.port(), "protocol": protocol_of(setup.upstream)});
    json!({
        "listeners": [{"portMapping": mapping}],
        "serviceDiscovery": {"dns": {"hostname": address.ip().to_string()}},
    })
}

fn gateway_spec(setup: &Setup) -> Value {
    let mapping = json!({"port": setup.listen.port(), "protocol": protocol_of(setup.downstream)});
    let mut listener = json!({"portMapping": mapping});
    if let Some(tls) = &setup.tls {
        let certificate = json!({"file": {"certificateChain": tls.chain, "privateKey": tls.key}});
        listener["tls"] = json!({"mode": "STRICT", "certificate": certificate});
    }
    let mut gateway = json!({"listeners": [listener]});
    if let Some(path) = &setup.access_log {
        gateway["logging"] = json!({"accessLog": {"file": {"path": path}}});
    }
    gateway
}

fn route_spec(setup: &Setup, prefix: &str) -> Value {
    let targets: Vec<Value> = setup
        .upstreams
        .iter()
        .enumerate()
        .map(|(number, upstream)| json!({"virtualNode": node(number).name(), "weight": upstream.weight}))
        .collect();
    let mut route = json!({"match": {"prefix": prefix}, "action": {"weightedTargets": targets}});
    if setup.retries {
        route["retryPolicy"] = json!({
            "maxRetries": 2,
            "perRetryTimeout": {"unit": "s", "value": 5},
            "httpRetryEvents": ["gateway-error"],
            "tcpRetryEvents": ["connection-error"],
        });
    }
    json!({route_kind(setup.upstream): route})
}

fn protocol_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http1 => "http",
        Protocol::Http2 => "http2",
        Protocol::Tcp => "tcp",
    }
}

fn route_kind(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http1 | Protocol::Tcp => "httpRoute",
        Protocol::Http2 => "http2Route",
    }
}
