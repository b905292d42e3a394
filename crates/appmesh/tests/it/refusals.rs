//! Every error that a request can cause, and which of several causes is named.

use std::sync::Arc;

use appmesh::{Operation, Quotas};
use http::Method;
use model::ErrorKind;
use serde_json::{Value, json};

use crate::fixture::{Api, MESHES, gateway_route_spec, listeners, node_spec, route_spec, run};

/// A request that is refused.
struct Asked {
    method: &'static str,
    path: &'static str,
    body: String,
}

fn get(path: &'static str) -> Asked {
    Asked {
        method: "GET",
        path,
        body: String::new(),
    }
}

fn delete(path: &'static str) -> Asked {
    Asked {
        method: "DELETE",
        path,
        body: String::new(),
    }
}

fn put(path: &'static str, body: Value) -> Asked {
    Asked {
        method: "PUT",
        path,
        body: body.to_string(),
    }
}

fn create_node(spec: Value) -> Asked {
    put(
        "/m/virtualNodes",
        json!({"virtualNodeName": "x", "spec": spec}),
    )
}

/// With one more member.
fn create_node_with(member: &str, value: Value) -> Asked {
    put(
        "/m/virtualNodes",
        json!({"virtualNodeName": "x", "spec": {}, member: value}),
    )
}

fn create_route(spec: Value) -> Asked {
    put(
        "/m/virtualRouter/r/routes",
        json!({"routeName": "x", "spec": spec}),
    )
}

/// A spec with another value at one place.
fn with(mut spec: Value, pointer: &str, value: Value) -> Value {
    *spec.pointer_mut(pointer).unwrap() = value;
    spec
}

