//! Valid inputs of every operation, as a client's library would be given them: labels, parameters and body together.
//!
//! They have to visit every place of every input shape, which a test makes sure of, and to keep the rules that the
//! service model does not state. Cases are made from them by breaking or stretching one value at a time.

use serde_json::{Value, json};

use crate::world::{ACCOUNT, PROTOCOLS, REGION};

/// A kind of resource, as operations and members call it.
struct Kind {
    name: &'static str,
    member: &'static str,
    /// The member that names its router or gateway, if it has one.
    parent: Option<&'static str>,
    /// A name that exists and may be deleted.
    idle: &'static str,
    specs: &'static str,
}

const KINDS: [Kind; 7] = [
    Kind {
        name: "Mesh",
        member: "meshName",
        parent: None,
        idle: "empty",
        specs: include_str!("bases/mesh.json"),
    },
    Kind {
        name: "VirtualNode",
        member: "virtualNodeName",
        parent: None,
        idle: "idle",
        specs: include_str!("bases/virtual_node.json"),
    },
    Kind {
        name: "VirtualRouter",
        member: "virtualRouterName",
        parent: None,
        idle: "idle",
        specs: include_str!("bases/virtual_router.json"),
    },
    Kind {
        name: "VirtualService",
        member: "virtualServiceName",
        parent: None,
        idle: "idle",
        specs: include_str!("bases/virtual_service.json"),
    },
    Kind {
        name: "VirtualGateway",
        member: "virtualGatewayName",
        parent: None,
        idle: "idle",
        specs: include_str!("bases/virtual_gateway.json"),
    },
    Kind {
        name: "Route",
        member: "routeName",
        parent: Some("virtualRouterName"),
        idle: "route",
        specs: include_str!("bases/route.json"),
    },
    Kind {
        name: "GatewayRoute",
        member: "gatewayRouteName",
        parent: Some("virtualGatewayName"),
        idle: "route",
        specs: include_str!("bases/gateway_route.json"),
    },
];

pub(crate) fn of(operation: &str) -> Vec<Value> {
    let arn = format!("arn:aws:appmesh:{REGION}:{ACCOUNT}:mesh/mesh/virtualNode/plain");
    match operation {
        "TagResource" => vec![json!({ "resourceArn": arn, "tags": tags() })],
        "UntagResource" => vec![json!({ "resourceArn": arn, "tagKeys": ["team"] })],
        "ListTagsForResource" => vec![json!({ "resourceArn": arn, "limit": 20 })],
        "ListMeshes" => vec![json!({ "limit": 20 })],
        _ => of_resource(operation),
    }
}

fn of_resource(operation: &str) -> Vec<Value> {
    let verbs = ["Create", "Describe", "Update", "Delete", "List"];
    let mut split = verbs
        .into_iter()
        .filter_map(|verb| Some((verb, operation.strip_prefix(verb)?)));
    let (verb, rest) = split.next().unwrap();
    let is_meant = |kind: &&Kind| rest.strip_suffix('s').unwrap_or(rest) == kind.name;
    let kind = KINDS.iter().find(is_meant);
    let kind = kind.unwrap_or_else(|| panic!("{operation} has no bases"));

    let mut inputs = match verb {
        "Create" | "Update" => with_specs(kind, verb),
        "List" => vec![merged(
            place_of(kind, "router", "gateway"),
            json!({ "limit": 20 }),
        )],
        _ => {
            let place = place_of(kind, "router", "gateway");
            vec![merged(place, json!({ kind.member: kind.idle }))]
        }
    };
    // A mesh's owner is asked for wherever another account could share it.
    if kind.name != "Mesh" || verb == "Describe" {
        for input in &mut inputs {
            input["meshOwner"] = json!(ACCOUNT);
        }
    }
    inputs
}

fn with_specs(kind: &Kind, verb: &str) -> Vec<Value> {
    let specs: Vec<Value> = serde_json::from_str(kind.specs).unwrap();
    let inputs = specs.into_iter().map(|spec| {
        let (router, gateway) = parents(&spec);
        let place = place_of(kind, &router, &gateway);
        let own = match verb {
            "Create" => json!({ kind.member: "fresh", "tags": tags() }),
            _ => json!({ kind.member: kind.idle }),
        };
        let rest = json!({ "clientToken": "token", "spec": spec });
        merged(merged(place, own), rest)
    });
    inputs.collect()
}

/// The labels of what the resource is in.
fn place_of(kind: &Kind, router: &str, gateway: &str) -> Value {
    match kind.parent {
        Some(parent @ "virtualRouterName") => json!({ "meshName": "mesh", parent: router }),
        Some(parent) => json!({ "meshName": "mesh", parent: gateway }),
        None => json!({ "meshName": "mesh" }),
    }
}

/// A router and a gateway that listen as the spec of a route needs it.
fn parents(spec: &Value) -> (String, String) {
    let speaks = |protocol: &str| spec.get(format!("{protocol}Route")).is_some();
    let protocol = PROTOCOLS.into_iter().find(|(_, protocol)| speaks(protocol));
    let has_many = spec.to_string().contains("\"many-");
    let many = if has_many { "many-" } else { "" };
    match protocol {
        Some((name, protocol)) if protocol != "http" || has_many => (
            format!("{many}{name}-router"),
            format!("{many}{name}-gateway"),
        ),
        // Of these two there are some with long and with short names as well.
        _ => ("router".to_owned(), "gateway".to_owned()),
    }
}

fn tags() -> Value {
    json!([{ "key": "team", "value": "shop" }])
}

fn merged(mut one: Value, other: Value) -> Value {
    let members = one.as_object_mut().unwrap();
    members.extend(other.as_object().unwrap().clone());
    one
}
