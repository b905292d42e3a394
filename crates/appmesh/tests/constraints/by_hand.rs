//! What the service model does not state: rules across fields, and what real meshes do that looks wrong and is not.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use crate::cases::Expected;
use crate::place::Place;
use crate::world::World;
use crate::{is_accepted, is_refused};

const MESH: &str = "/v20190125/meshes/mesh";

fn send(world: &World, method: &str, path: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    let request = Request::builder().method(method).uri(path);
    world.answer(&request.body(body.into()).unwrap())
}

fn create(world: &World, collection: &str, name: &str, spec: &Value) -> Response<Bytes> {
    let last = collection.rsplit('/').next().unwrap().trim_end_matches('s');
    let body = json!({ format!("{last}Name"): name, "spec": spec });
    send(
        world,
        "PUT",
        &format!("{MESH}/{collection}"),
        body.to_string(),
    )
}

#[track_caller]
fn assert_accepted(response: &Response<Bytes>) {
    is_accepted(response).unwrap();
}

#[track_caller]
fn assert_refused(response: &Response<Bytes>, place: &str) {
    let place = place
        .split('.')
        .fold(Place::default(), |at, name| at.member(name));
    is_refused(response, &Expected::Refused(place)).unwrap();
}

fn target(weight: i64) -> Value {
    json!({ "virtualNode": "plain", "weight": weight })
}

fn http_route(targets: &[Value], matches: &Value) -> Value {
    json!({ "httpRoute": { "action": { "weightedTargets": targets }, "match": matches } })
}

fn route_to(targets: &[Value]) -> Value {
    http_route(targets, &json!({ "prefix": "/" }))
}

#[test]
fn a_route_that_cannot_be_meant_is_refused() {
    let world = World::new();
    let one = [target(1)];
    let two_protocols = json!({
        "httpRoute": route_to(&one)["httpRoute"],
        "tcpRoute": { "action": { "weightedTargets": one } },
    });
    let mut unknown = route_to(&one);
    unknown["httpRoute"]["mirror"] = json!({});
    for (spec, place) in [
        (
            route_to(&[target(101)]),
            "spec.httpRoute.action.weightedTargets[0].weight",
        ),
        (
            route_to(&[target(-1)]),
            "spec.httpRoute.action.weightedTargets[0].weight",
        ),
        (
            route_to(&vec![target(1); 11]),
            "spec.httpRoute.action.weightedTargets",
        ),
        (route_to(&[]), "spec.httpRoute.action.weightedTargets"),
        (
            route_to(&[target(0), target(0)]),
            "spec.httpRoute.action.weightedTargets",
        ),
        (two_protocols, "spec"),
        (json!({}), "spec"),
        (unknown, "spec.httpRoute.mirror"),
        (
            http_route(&one, &json!({ "prefix": "x" })),
            "spec.httpRoute.match.prefix",
        ),
        (
            http_route(&one, &json!({ "prefix": "/", "path": { "exact": "/" } })),
            "spec.httpRoute.match.path",
        ),
        (
            http_route(&one, &json!({ "path": {} })),
            "spec.httpRoute.match.path",
        ),
        (
            http_route(&one, &json!({ "path": { "regex": "(" } })),
            "spec.httpRoute.match.path.regex",
        ),
        (
            http_route(&one, &json!({ "prefix": "/", "port": 70_000 })),
            "spec.httpRoute.match.port",
        ),
        (
            http_route(&one, &json!({ "prefix": "/", "port": 3001 })),
            "spec.httpRoute.match.port",
        ),
    ] {
        let response = create(&world, "virtualRouter/router/routes", "fresh", &spec);
        assert_refused(&response, place);
    }
}

#[test]
fn what_cannot_listen_is_refused() {
    let world = World::new();
    let listens = |port: i64, protocol: &str| json!({ "listeners": [{ "portMapping": { "port": port, "protocol": protocol } }] });
    for (collection, spec, place) in [
        (
            "virtualRouters",
            listens(70_000, "http"),
            "spec.listeners[0].portMapping.port",
        ),
        (
            "virtualRouters",
            listens(0, "http"),
            "spec.listeners[0].portMapping.port",
        ),
        (
            "virtualRouters",
            listens(80, "quic"),
            "spec.listeners[0].portMapping.protocol",
        ),
        (
            "virtualGateways",
            listens(80, "tcp"),
            "spec.listeners[0].portMapping.protocol",
        ),
        ("virtualNodes", listens(80, "http"), "spec.serviceDiscovery"),
    ] {
        assert_refused(&create(&world, collection, "fresh", &spec), place);
    }
}