/// What the mesh of [`world`] refuses, by the error's type, and a part of the message.
#[rustfmt::skip]
fn table() -> Vec<(ErrorKind, Asked, &'static str)> {
    use ErrorKind::{BadRequest, Conflict, NotFound, ResourceInUse};
    const TARGETS: &str = "/httpRoute/action/weightedTargets";
    let route = || route_spec(1, 1);
    let eleven = with(route(), TARGETS, json!(vec![json!({"virtualNode": "blue", "weight": 1}); 11]));
    let to_red = with(route(), "/httpRoute/action/weightedTargets/1/virtualNode", json!("red"));
    let http_and_tcp = json!({"httpRoute": route()["httpRoute"], "tcpRoute": {"action": route()["httpRoute"]["action"]}});
    let quic = with(node_spec(), "/listeners/0/portMapping/protocol", json!("quic"));
    let by_red = json!({"provider": {"virtualNode": {"virtualNodeName": "red"}}});
    vec![
        // The form of the body.
        (BadRequest, put("/m/virtualNodes", json!([1])), "body: [1] is not a JSON object"),
        (BadRequest, put("/m/virtualNodes", json!({"virtualNodeName": "x"})), "spec: is required"),
        (BadRequest, put("/m/virtualNodes", json!({"spec": {}})), "virtualNodeName: is required"),
        (BadRequest, put("/m/virtualNodes", json!({"virtualNodeName": 7, "spec": {}})), "virtualNodeName: 7 is not a string"),
        (BadRequest, create_node_with("color", json!(1)), "color: is unknown, members here are clientToken, virtualNodeName, spec, tags"),
        (BadRequest, put("/m/virtualNodes/blue", json!({"virtualNodeName": "blue", "spec": {}})), "virtualNodeName: is unknown"),
        (BadRequest, create_node_with("virtualNodeName", json!("")), "virtualNodeName: \"\" has 0 characters, allowed are 1 to 255"),
        (BadRequest, create_node_with("virtualNodeName", json!("n".repeat(256))), "has 256 characters, allowed are 1 to 255"),
        (BadRequest, create_node_with("clientToken", json!("a b")), "clientToken: \"a b\" has characters other than A-Z, a-z, 0-9, - and _"),
        (BadRequest, create_node_with("clientToken", json!("t".repeat(37))), "has 37 characters, allowed are 1 to 36"),
        (BadRequest, create_node_with("tags", json!([{"key": "aws:x", "value": ""}])), "tags[0].key: \"aws:x\" is reserved"),
        // The form of the path and the query.
        (BadRequest, get("/m/virtualNodes/%zz"), "virtualNodeName: %zz is not UTF-8 in valid percent-encoding"),
        (BadRequest, get("/m/virtualNodes/.."), "virtualNodeName: .. is a step in a path, not a name"),
        (BadRequest, get("/m/virtualNodes/a%2"), "virtualNodeName: a%2 is not UTF-8"),
        (BadRequest, get("/m/virtualNodes/%ff"), "virtualNodeName: %ff is not UTF-8"),
        (BadRequest, get("/%c3%28/virtualNodes"), "meshName: %c3%28 is not UTF-8"),
        (BadRequest, get("/m/virtualNodes/"), "virtualNodeName: \"\" has 0 characters"),
        (BadRequest, get("//virtualNodes"), "meshName: \"\" has 0 characters"),
        (BadRequest, get("?limit=0"), "limit: 0 is not a number from 1 to 100"),
        (BadRequest, get("?limit=101"), "limit: 101 is not a number from 1 to 100"),
        (BadRequest, get("?limit=many"), "limit: many is not a number from 1 to 100"),
        (BadRequest, get("?limit=1&limit=1"), "limit: is given more than once"),
        (BadRequest, get("?limit=%zz"), "limit: %zz is not UTF-8"),
        // Constraints and rules of a spec.
        (BadRequest, create_node(json!({"color": 1})), "spec.color: is unknown"),
        (BadRequest, create_node(json!({"listeners": listeners(0)["listeners"]})), "portMapping.port: 0 is out of range, allowed are 1 to 65535"),
        (BadRequest, create_node(quic), "protocol: \"quic\" is none of http, tcp, http2, grpc"),
        (BadRequest, create_route(route_spec(101, 1)), "spec.httpRoute.action.weightedTargets[0].weight: 101 is out of range, allowed are 0 to 100"),
        (BadRequest, create_route(eleven), "spec.httpRoute.action.weightedTargets: has 11 entries"),
        (BadRequest, create_route(http_and_tcp), "spec: needs exactly one of httpRoute, http2Route, grpcRoute, tcpRoute"),
        (BadRequest, create_route(json!({})), "spec: needs exactly one of"),
        // What is not there: the mesh before the parent before the resource.
        (NotFound, get("/none"), "Mesh with name none is not present"),
        (NotFound, get("/none/virtualNodes"), "Mesh with name none is not present"),
        (NotFound, get("/none/virtualRouter/r/routes/all"), "Mesh with name none is not present"),
        (NotFound, get("/m/virtualRouter/none/routes"), "VirtualRouter with name none is not present under mesh m for account 123456789012"),
        (NotFound, get("/m/virtualRouter/none/routes/all"), "VirtualRouter with name none is not present"),
        (NotFound, get("/m/virtualRouter/r/routes/none"), "Route with name none is not present under mesh m for account 123456789012"),
        (NotFound, put("/m/virtualNodes/none", json!({"spec": {}})), "VirtualNode with name none is not present"),
        (NotFound, delete("/m/virtualNodes/none"), "VirtualNode with name none is not present"),
        (NotFound, put("/m/virtualGateway/none/gatewayRoutes", json!({"gatewayRouteName": "x", "spec": gateway_route_spec()})), "VirtualGateway with name none is not present"),
        // What a spec refers to.
        (NotFound, create_route(to_red), "VirtualNode with name red is missing"),
        (NotFound, put("/m/virtualServices", json!({"virtualServiceName": "x", "spec": by_red})), "VirtualNode with name red is missing"),
        // What is there already.
        (Conflict, put("", json!({"meshName": "m"})), "Mesh with name m already exists"),
        (Conflict, create_node_with("virtualNodeName", json!("blue")), "VirtualNode with name blue already exists"),
        // What others stand on.
        (ResourceInUse, delete("/m"), "Mesh m for account 123456789012 has active VirtualNodes, please delete VirtualNodes before deleting the Mesh"),
        (ResourceInUse, delete("/m/virtualNodes/blue"), "VirtualNode with name blue cannot be deleted because it is"),
        (ResourceInUse, delete("/m/virtualRouters/r"), "VirtualRouter with name r cannot be deleted because it is a VirtualService provider"),
        (ResourceInUse, delete("/m/virtualGateways/g"), "VirtualGateway with name g cannot be deleted because"),
        (ResourceInUse, delete("/m/virtualServices/s.local"), "VirtualService s.local is being referenced in the following: GATEWAY_ROUTE: [in]"),
    ]
}

/// The fixture's mesh with a route and a gateway route.
fn world() -> Api {
    let api = Api::with_mesh();
    let route = json!({"routeName": "all", "spec": route_spec(1, 2)});
    api.create("/m/virtualRouter/r/routes", route);
    let route = json!({"gatewayRouteName": "in", "spec": gateway_route_spec()});
    api.create("/m/virtualGateway/g/gatewayRoutes", route);
    api
}

