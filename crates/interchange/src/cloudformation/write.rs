//! A mesh as a CloudFormation template, in JSON, which is YAML as well.
//!
//! Names are written out, so that nothing but this file is needed to read it; `DependsOn` gives
//! CloudFormation the order that references would have given it. What it has no property for stands in each
//! resource's metadata.

use std::collections::{BTreeMap, BTreeSet};

use model::spec::VirtualServiceProvider;
use model::{Resource, ResourceId, Spec};
use serde_json::{Map, Value, json};

use super::resource::{METADATA, PREFIX, name_property, parent_property};
use crate::command_line::write::{metadata, spec};

/// Members whose property is not just the member with a capital.
const ACRONYMS: [(&str, &str); 9] = [
    ("acm", "ACM"),
    ("awsCloudMap", "AWSCloudMap"),
    ("dns", "DNS"),
    ("grpc", "GRPC"),
    ("http", "HTTP"),
    ("http2", "HTTP2"),
    ("sds", "SDS"),
    ("tcp", "TCP"),
    ("tls", "TLS"),
];

pub fn template<'a>(
    resources: impl IntoIterator<Item = &'a Resource>,
    region: &str,
    account: &str,
) -> String {
    let resources: Vec<&Resource> = resources.into_iter().collect();
    let logical_ids = logical_ids(&resources);
    let written: Map<String, Value> = resources
        .iter()
        .filter_map(|resource| {
            let logical_id = logical_ids.get(&resource.id)?;
            let mut written = json!({
                "Type": format!("{PREFIX}{}", resource.id.kind()),
                "Properties": properties(resource),
                "Metadata": { METADATA: metadata(resource, region, account) },
            });
            let needed: BTreeSet<&String> = needs(resource)
                .iter()
                .filter_map(|id| logical_ids.get(id))
                .collect();
            if !needed.is_empty() {
                written["DependsOn"] = json!(needed);
            }
            Some((logical_id.clone(), written))
        })
        .collect();
    let template = json!({ "AWSTemplateFormatVersion": "2010-09-09", "Resources": written });
    format!("{template:#}\n")
}

/// Letters and digits, each id once.
fn logical_ids(resources: &[&Resource]) -> BTreeMap<ResourceId, String> {
    let mut used = BTreeSet::new();
    let mut ids = BTreeMap::new();
    for resource in resources {
        let mut wanted = resource.id.kind().name().to_owned();
        for word in resource
            .id
            .name()
            .split(|c: char| !c.is_ascii_alphanumeric())
        {
            wanted += &capitalised(word);
        }
        wanted.truncate(200);
        let mut logical_id = wanted.clone();
        let mut number = 2_usize;
        while !used.insert(logical_id.clone()) {
            logical_id = format!("{wanted}x{number}");
            number += 1;
        }
        ids.insert(resource.id.clone(), logical_id);
    }
    ids
}

fn properties(resource: &Resource) -> Value {
    let id = &resource.id;
    let kind = id.kind();
    let mut properties = Map::new();
    let mut add = |name: &str, value: Value| properties.insert(name.to_owned(), value);
    add("MeshName", id.mesh.clone().into());
    add(name_property(kind), id.name().into());
    if let (Some(property), Some(parent)) = (parent_property(kind), id.parent()) {
        add(property, parent.name().into());
    }
    add("Spec", capitalised_members(spec(resource)));
    let tags = resource.tags.iter();
    let tags = tags.map(|(key, value)| json!({ "Key": key, "Value": value }));
    add("Tags", tags.collect());
    Value::Object(properties)
}

fn capitalised_members(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (property(&name), capitalised_members(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(capitalised_members).collect(),
        value => value,
    }
}

fn property(member: &str) -> String {
    let acronym = ACRONYMS.iter().find(|(name, _)| *name == member);
    acronym.map_or_else(
        || capitalised(member),
        |(_, property)| (*property).to_owned(),
    )
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// What must be there before the resource is made.
fn needs(resource: &Resource) -> Vec<ResourceId> {
    let id = &resource.id;
    let mesh = &id.mesh;
    let parent = id.parent().into_iter();
    let referred: Vec<ResourceId> = match &resource.spec {
        Spec::VirtualService(spec) => {
            let provider = spec.provider.as_ref().map(|provider| match provider {
                VirtualServiceProvider::VirtualNode(provider) => {
                    ResourceId::virtual_node(mesh, &provider.virtual_node_name)
                }
                VirtualServiceProvider::VirtualRouter(provider) => {
                    ResourceId::virtual_router(mesh, &provider.virtual_router_name)
                }
            });
            provider.into_iter().collect()
        }
        Spec::Route(spec) => {
            let targets = spec.targets().iter();
            targets
                .map(|target| ResourceId::virtual_node(mesh, &target.virtual_node))
                .collect()
        }
        Spec::GatewayRoute(spec) => {
            let target = spec.target().into_iter();
            target
                .map(|target| &target.virtual_service.virtual_service_name)
                .map(|service| ResourceId::virtual_service(mesh, service))
                .collect()
        }
        _ => Vec::new(),
    };
    parent.chain(referred).collect()
}
