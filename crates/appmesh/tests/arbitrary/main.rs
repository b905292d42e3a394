//! Requests that nobody would write: any method, path, query and body, and specs with something else in one place.
//!
//! The fuzz target `requests` makes the same checks on what a fuzzer finds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::check::Checked;

mod check;

#[derive(Clone, Debug)]
struct Asked {
    method: &'static str,
    target: String,
    body: Vec<u8>,
}

/// Names that exist, that do not, and that look like something else.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just("a".to_owned()),
        3 => Just("b".to_owned()),
        1 => prop::sample::select(vec!["", "a/b", "..", "%2F", "ü", " ", "tags", "a\0"])
            .prop_map(str::to_owned),
        1 => "\\PC{0,3}",
        1 => (250..260_usize).prop_map(|length| "n".repeat(length)),
    ]
}

fn parent_name() -> impl Strategy<Value = String> {
    prop_oneof![5 => Just("a".to_owned()), 1 => name()]
}

/// The collections of all kinds, and the member that names a new resource.
const COLLECTIONS: [(&str, &str); 7] = [
    ("meshes", "meshName"),
    ("meshes/{}/virtualNodes", "virtualNodeName"),
    ("meshes/{}/virtualRouters", "virtualRouterName"),
    ("meshes/{}/virtualServices", "virtualServiceName"),
    ("meshes/{}/virtualGateways", "virtualGatewayName"),
    ("meshes/{}/virtualRouter/{}/routes", "routeName"),
    (
        "meshes/{}/virtualGateway/{}/gatewayRoutes",
        "gatewayRouteName",
    ),
];

/// Valid specs of the kinds, in the same order.
const SPECS: [&str; 7] = [
    include_str!("../constraints/bases/mesh.json"),
    include_str!("../constraints/bases/virtual_node.json"),
    include_str!("../constraints/bases/virtual_router.json"),
    include_str!("../constraints/bases/virtual_service.json"),
    include_str!("../constraints/bases/virtual_gateway.json"),
    include_str!("../constraints/bases/route.json"),
    include_str!("../constraints/bases/gateway_route.json"),
];

fn specs(kind: usize) -> Vec<Value> {
    let specs: Vec<Value> = serde_json::from_str(SPECS[kind]).unwrap();
    // Every name that is referred to becomes one that exists, every port the one that is listened on.
    let text = serde_json::to_string(&specs).unwrap();
    let text = [
        "plain-service",
        "second-service",
        "grpc-service",
        "router",
        "plain",
        "second",
    ]
    .iter()
    .fold(text, |text, name| {
        text.replace(&format!("\"{name}\""), "\"a\"")
    });
    let text = ["3000", "8088"]
        .iter()
        .fold(text, |text, port| text.replace(port, "80"));
    serde_json::from_str(&text).unwrap()
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2..3_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        name().prop_map(Value::from),
        (0..2_000_usize).prop_map(|length| Value::from("x{9}".repeat(length))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-z]{1,6}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// All the places of a value, itself first.
fn places(value: &Value, here: &str, places: &mut Vec<String>) {
    places.push(here.to_owned());
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                self::places(value, &format!("{here}/{name}"), places);
            }
        }
        Value::Array(entries) => {
            for (index, value) in entries.iter().enumerate() {
                self::places(value, &format!("{here}/{index}"), places);
            }
        }
        _ => {}
    }
}

/// A spec of the kind, most often a valid one, else with something else in one place.
fn spec(kind: usize) -> impl Strategy<Value = Value> {
    let change = prop::option::weighted(0.4, (any::<prop::sample::Index>(), anything()));
    (prop::sample::select(specs(kind)), change).prop_map(|(mut spec, change)| {
        if let Some((index, value)) = change {
            let mut all = Vec::new();
            places(&spec, "", &mut all);
            let place: &String = index.get(&all);
            *spec.pointer_mut(place).unwrap() = value;
        }
        spec
    })
}

