//! Terraform state (`terraform.tfstate`, version 4) and what `terraform show -json` prints of it.
//!
//! A structure is a list of one block, and a state cannot tell an absent value from an empty one: `""`, 0
//! and `[]` stand for what is not there. So a route's priority 0 is none, as the AWS provider never sent it.

use model::{Kind, LocalId, ResourceId};

use crate::document::{Document, History, Reading};
use crate::parts::{spec, tags, time};
use crate::read::Tree;
use crate::tree::{Node, Value};
use crate::typed::{Mismatch, TERRAFORM};

const PREFIX: &str = "aws_appmesh_";

pub(crate) fn is_state(root: &Node) -> bool {
    let is_state = root.get("version").is_some() && root.get("lineage").is_some();
    is_state || root.get("terraform_version").is_some()
}

pub(crate) fn read(trees: &[Tree]) -> Reading {
    let mut reading = Reading::default();
    for tree in trees {
        let root = &tree.root;
        if let Some(values) = root.get("values").or_else(|| root.get("planned_values")) {
            if let Some(module) = values.get("root_module") {
                shown_module(module, tree, &mut reading);
            }
        } else if root.text_at("version") == Some("4") {
            for resource in root.get("resources").map_or(&[][..], Node::items) {
                state_resource(resource, tree, &mut reading);
            }
        } else {
            let reason = "is no Terraform state of version 4: Terraform 0.12 or later writes one";
            reading.refuse(tree.place(root.line), "the state", reason);
        }
    }
    reading
}

/// A module as `terraform show -json` prints it, with the modules in it.
fn shown_module(module: &Node, tree: &Tree, reading: &mut Reading) {
    for resource in module.get("resources").map_or(&[][..], Node::items) {
        let address = resource.text_at("address").unwrap_or("a resource");
        instance(resource, resource.get("values"), address, tree, reading);
    }
    for module in module.get("child_modules").map_or(&[][..], Node::items) {
        shown_module(module, tree, reading);
    }
}

/// A resource of a state file, with all its instances.
fn state_resource(resource: &Node, tree: &Tree, reading: &mut Reading) {
    let text = |name: &str| resource.text_at(name).unwrap_or_default();
    let module = match text("module") {
        "" => String::new(),
        module => format!("{module}."),
    };
    let address = format!("{module}{}.{}", text("type"), text("name"));
    for found in resource.get("instances").map_or(&[][..], Node::items) {
        let address = match found.text_at("index_key") {
            Some(key) => format!("{address}[{key}]"),
            None => address.clone(),
        };
        if found.get("deposed").is_some() {
            reading.ignore(tree.place(found.line), address, "was replaced");
            continue;
        }
        instance(resource, found.get("attributes"), &address, tree, reading);
    }
}

fn instance(
    resource: &Node,
    attributes: Option<&Node>,
    address: &str,
    tree: &Tree,
    reading: &mut Reading,
) {
    let place = tree.place(attributes.map_or(resource.line, |attributes| attributes.line));
    let Some(name) = resource
        .text_at("type")
        .and_then(|kind| kind.strip_prefix(PREFIX))
    else {
        return reading.ignore(place, address, "is no part of a mesh");
    };
    if resource.text_at("mode") == Some("data") {
        return reading.ignore(place, address, "is a data source");
    }
    let Some(attributes) = attributes else {
        return reading.refuse(place, address, "has no attributes");
    };
    let read = match kind_of(name) {
        Some(kind) => document(kind, attributes, tree),
        None => Err(Mismatch::at(place.line, "is no resource of App Mesh")),
    };
    match read {
        Ok(document) => reading.documents.push(document),
        Err(mismatch) => {
            let place = tree.place(mismatch.line);
            reading.refuse(place, address, mismatch.to_string());
        }
    }
}

fn kind_of(name: &str) -> Option<Kind> {
    Some(match name {
        "mesh" => Kind::Mesh,
        "virtual_node" => Kind::VirtualNode,
        "virtual_router" => Kind::VirtualRouter,
        "virtual_service" => Kind::VirtualService,
        "virtual_gateway" => Kind::VirtualGateway,
        "route" => Kind::Route,
        "gateway_route" => Kind::GatewayRoute,
        _ => return None,
    })
}

fn document(kind: Kind, attributes: &Node, tree: &Tree) -> Result<Document, Mismatch> {
    let id = identify(kind, attributes)?;
    let nothing = Node::list(attributes.line, Vec::new());
    let spec_node = match (attributes.get("spec"), kind) {
        (Some(node), _) => node,
        (None, Kind::Mesh) => &nothing,
        (None, _) => return Err(Mismatch::at(attributes.line, "spec is required")),
    };
    // What the provider's defaults add is in `tags_all` alone.
    let all_tags = attributes
        .get("tags_all")
        .or_else(|| attributes.get("tags"));
    let all_tags = all_tags.map(|node| tags(node, TERRAFORM)).transpose()?;
    Ok(Document {
        spec: spec(kind, spec_node, TERRAFORM)?,
        tags: all_tags,
        history: history(kind, attributes)?,
        place: tree.place(attributes.line),
        id,
    })
}

fn identify(kind: Kind, attributes: &Node) -> Result<ResourceId, Mismatch> {
    let required = |attribute: &str| match attributes.text_at(attribute) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Mismatch::at(
            attributes.line,
            format!("{attribute} is required"),
        )),
    };
    let name = required("name")?;
    let parent = match kind {
        Kind::Mesh => return Ok(ResourceId::mesh(name)),
        Kind::Route => required("virtual_router_name")?,
        Kind::GatewayRoute => required("virtual_gateway_name")?,
        _ => String::new(),
    };
    let local = LocalId::of(kind, parent, name);
    Ok(ResourceId::new(required("mesh_name")?, local))
}

fn history(kind: Kind, attributes: &Node) -> Result<History, Mismatch> {
    let present = |name: &str| {
        let node = attributes.get(name)?;
        let is_text = matches!(&node.value, Value::Scalar(scalar) if !scalar.text.is_empty());
        is_text.then_some(node)
    };
    let text = |name: &str| Some(present(name)?.as_text()?.to_owned());
    Ok(History {
        arn: text("arn"),
        // The id of a mesh is its name, that of any other resource its uid.
        uid: text("id").filter(|_| kind != Kind::Mesh),
        version: None,
        created_at: present("created_date").map(time).transpose()?,
        last_updated_at: present("last_updated_date").map(time).transpose()?,
        mesh_owner: text("mesh_owner"),
        resource_owner: text("resource_owner"),
    })
}
