//! CloudFormation templates, in YAML or JSON; what the SAM and the CDK make are templates as well.
//!
//! Only `AWS::AppMesh::*` resources are read, and only their functions are evaluated: other resources may
//! use what is not known here. Where a function needs what only a running stack had (the address of a load
//! balancer, say), the resource is refused, and the hint names the option that gives the value.

mod condition;
mod dynamic;
mod evaluate;
mod function;
mod reference;
mod resource;
mod substitute;
mod truth;
pub(crate) mod write;

use crate::document::{Note, Reading, Refusal};
use crate::options::Options;
use crate::read::Tree;
use crate::tree::Node;
use evaluate::{Problem, Template, World};

pub(crate) fn is_template(root: &Node) -> bool {
    let has_types = || {
        let resources = root.get("Resources").map_or(&[][..], Node::members);
        resources
            .iter()
            .any(|(_, resource)| resource.get("Type").is_some())
    };
    root.get("AWSTemplateFormatVersion").is_some() || has_types()
}

pub(crate) fn read(mut trees: Vec<Tree>, options: &Options) -> Reading {
    for tree in &mut trees {
        truth::canonicalise(&mut tree.root);
    }
    let trees = trees.as_slice();
    let world = World::new(trees, options);
    let mut reading = Reading::default();
    for tree in trees {
        let template = world.template(tree);
        match tree.root.get("Resources") {
            Some(resources) => {
                for (logical_id, node) in resources.members() {
                    resource(&template, logical_id, node, tree, &mut reading);
                }
            }
            None => reading.refuse(
                tree.place(tree.root.line),
                "the template",
                "has no Resources",
            ),
        }
    }
    reading.remarks.extend(unused_parameters(trees, options));
    reading
}

fn resource(
    template: &Template<'_>,
    logical_id: &str,
    node: &Node,
    tree: &Tree,
    reading: &mut Reading,
) {
    let place = tree.place(node.line);
    let kind = node.text_at("Type").unwrap_or_default();
    if logical_id.starts_with("Fn::") {
        let reason = "is not read: import what the transform makes of the template";
        return reading.refuse(place, logical_id, reason);
    }
    let Some(app_mesh) = kind.strip_prefix(resource::PREFIX) else {
        let text = format!("is an {kind}, no part of a mesh");
        return reading.ignore(place, logical_id, text);
    };
    let what = format!("{logical_id} ({app_mesh})");
    match resource::read(template, logical_id, node, tree) {
        Ok(Some(read)) => {
            reading.documents.push(read.document);
            let remarks = read.remarks.into_iter();
            reading.remarks.extend(remarks.map(|text| Note {
                place: place.clone(),
                what: what.clone(),
                text,
            }));
        }
        Ok(None) => reading.ignore(place, what, "its condition is false"),
        Err(Problem { line, reason, hint }) => reading.refused.push(Refusal {
            place: tree.place(if line == 0 { node.line } else { line }),
            what,
            reason,
            hint,
        }),
    }
}

/// A parameter that no template has is a typing error.
fn unused_parameters(trees: &[Tree], options: &Options) -> Vec<Note> {
    let Some(first) = trees.first() else {
        return Vec::new();
    };
    let is_unused = |name: &&String| {
        trees
            .iter()
            .all(|tree| tree.root.at(&["Parameters", name]).is_none())
    };
    let unused = options.parameters.keys().filter(is_unused);
    unused
        .map(|name| Note {
            place: first.place(first.root.line),
            what: format!("parameter {name}"),
            text: "is given, but no template has it".to_owned(),
        })
        .collect()
}
