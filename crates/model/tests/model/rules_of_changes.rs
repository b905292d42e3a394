//! What a change needs of the rest of the mesh: parents, targets, agreeing protocols, nothing in the way.

use model::{ErrorKind, ResourceId};
use serde_json::{Value, json};

use crate::world::{
    MESH, World, gateway, gateway_route, listeners, node, node_spec, route, router, service,
};

fn targets(names: &[&str]) -> Value {
    let target = |name: &&str| json!({"virtualNode": name, "weight": 1});
    json!({"weightedTargets": names.iter().map(target).collect::<Vec<_>>()})
}

fn gateway_target(service: &str) -> Value {
    json!({"target": {"virtualService": {"virtualServiceName": service}}})
}

#[test]
fn parents_and_targets_exist() {
    let to_node =
        |name: &str| json!({"httpRoute": {"match": {}, "action": targets(&["http", name])}});
    let to_service =
        |name: &str| json!({"httpRoute": {"match": {}, "action": gateway_target(name)}});
    let by_node = |name: &str| json!({"provider": {"virtualNode": {"virtualNodeName": name}}});
    let by_router =
        |name: &str| json!({"provider": {"virtualRouter": {"virtualRouterName": name}}});
    let elsewhere = ResourceId::route("elsewhere", "http", "new");
    let backend = json!({"backends": [{"virtualService": {"virtualServiceName": "later.local"}}]});
    let rows = [
        (node("new"), json!({}), ""),
        (node("new"), backend, ""),
        (
            ResourceId::virtual_node("elsewhere", "new"),
            json!({}),
            "Mesh with name elsewhere is not present",
        ),
        (
            elsewhere,
            to_node("http"),
            "Mesh with name elsewhere is not present",
        ),
        (
            route("missing"),
            to_node("http"),
            "VirtualRouter with name missing is not present under mesh m for account 123456789012",
        ),
        (
            gateway_route("missing"),
            to_service("node.local"),
            "VirtualGateway with name missing is not present under mesh m for account 123456789012",
        ),
        (
            route("http"),
            to_node("missing"),
            "VirtualNode with name missing is missing",
        ),
        (
            service("new"),
            by_node("missing"),
            "VirtualNode with name missing is missing",
        ),
        (
            service("new"),
            by_router("missing"),
            "VirtualRouter with name missing is missing",
        ),
        (service("new"), by_router("two"), ""),
        (
            gateway_route("http"),
            to_service("missing"),
            "VirtualService with name missing is missing",
        ),
        (gateway_route("http"), to_service("nobody.local"), ""),
    ];
    let world = World::with_one_of_everything();
    for (id, spec, expected) in rows {
        match world.refusal(id.clone(), spec) {
            Some(refusal) => {
                assert_eq!(refusal, (ErrorKind::NotFound, expected.to_owned()), "{id}")
            }
            None => assert_eq!(expected, "", "{id}"),
        }
    }
}

#[test]
fn a_name_is_given_once() {
    let world = World::with_one_of_everything();
    let refusal = world.refusal(node("http"), json!({}));
    let message = "VirtualNode with name http already exists".to_owned();
    assert_eq!(refusal, Some((ErrorKind::Conflict, message)));
    assert_eq!(
        world.refusal(ResourceId::route(MESH, "http", "http"), http_to("http")),
        None
    );
}

#[test]
fn only_what_exists_is_updated() {
    let mut world = World::with_one_of_everything();
    world
        .update(node("http"), node_spec(&[(3000, "http2")]))
        .unwrap();
    let error = world.update(node("missing"), json!({})).unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    let error = world
        .update(node("http"), listeners(&[(3000, "http")]))
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
}

#[test]
fn routes_agree_with_their_router() {
    let on_port =
        |port: Value| json!({"httpRoute": {"match": {"port": port}, "action": targets(&["http"])}});
    let rows = [
        ("http", http_to("http"), ""),
        ("http", on_port(json!(3000)), ""),
        ("two", on_port(json!(3000)), ""),
        // A router without listeners has nothing to disagree with.
        ("bare", http_to("http"), ""),
        (
            "http",
            on_port(json!(3001)),
            "spec.httpRoute.match.port: 3001 is no listener of virtual router http",
        ),
        (
            "bare",
            on_port(json!(3000)),
            "spec.httpRoute.match.port: 3000 is no listener of virtual router bare",
        ),
        (
            "two",
            http_to("http"),
            "spec.httpRoute.match.port: is required where virtual router two has several listeners",
        ),
        (
            "two",
            on_port(json!(3001)),
            "spec.httpRoute.match: is for http, but virtual router two speaks grpc on port 3001",
        ),
        (
            "tcp",
            http_to("http"),
            "spec.httpRoute.match: is for http, but virtual router tcp speaks tcp on port 3000",
        ),
    ];
    check(rows.map(|(router, spec, expected)| (route(router), spec, expected)));
}

