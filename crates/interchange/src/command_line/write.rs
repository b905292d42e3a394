//! Our own export: for each resource the input of the command that creates it, and its metadata.
//!
//! An `input` is what `aws appmesh OPERATION --cli-input-json` takes, so that an export is of use without
//! Serin too.

use model::{LocalId, Resource};
use serde_json::{Map, Value, json};

/// What an export calls itself.
pub(super) const FORMAT: &str = "serin.export.v1";

/// Resources in the order in which they can be created.
pub fn export<'a>(
    resources: impl IntoIterator<Item = &'a Resource>,
    region: &str,
    account: &str,
) -> String {
    let resources: Vec<Value> = resources
        .into_iter()
        .map(|resource| {
            json!({
                "operation": operation(resource),
                "input": input(resource),
                "metadata": metadata(resource, region, account),
            })
        })
        .collect();
    let export = json!({ "format": FORMAT, "resources": resources });
    format!("{export:#}\n")
}

fn operation(resource: &Resource) -> String {
    let mut operation = "create".to_owned();
    for character in resource.id.kind().name().chars() {
        if character.is_ascii_uppercase() {
            operation.push('-');
        }
        operation.push(character.to_ascii_lowercase());
    }
    operation
}

fn input(resource: &Resource) -> Value {
    let id = &resource.id;
    let mut input = Map::new();
    let mut name = |member: &str, name: &str| input.insert(member.to_owned(), name.into());
    name("meshName", &id.mesh);
    match &id.local {
        LocalId::Mesh => {}
        LocalId::VirtualNode(node) => drop(name("virtualNodeName", node)),
        LocalId::VirtualRouter(router) => drop(name("virtualRouterName", router)),
        LocalId::VirtualService(service) => drop(name("virtualServiceName", service)),
        LocalId::VirtualGateway(gateway) => drop(name("virtualGatewayName", gateway)),
        LocalId::Route {
            router,
            name: route,
        } => {
            name("virtualRouterName", router);
            name("routeName", route);
        }
        LocalId::GatewayRoute {
            gateway,
            name: route,
        } => {
            name("virtualGatewayName", gateway);
            name("gatewayRouteName", route);
        }
    }
    input.insert("spec".to_owned(), spec(resource));
    let tags = resource.tags.iter();
    let tags = tags.map(|(key, value)| json!({ "key": key, "value": value }));
    input.insert("tags".to_owned(), tags.collect());
    Value::Object(input)
}

/// The spec as the API has it.
pub(crate) fn spec(resource: &Resource) -> Value {
    // A spec's types have no keys but names, and no numbers but integers: it is always JSON.
    serde_json::to_value(resource.spec.wire()).unwrap_or_default()
}

/// The metadata as `describe-*` prints it.
pub(crate) fn metadata(resource: &Resource, region: &str, account: &str) -> Value {
    let metadata = &resource.metadata;
    json!({
        "arn": resource.id.arn(region, account).to_string(),
        "uid": metadata.uid,
        "version": metadata.version,
        "createdAt": metadata.created_at,
        "lastUpdatedAt": metadata.last_updated_at,
        "meshOwner": metadata.mesh_owner,
        "resourceOwner": metadata.resource_owner,
    })
}
