//! Strictness beyond the service model's constraints: what serde alone would have let through.

use model::check::{self, Check};
use model::read::read;
use model::spec::{ConnectionPool, PortMapping, VirtualServiceSpec};
use model::{ErrorKind, Kind, Spec};
use serde_json::{Value, json};

fn refusal(kind: Kind, spec: Value) -> String {
    let error = Spec::parse(kind, &spec).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
    error.message
}

#[test]
fn only_the_service_models_json_is_read() {
    let mapping = |mapping: Value| json!({"listeners": [{"portMapping": mapping}]});
    let rows = [
        (
            mapping(json!([80, "http"])),
            "spec.listeners[0].portMapping: [80,\"http\"] is not an object",
        ),
        (
            mapping(json!({"port": 80, "protocol": {"http": null}})),
            "spec.listeners[0].portMapping.protocol: needs exactly one of http, tcp, http2, grpc",
        ),
        (
            mapping(json!({"port": 80, "protocol": {"http": {}}})),
            "spec.listeners[0].portMapping.protocol: {\"http\":{}} is not a string",
        ),
        (
            mapping(json!({"port": 80, "protocol": "quic"})),
            "spec.listeners[0].portMapping.protocol: \"quic\" is none of http, tcp, http2, grpc",
        ),
        (
            mapping(json!({"protocol": "http"})),
            "spec.listeners[0].portMapping.port: is required",
        ),
        (
            mapping(json!({"port": 80, "protocol": "http", "name": "web"})),
            "spec.listeners[0].portMapping.name: is unknown, members here are port, protocol",
        ),
        (
            mapping(json!({"port": 80.0, "protocol": "http"})),
            "spec.listeners[0].portMapping.port: 80.0 is not an integer of 64 bits",
        ),
        (
            mapping(json!({"port": 4_294_967_376_i64, "protocol": "http"})),
            "spec.listeners[0].portMapping.port: 4294967376 is not an integer of 32 bits",
        ),
        (
            json!({"listeners": [null]}),
            "spec.listeners[0]: null is not an object",
        ),
        (json!(null), "spec: null is not an object"),
    ];
    for (spec, message) in rows {
        assert_eq!(refusal(Kind::VirtualRouter, spec), message);
    }
}

#[test]
fn a_union_has_one_member() {
    let (node, router) = (
        json!({"virtualNodeName": "n"}),
        json!({"virtualRouterName": "r"}),
    );
    let provider = |provider: Value| refusal(Kind::VirtualService, json!({"provider": provider}));
    let one = "spec.provider: needs exactly one of virtualNode, virtualRouter";
    assert_eq!(provider(json!({})), one);
    assert_eq!(
        provider(json!({"virtualNode": node, "virtualRouter": router})),
        one
    );
    assert_eq!(
        provider(json!("virtualNode")),
        "spec.provider: \"virtualNode\" is not an object"
    );
}

#[test]
fn null_means_absent() {
    let spec = json!({"provider": null});
    assert_eq!(
        read(&spec, "spec"),
        Ok(VirtualServiceSpec { provider: None })
    );
    let pool = json!({"http": null, "grpc": {"maxRequests": 1}});
    assert!(matches!(read(&pool, "pool"), Ok(ConnectionPool::Grpc(_))));
    let mapping = read::<PortMapping>(&json!({"port": null, "protocol": "http"}), "mapping");
    assert_eq!(mapping.unwrap_err().path, "mapping.port");
}

#[test]
fn huge_input_is_not_echoed() {
    let error = refusal(Kind::Mesh, json!({"egressFilter": "x".repeat(1_000_000)}));
    assert!(error.len() < 200, "{} bytes", error.len());
    let error = refusal(Kind::Mesh, json!({"x".repeat(1_000_000): 1}));
    assert!(error.len() < 200, "{} bytes", error.len());
    let listener = json!({"portMapping": {"port": 0, "protocol": "http"}});
    let listeners = json!({"listeners": vec![listener; 10_000]});
    let spec = Spec::parse(Kind::VirtualRouter, &listeners).unwrap();
    let error = check::request("spec", |at| spec.check(at)).unwrap_err();
    assert_eq!(error.violations.len(), 10_000);
    assert!(
        error.message.ends_with("; and 9980 more"),
        "{}",
        error.message
    );
}