#[test]
fn routes_agree_with_their_targets() {
    let to_port = |name: &str, port: u16| {
        let target = json!({"virtualNode": name, "weight": 1, "port": port});
        json!({"httpRoute": {"match": {}, "action": {"weightedTargets": [target]}}})
    };
    let tcp = json!({"tcpRoute": {"action": targets(&["tcp"])}});
    let grpc = json!({"grpcRoute": {"match": {}, "action": targets(&["grpc"])}});
    let place = "spec.httpRoute.action.weightedTargets[0]";
    let rows = [
        ("http", to_port("http", 3000), String::new()),
        ("http", to_port("two", 3000), String::new()),
        ("tcp", tcp, String::new()),
        ("grpc", grpc, String::new()),
        (
            "http",
            to_port("http", 3001),
            format!("{place}.port: 3001 is no listener of virtual node http"),
        ),
        (
            "http",
            http_to("two"),
            format!("{place}.port: is required where virtual node two has several listeners"),
        ),
        (
            "http",
            to_port("two", 3001),
            format!("{place}: is for http, but virtual node two speaks grpc on port 3001"),
        ),
        (
            "http",
            http_to("http2"),
            format!("{place}: is for http, but virtual node http2 speaks http2 on port 3000"),
        ),
        (
            "http",
            http_to("silent"),
            format!("{place}: cannot be reached, virtual node silent has no listener"),
        ),
    ];
    check(rows.map(|(router, spec, expected)| (route(router), spec, expected)));
}

#[test]
fn gateway_routes_agree_with_both_ends() {
    let to = |service: &str, matches: Value, port: Option<u16>| {
        let mut action = gateway_target(service);
        if let Some(port) = port {
            action["target"]["port"] = json!(port);
        }
        json!({"httpRoute": {"match": matches, "action": action}})
    };
    let place = "spec.httpRoute.action.target.port";
    let rows = [
        ("http", to("node.local", json!({}), None), String::new()),
        ("http", to("node.local", json!({}), Some(3000)), String::new()),
        ("http", to("two.local", json!({}), Some(3001)), String::new()),
        ("http", to("nobody.local", json!({}), Some(9)), String::new()),
        ("two", to("node.local", json!({"port": 8088}), None), String::new()),
        (
            "http",
            to("node.local", json!({}), Some(9)),
            format!("{place}: 9 is no listener of virtual service node.local"),
        ),
        (
            "http",
            to("two.local", json!({}), None),
            format!("{place}: is required where virtual service two.local has several listeners"),
        ),
        (
            "two",
            to("node.local", json!({}), None),
            "spec.httpRoute.match.port: is required where virtual gateway two has several listeners".into(),
        ),
        (
            "grpc",
            to("node.local", json!({}), None),
            "spec.httpRoute.match: is for http, but virtual gateway grpc speaks grpc on port 8088".into(),
        ),
    ];
    check(rows.map(|(gateway, spec, expected)| (gateway_route(gateway), spec, expected)));
}

#[test]
fn nothing_that_others_stand_on_is_deleted() {
    let mut world = World::with_one_of_everything();
    world
        .create(node("target"), node_spec(&[(3000, "http")]))
        .unwrap();
    world.create(route("bare"), http_to("target")).unwrap();
    world
        .create(
            gateway_route("http"),
            json!({"httpRoute": {"match": {}, "action": gateway_target("nobody.local")}}),
        )
        .unwrap();
    let in_use = [
        (
            ResourceId::mesh(MESH),
            "Mesh m for account 123456789012 has active VirtualNodes, \
             please delete VirtualNodes before deleting the Mesh",
        ),
        (
            node("http"),
            "VirtualNode with name http cannot be deleted because it is a VirtualService provider",
        ),
        (
            node("target"),
            "VirtualNode with name target cannot be deleted because it is a target of Routes: new",
        ),
        (
            router("two"),
            "VirtualRouter with name two cannot be deleted because it is a VirtualService provider",
        ),
        (
            router("bare"),
            "VirtualRouter with name bare cannot be deleted because it has Routes: new",
        ),
        (
            gateway("http"),
            "VirtualGateway with name http cannot be deleted because it has GatewayRoutes: new",
        ),
        (
            service("nobody.local"),
            "VirtualService nobody.local is being referenced in the following: GATEWAY_ROUTE: [new]",
        ),
    ];
    for (id, message) in in_use {
        let error = world.delete(&id).unwrap_err();
        assert_eq!(
            (error.kind, error.message.as_str()),
            (ErrorKind::ResourceInUse, message)
        );
    }
    for id in [
        route("bare"),
        gateway_route("http"),
        service("nobody.local"),
        gateway("http"),
        router("bare"),
        node("target"),
    ] {
        world.delete(&id).unwrap();
        assert_eq!(world.delete(&id).unwrap_err().kind, ErrorKind::NotFound);
    }
}

#[test]
fn a_backend_does_not_hold_its_service() {
    let mut world = World::with_one_of_everything();
    let backend = json!({"backends": [{"virtualService": {"virtualServiceName": "node.local"}}]});
    world.create(node("caller"), backend).unwrap();
    world.delete(&service("node.local")).unwrap();
}

fn http_to(node: &str) -> Value {
    json!({"httpRoute": {"match": {}, "action": targets(&[node])}})
}

fn check<const N: usize>(rows: [(ResourceId, Value, impl AsRef<str>); N]) {
    let world = World::with_one_of_everything();
    for (id, spec, expected) in rows {
        match world.refusal(id, spec.clone()) {
            Some(refusal) => assert_eq!(
                refusal,
                (ErrorKind::BadRequest, expected.as_ref().to_owned())
            ),
            None => assert_eq!("", expected.as_ref(), "{spec}"),
        }
    }
}
