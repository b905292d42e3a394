//! References between objects, as names of App Mesh.

use super::cluster::{Cluster, Object, default_name};
use crate::tree::{Node, Value};
use crate::typed::{Mismatch, shortened};

impl Cluster<'_> {
    /// The node with names in place of references, and without empty lists, which the controller never sent.
    pub(super) fn resolved(&self, node: &Node, object: &Object<'_>) -> Result<Node, Mismatch> {
        let line = node.line;
        match &node.value {
            Value::Null | Value::Scalar(_) => Ok(node.clone()),
            Value::List(items) => {
                let items = items.iter().map(|item| self.resolved(item, object));
                Ok(Node::list(line, items.collect::<Result<_, _>>()?))
            }
            Value::Map(members) => {
                let is_target = node.get("weight").is_some();
                let mut resolved = Vec::with_capacity(members.len());
                for (name, member) in members {
                    if member.is_null() || member.value == Value::List(Vec::new()) {
                        continue;
                    }
                    let entry = match referred(name) {
                        Some((kind, is_arn)) => {
                            let text = match is_arn {
                                true => name_in_arn(member, kind)?,
                                false => self.name_of(member, kind, object)?,
                            };
                            (
                                named(kind, is_target).to_owned(),
                                Node::text(member.line, text),
                            )
                        }
                        None => (name.clone(), self.resolved(member, object)?),
                    };
                    resolved.push(entry);
                }
                Ok(Node::map(line, resolved))
            }
        }
    }

    /// The name in App Mesh of what a reference in `object` means.
    pub(super) fn name_of(
        &self,
        reference: &Node,
        kind: &str,
        object: &Object<'_>,
    ) -> Result<String, Mismatch> {
        let Some(name) = reference.text_at("name").filter(|name| !name.is_empty()) else {
            return Err(Mismatch::at(reference.line, "a reference needs a name"));
        };
        let namespace = reference.text_at("namespace");
        let namespace = namespace.filter(|namespace| !namespace.is_empty());
        let namespace = namespace.unwrap_or(object.namespace);
        let found = self.find(kind, namespace, name);
        Ok(found.map_or_else(|| default_name(kind, namespace, name), Object::aws_name))
    }
}

/// What a member refers to, and whether by ARN.
fn referred(member: &str) -> Option<(&'static str, bool)> {
    Some(match member {
        "virtualNodeRef" => ("VirtualNode", false),
        "virtualRouterRef" => ("VirtualRouter", false),
        "virtualServiceRef" => ("VirtualService", false),
        "virtualNodeARN" => ("VirtualNode", true),
        "virtualRouterARN" => ("VirtualRouter", true),
        "virtualServiceARN" => ("VirtualService", true),
        _ => return None,
    })
}

/// The service model's member for the name; a weighted target has a shorter one.
fn named(kind: &str, is_target: bool) -> &'static str {
    match kind {
        "VirtualNode" if is_target => "virtualNode",
        "VirtualNode" => "virtualNodeName",
        "VirtualRouter" => "virtualRouterName",
        _ => "virtualServiceName",
    }
}

/// `arn:aws:appmesh:eu-west-1:111122223333:mesh/M/virtualNode/NAME`.
fn name_in_arn(node: &Node, kind: &str) -> Result<String, Mismatch> {
    let arn = node.as_text().unwrap_or_default();
    let path = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let mut segments = path.splitn(4, '/').skip(2);
    match (segments.next(), segments.next()) {
        (Some(segment), Some(name)) if segment.eq_ignore_ascii_case(kind) => Ok(name.to_owned()),
        _ => {
            let reason = format!("`{}` is no ARN of a {kind}", shortened(arn));
            Err(Mismatch::at(node.line, reason))
        }
    }
}