fn query() -> impl Strategy<Value = String> {
    let arn = "arn:aws:appmesh:eu-west-1:123456789012:mesh/a";
    let parameter = prop_oneof![
        any::<u8>().prop_map(|limit| format!("limit={limit}")),
        "\\PC{0,6}".prop_map(|token| format!("nextToken={}", encoded(&token))),
        Just("meshOwner=123456789012".to_owned()),
        Just("meshOwner=210987654321".to_owned()),
        prop::sample::select(vec![
            "",
            "/virtualNode/a",
            "/virtualRouter/a/route/a",
            "/x",
            "/"
        ])
        .prop_map(move |rest| format!("resourceArn={arn}{rest}")),
        "[a-zA-Z=&%+]{0,8}",
    ];
    vec(parameter, 0..3).prop_map(|parameters| parameters.join("&"))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn with_query(path: String, query: &str) -> String {
    format!("{path}?{query}")
}

/// A request for one of the operations.
fn known() -> impl Strategy<Value = Asked> {
    let kinds = 0..COLLECTIONS.len();
    // What is created needs a new name, what it stands in one that exists.
    let own = prop_oneof![name(), Just("b".to_owned())];
    let names = (parent_name(), parent_name(), own);
    let query = prop_oneof![3 => Just(String::new()), 1 => query()];
    let rest = (0..5_usize, query, prop::option::weighted(0.2, "[a-c]"));
    (kinds, names, rest)
        .prop_flat_map(|(kind, names, rest)| {
            (
                Just(kind),
                Just(names),
                Just(rest),
                spec(kind),
                prop::option::weighted(0.2, anything()),
            )
        })
        .prop_map(
            |(kind, (mesh, parent, name), (verb, query, token), spec, tags)| {
                let (collection, member) = COLLECTIONS[kind];
                let place = [mesh, parent]
                    .iter()
                    .fold(collection.to_owned(), |path, name| {
                        path.replacen("{}", &encoded(name), 1)
                    });
                let collection = format!("/v20190125/{place}");
                let resource = format!("{collection}/{}", encoded(&name));
                let mut body = Map::from_iter([("spec".to_owned(), spec)]);
                body.extend(token.map(|token| ("clientToken".to_owned(), json!(token))));
                body.extend(tags.map(|tags| ("tags".to_owned(), tags)));
                let (method, path, body) = match verb {
                    0 => {
                        body.insert(member.to_owned(), json!(name));
                        ("PUT", collection, Some(body))
                    }
                    1 => ("PUT", resource, Some(body)),
                    2 => ("DELETE", resource, None),
                    3 => ("GET", resource, None),
                    _ => ("GET", collection, None),
                };
                let body =
                    body.map_or_else(Vec::new, |body| Value::Object(body).to_string().into());
                let target = with_query(path, &query);
                Asked {
                    method,
                    target,
                    body,
                }
            },
        )
}

fn about_tags() -> impl Strategy<Value = Asked> {
    let operations = vec![("PUT", "tag"), ("PUT", "untag"), ("GET", "tags")];
    let tag = json!({ "key": "k", "value": "v" });
    let body = prop_oneof![
        anything(),
        anything().prop_map(|tags| json!({ "tags": tags })),
        anything().prop_map(|keys| json!({ "tagKeys": keys })),
        (0..60_usize).prop_map(move |count| json!({ "tags": vec![&tag; count] })),
    ];
    (prop::sample::select(operations), query(), body).prop_map(|((method, path), query, body)| {
        Asked {
            method,
            target: with_query(format!("/v20190125/{path}"), &query),
            body: body.to_string().into(),
        }
    })
}

fn unknown() -> impl Strategy<Value = Asked> {
    let methods = vec!["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"];
    let path = "(/(v20190125|meshes|a|virtualNodes|routes|[a-z%/.]{0,5})){0,6}/";
    let body = vec(any::<u8>(), 0..40);
    (prop::sample::select(methods), path, query(), body).prop_map(|(method, path, query, body)| {
        Asked {
            method,
            target: with_query(path, &query),
            body,
        }
    })
}

/// What is asked has to be carried out often enough, or nothing would be tested but refusals.
#[test]
fn many_of_the_requests_are_carried_out() {
    let mut runner = TestRunner::deterministic();
    let (requests, mut done) = (known(), 0);
    for _ in 0..600 {
        let Asked {
            method,
            target,
            body,
        } = requests.new_tree(&mut runner).unwrap().current();
        let status = Checked::default().ask(method.as_bytes(), target.as_bytes(), &body);
        done += usize::from(method != "GET" && status == Some(200));
    }
    assert!(done > 40, "only {done} of 600 requests changed the mesh");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_requests_leave_a_whole_mesh_and_get_an_answer(
        requests in vec(prop_oneof![12 => known(), 2 => about_tags(), 1 => unknown()], 1..30),
    ) {
        let checked = Checked::default();
        for Asked { method, target, body } in &requests {
            checked.ask(method.as_bytes(), target.as_bytes(), body);
        }
        checked.assert_whole();
    }
}