/// Every refusal of the table: the operation, and the error's type.
pub(crate) fn refusals() -> Vec<(Operation, String)> {
    let api = world();
    let before = api.store.snapshot();
    let mut refused = Vec::new();
    for (kind, Asked { method, path, body }, message) in table() {
        let uri = format!("{MESHES}{path}");
        let answer = run(api.ask(method, &uri, body));
        assert_eq!(answer.status, kind.status(), "{method} {path}");
        let (error, text) = answer.refused();
        assert_eq!(error, kind.name(), "{method} {path}: {text}");
        assert!(text.contains(message), "{method} {path}: {text}");
        let method = method.parse::<Method>().unwrap();
        let path = uri.split('?').next().unwrap();
        refused.push((Operation::of(&method, path).unwrap(), error));
    }
    let after = api.store.snapshot();
    assert_eq!(after, before, "a refused request has changed something");
    refused
}

#[test]
fn refused_requests_say_why_and_change_nothing() {
    assert!(refusals().len() > 40);
}

#[test]
fn bodies_that_are_no_json_are_bad_requests() {
    let api = Api::with_mesh();
    let deep = "[".repeat(100_000);
    let bodies: [&[u8]; 8] = [
        b"{",
        b"\xff\xfe",
        b"{\"meshName\": \"\xff\"}",
        b"null",
        b"{} {}",
        b"{\"meshName\": 1e999}",
        b"\xef\xbb\xbf{}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let answer = run(api.ask("PUT", MESHES, body.to_vec()));
        let (error, message) = answer.refused();
        assert_eq!(error, "BadRequestException");
        assert!(message.starts_with("body: "), "{message}");
    }
}

#[test]
fn of_several_causes_the_first_in_order_is_named() {
    let api = world();
    let refused = |path: &str, body: Value| api.put(path, body).refused().0;
    let bad = json!({"httpRoute": {"match": {}, "action": {"weightedTargets": []}}});
    let mut dangling = route_spec(1, 1);
    dangling["httpRoute"]["action"]["weightedTargets"][0]["virtualNode"] = json!("red");
    let create = |name: &str, spec: &Value| json!({"routeName": name, "spec": spec});

    // A bad spec before a missing mesh, which comes before a missing router.
    let nowhere = "/none/virtualRouter/none/routes";
    assert_eq!(refused(nowhere, create("all", &bad)), "BadRequestException");
    let (_, message) = api.put(nowhere, create("all", &dangling)).refused();
    assert_eq!(message, "Mesh with name none is not present");
    // A taken name before a missing node.
    let routes = "/m/virtualRouter/r/routes";
    assert_eq!(
        refused(routes, create("all", &dangling)),
        "ConflictException"
    );
    // A missing node before a used-up quota.
    let quotas = Quotas {
        routes_per_virtual_router: 1,
        ..Quotas::default()
    };
    let full = Api::over(Arc::clone(&api.store), quotas);
    let refused = |spec| full.put(routes, create("x", spec)).refused().0;
    assert_eq!(refused(&dangling), "NotFoundException");
    assert_eq!(refused(&route_spec(1, 1)), "LimitExceededException");
}

#[test]
fn all_violations_of_a_spec_are_named_together() {
    let api = world();
    let mut spec = route_spec(-1, 101);
    spec["priority"] = json!(1001);
    let (_, message) = api
        .put("/m/virtualRouter/r/routes/all", json!({"spec": spec}))
        .refused();
    for part in ["spec.priority: 1001", "[0].weight: -1", "[1].weight: 101"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn each_error_type_has_its_name_and_status() {
    let refused = |kind| appmesh::refusal(&model::Error::new(kind, "why"));
    let throttled = refused(ErrorKind::TooManyRequests);
    assert_eq!(throttled.status(), 429);
    assert_eq!(
        throttled.headers()["x-amzn-errortype"],
        "TooManyRequestsException"
    );
    assert_eq!(throttled.body(), r#"{"message":"why"}"#.as_bytes());
    let unsigned = appmesh::refusal_named(403, "InvalidSignatureException", "a \"b\"");
    assert_eq!(unsigned.status(), 403);
    assert_eq!(
        unsigned.headers()["x-amzn-errortype"],
        "InvalidSignatureException"
    );
    assert_eq!(unsigned.body(), r#"{"message":"a \"b\""}"#.as_bytes());
}