#[test]
fn paths_that_app_mesh_keeps_for_itself_are_refused() {
    let world = World::new();
    let to = json!({ "target": { "virtualService": { "virtualServiceName": "plain-service" } } });
    for prefix in ["/aws-appmesh", "/aws-app-mesh/x"] {
        let spec = json!({ "httpRoute": { "action": to, "match": { "prefix": prefix } } });
        let response = create(
            &world,
            "virtualGateway/gateway/gatewayRoutes",
            "fresh",
            &spec,
        );
        assert_refused(&response, "spec.httpRoute.match.prefix");
    }
}

#[test]
fn weights_of_any_sum_are_accepted() {
    let world = World::new();
    let splits: [&[i64]; 7] = [
        &[1],
        &[2, 1],
        &[9, 1],
        &[50, 50],
        &[100, 100],
        &[0, 1],
        &[33, 33, 33],
    ];
    for (number, weights) in splits.into_iter().enumerate() {
        let targets: Vec<Value> = weights.iter().copied().map(target).collect();
        let name = format!("fresh-{number}");
        let spec = route_to(&targets);
        assert_accepted(&create(&world, "virtualRouter/router/routes", &name, &spec));
    }
}

#[test]
fn what_real_meshes_do_is_accepted() {
    let world = World::new();
    let only_port = http_route(&[target(1)], &json!({ "port": 3000 }));
    let nothing = http_route(&[target(1)], &json!({}));
    for (name, spec) in [("port", only_port), ("nothing", nothing)] {
        assert_accepted(&create(&world, "virtualRouter/router/routes", name, &spec));
    }
    let backends = json!({ "backends": [{ "virtualService": { "virtualServiceName": "later" } }] });
    assert_accepted(&create(&world, "virtualNodes", "early", &backends));
    assert_accepted(&create(&world, "virtualRouters", "bare", &json!({})));
    assert_accepted(&create(
        &world,
        "virtualServices",
        "nobody.local",
        &json!({}),
    ));
}

#[test]
fn a_name_is_counted_in_characters_and_may_hold_any() {
    let world = World::new();
    for name in [
        "a b/c%.local",
        "ü".repeat(255).as_str(),
        "virtualNodes",
        "..",
        "*.local",
    ] {
        assert_accepted(&create(&world, "virtualServices", name, &json!({})));
    }
    let long = "ü".repeat(256);
    let response = create(&world, "virtualServices", &long, &json!({}));
    assert_refused(&response, "virtualServiceName");
}

#[test]
fn a_body_that_is_no_object_of_known_members_is_refused() {
    let world = World::new();
    for body in ["{", "[]", "null", "\"text\"", "7", "{} {}", "\u{feff}{}"] {
        let response = send(&world, "PUT", "/v20190125/meshes", body);
        assert_refused(&response, "body");
    }
    let body = json!({ "meshName": "fresh", "specs": {} }).to_string();
    assert_refused(&send(&world, "PUT", "/v20190125/meshes", body), "specs");
    let deep = format!(r#"{{"meshName": "fresh", "spec": {}"#, "[".repeat(100_000));
    assert_refused(&send(&world, "PUT", "/v20190125/meshes", deep), "body");
}

#[test]
fn a_parameter_that_means_nothing_is_refused() {
    let world = World::new();
    for (query, place) in [
        ("limit=", "limit"),
        ("limit=+5", "limit"),
        ("limit=5&limit=6", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("nextToken=made-up", "nextToken"),
        ("nextToken=%FF", "nextToken"),
        ("meshOwner=12345678901a", "meshOwner"),
    ] {
        let response = send(&world, "GET", &format!("{MESH}/virtualNodes?{query}"), "");
        assert_refused(&response, place);
    }
}
