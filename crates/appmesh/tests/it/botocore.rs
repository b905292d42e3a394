//! The same operations and shapes as AWS's public service model, both ways.
//!
//! The scripts in `tests/botocore` read the model that PyPI's `botocore` ships, at test time. The
//! interpreter comes from `SERIN_TEST_PYTHON`, else it is `python3`.

use std::collections::{BTreeMap, BTreeSet};

use appmesh::Operation;
use bytes::Bytes;
use http::Request;
use model::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::fixture::{
    ACCOUNT, Api, arn, gateway_route_spec, listeners, node_spec, route_spec, run,
};
use crate::refusals::refusals;

#[derive(Debug, Deserialize)]
struct TheirOperation {
    name: String,
    method: String,
    path: String,
    members: BTreeSet<String>,
    errors: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Sent {
    method: String,
    uri: String,
    body: String,
}

#[derive(Deserialize)]
struct Understood {
    result: Value,
    faults: Vec<String>,
}

#[test]
fn the_table_of_operations_is_the_service_models() {
    let ours = Operation::all().map(|operation| {
        (
            operation.name(),
            operation.method().as_str(),
            operation.path(),
        )
    });
    let theirs = their_operations();
    let theirs = theirs.iter().map(|operation| {
        (
            operation.name.as_str(),
            operation.method.as_str(),
            operation.path.as_str(),
        )
    });
    assert_eq!(ours.collect::<BTreeSet<_>>(), theirs.collect());
    assert_eq!(Operation::all().count(), 38);
}

#[test]
fn every_operation_refuses_only_as_it_may() {
    let theirs = their_operations();
    let theirs: BTreeMap<&str, &BTreeSet<String>> = theirs
        .iter()
        .map(|operation| (operation.name.as_str(), &operation.errors))
        .collect();
    for (operation, error) in refusals() {
        assert!(
            theirs[operation.name()].contains(&error),
            "{} says {error}",
            operation.name()
        );
    }
}

/// Every operation, in an order in which all succeed.
#[rustfmt::skip]
fn session() -> Vec<(&'static str, Value)> {
    let mesh = json!({"egressFilter": {"type": "ALLOW_ALL"}});
    let provider = json!({"provider": {"virtualRouter": {"virtualRouterName": "a b/c"}}});
    let node = arn("m/virtualNode/blue");
    let tags = json!([{"key": "team", "value": "checkout"}, {"key": "env", "value": ""}]);
    vec![
        ("CreateMesh", json!({"spec": mesh})),
        ("UpdateMesh", json!({"spec": mesh})),
        ("DescribeMesh", json!({})),
        ("ListMeshes", json!({})),
        ("CreateVirtualNode", json!({"virtualNodeName": "blue", "spec": node_spec()})),
        ("CreateVirtualNode", json!({"virtualNodeName": "green", "spec": node_spec()})),
        ("UpdateVirtualNode", json!({"virtualNodeName": "blue", "spec": node_spec()})),
        ("DescribeVirtualNode", json!({"virtualNodeName": "blue"})),
        ("ListVirtualNodes", json!({})),
        ("CreateVirtualRouter", json!({"virtualRouterName": "a b/c", "spec": listeners(8080)})),
        ("UpdateVirtualRouter", json!({"virtualRouterName": "a b/c", "spec": listeners(8080)})),
        ("DescribeVirtualRouter", json!({"virtualRouterName": "a b/c"})),
        ("ListVirtualRouters", json!({})),
        ("CreateVirtualService", json!({"virtualServiceName": "s.local", "spec": provider})),
        ("UpdateVirtualService", json!({"virtualServiceName": "s.local", "spec": provider})),
        ("DescribeVirtualService", json!({"virtualServiceName": "s.local"})),
        ("ListVirtualServices", json!({})),
        ("CreateVirtualGateway", json!({"virtualGatewayName": "g", "spec": listeners(80)})),
        ("UpdateVirtualGateway", json!({"virtualGatewayName": "g", "spec": listeners(80)})),
        ("DescribeVirtualGateway", json!({"virtualGatewayName": "g"})),
        ("ListVirtualGateways", json!({})),
        ("CreateRoute", json!({"virtualRouterName": "a b/c", "routeName": "100%", "spec": route_spec(3, 7)})),
        ("UpdateRoute", json!({"virtualRouterName": "a b/c", "routeName": "100%", "spec": route_spec(0, 1)})),
        ("DescribeRoute", json!({"virtualRouterName": "a b/c", "routeName": "100%"})),
        ("ListRoutes", json!({"virtualRouterName": "a b/c"})),
        ("CreateGatewayRoute", json!({"virtualGatewayName": "g", "gatewayRouteName": "in", "spec": gateway_route_spec()})),
        ("UpdateGatewayRoute", json!({"virtualGatewayName": "g", "gatewayRouteName": "in", "spec": gateway_route_spec()})),
        ("DescribeGatewayRoute", json!({"virtualGatewayName": "g", "gatewayRouteName": "in"})),
        ("ListGatewayRoutes", json!({"virtualGatewayName": "g"})),
        ("TagResource", json!({"resourceArn": node, "tags": tags})),
        ("ListTagsForResource", json!({"resourceArn": node})),
        ("UntagResource", json!({"resourceArn": node, "tagKeys": ["env"]})),
        ("DeleteGatewayRoute", json!({"virtualGatewayName": "g", "gatewayRouteName": "in"})),
        ("DeleteRoute", json!({"virtualRouterName": "a b/c", "routeName": "100%"})),
        ("DeleteVirtualService", json!({"virtualServiceName": "s.local"})),
        ("DeleteVirtualRouter", json!({"virtualRouterName": "a b/c"})),
        ("DeleteVirtualGateway", json!({"virtualGatewayName": "g"})),
        ("DeleteVirtualNode", json!({"virtualNodeName": "green"})),
        ("DeleteVirtualNode", json!({"virtualNodeName": "blue"})),
        ("DeleteMesh", json!({})),
    ]
}

/// With every other member that the operation has in the service model.
fn completed(number: usize, input: &Value, members: &BTreeSet<String>) -> Value {
    let mut input = input.clone();
    let others = [
        ("meshName", json!("m")),
        ("meshOwner", json!(ACCOUNT)),
        (
            "clientToken",
            json!(format!("0b3e7a52-2e0d-4c50-9d2c-{number:012}")),
        ),
        ("tags", json!([{"key": "team", "value": "basket"}])),
        ("limit", json!(1)),
    ];
    for (member, value) in others {
        if members.contains(member) && input[member].is_null() {
            input[member] = value;
        }
    }
    input
}

#[test]
fn what_botocore_sends_is_understood_and_what_we_answer_too() {
    let theirs = their_operations();
    let members: BTreeMap<&str, &BTreeSet<String>> = theirs
        .iter()
        .map(|operation| (operation.name.as_str(), &operation.members))
        .collect();
    let called: BTreeSet<&str> = session().iter().map(|(operation, _)| *operation).collect();
    assert_eq!(called.len(), 38);
    let calls: Vec<(&str, Value)> = session()
        .iter()
        .enumerate()
        .map(|(number, (operation, input))| {
            (*operation, completed(number, input, members[operation]))
        })
        .collect();
    for (operation, input) in &calls {
        let given: BTreeSet<String> = input.as_object().unwrap().keys().cloned().collect();
        let left_out: Vec<&String> = members[operation].difference(&given).collect();
        assert!(
            left_out.iter().all(|member| *member == "nextToken"),
            "{operation} {left_out:?}"
        );
    }

    let sent: Vec<Sent> = asked(
        "requests.py",
        calls
            .iter()
            .map(|(operation, input)| json!({"operation": operation, "input": input})),
    );
    let api = Api::new();
    let answers = calls.iter().zip(&sent).map(|((operation, _), sent)| {
        let path = sent.uri.split('?').next().unwrap();
        let method = sent.method.parse().unwrap();
        assert_eq!(Operation::of(&method, path).unwrap().name(), *operation);
        let request = Request::builder().method(method).uri(&sent.uri);
        let request = request.body(Bytes::from(sent.body.clone())).unwrap();
        let response = run(api.mesh.answer(&request, Timestamp::from_millis(1_700_000_000_250)));
        let headers = response.headers().iter();
        let headers: BTreeMap<&str, &str> =
            headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        let body = str::from_utf8(response.body()).unwrap();
        json!({"operation": operation, "status": response.status().as_u16(), "headers": headers, "body": body})
    });
    let answers: Vec<Value> = answers.collect();
    let understood: Vec<Understood> = asked("answers.py", answers.iter().cloned());
    for ((answer, understood), (operation, input)) in answers.iter().zip(&understood).zip(&calls) {
        assert_eq!(answer["status"], 200, "{operation}: {answer}");
        assert_eq!(understood.faults, [""; 0], "{operation}: {answer}");
        holds(&understood.result, operation, input);
    }
    // Nothing but its tokens is left.
    assert!(api.store.snapshot().is_empty());
}

/// What botocore hands to its caller holds the names and the spec that were sent.
fn holds(result: &Value, operation: &str, input: &Value) {
    let Some(data) = result
        .as_object()
        .unwrap()
        .values()
        .find(|value| value["metadata"].is_object())
    else {
        assert!(
            ["List", "Tag", "Untag"]
                .iter()
                .any(|verb| operation.starts_with(verb)),
            "{operation}: {result}"
        );
        return;
    };
    let sent = input.as_object().unwrap().iter();
    for (member, value) in sent.filter(|(member, _)| *member == "spec" || member.ends_with("Name"))
    {
        assert_eq!(&data[member], value, "{operation}");
    }
    assert_eq!(
        data["metadata"]["createdAt"], 1_700_000_000.25,
        "{operation}"
    );
}

fn their_operations() -> Vec<TheirOperation> {
    asked("operations.py", [].into_iter())
}

/// Runs a script of `tests/botocore` on lines of JSON and reads the lines that it prints.
fn asked<T: DeserializeOwned>(name: &str, input: impl Iterator<Item = Value>) -> Vec<T> {
    let input: String = input.map(|line| format!("{line}\n")).collect();
    let output = script(name, &input);
    let lines = output.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn script(name: &str, input: &str) -> String {
    let path = format!(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/botocore/{}"),
        name
    );
    testkit::python::run(&[&path], input)
}
