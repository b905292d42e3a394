//! All objects that are read together, as a cluster would hold them.

use std::collections::BTreeMap;

use super::{GROUP, VERSION};
use crate::document::Reading;
use crate::options::Options;
use crate::read::Tree;
use crate::tree::Node;

/// The kinds that become resources, and the one that only lists some.
const KINDS: [&str; 7] = [
    "Mesh",
    "VirtualNode",
    "VirtualRouter",
    "VirtualService",
    "VirtualGateway",
    "GatewayRoute",
    "BackendGroup",
];

pub(super) struct Cluster<'a> {
    pub(super) objects: Vec<Object<'a>>,
    /// The labels of the namespaces that were read.
    pub(super) namespaces: BTreeMap<&'a str, Option<&'a Node>>,
    pub(super) options: &'a Options,
}

/// One object of the controller's group.
pub(super) struct Object<'a> {
    pub(super) tree: &'a Tree,
    pub(super) node: &'a Node,
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
}

impl<'a> Cluster<'a> {
    pub(super) fn new(trees: &'a [Tree], options: &'a Options, reading: &mut Reading) -> Self {
        let mut cluster = Self {
            objects: Vec::new(),
            namespaces: BTreeMap::new(),
            options,
        };
        for tree in trees {
            cluster.add(&tree.root, tree, reading);
        }
        cluster
    }

    fn add(&mut self, node: &'a Node, tree: &'a Tree, reading: &mut Reading) {
        let place = tree.place(node.line);
        let text = |name: &str| node.text_at(name).unwrap_or_default();
        let (version, kind) = (text("apiVersion"), text("kind"));
        if kind.ends_with("List") && node.get("items").is_some() {
            for item in node.get("items").map_or(&[][..], Node::items) {
                self.add(item, tree, reading);
            }
            return;
        }
        let metadata = |name: &str| node.get("metadata")?.text_at(name);
        let name = metadata("name").unwrap_or_default();
        let what = format!("{kind} {name}");
        if version == "v1" && kind == "Namespace" {
            self.namespaces
                .insert(name, node.at(&["metadata", "labels"]));
            return;
        }
        if !version.starts_with(GROUP) {
            return reading.ignore(place, what, "is no part of a mesh");
        }
        if version != VERSION {
            let reason = format!("is of {version}, only {VERSION} is read");
            return reading.refuse(place, what, reason);
        }
        if !KINDS.contains(&kind) {
            return reading.refuse(place, what, "is of no kind that the controller has");
        }
        if name.is_empty() {
            return reading.refuse(place, what, "metadata.name is required");
        }
        let default = self.options.namespace.as_deref().unwrap_or("default");
        self.objects.push(Object {
            tree,
            node,
            kind,
            name,
            namespace: metadata("namespace").unwrap_or(default),
        });
    }

    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Object<'a>> {
        let objects = self.objects.iter();
        objects.filter(move |object| object.kind == kind)
    }

    pub(super) fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object<'a>> {
        self.of_kind(kind)
            .find(|object| object.namespace == namespace && object.name == name)
    }
}

impl<'a> Object<'a> {
    pub(super) fn spec(&self) -> Option<&'a Node> {
        self.node.get("spec")
    }

    /// A member of the spec.
    pub(super) fn get(&self, member: &str) -> Option<&'a Node> {
        self.spec()?.get(member)
    }

    /// The name that the controller gave the resource in App Mesh.
    pub(super) fn aws_name(&self) -> String {
        match self.get("awsName").and_then(Node::as_text) {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => default_name(self.kind, self.namespace, self.name),
        }
    }
}

/// What the controller calls a resource whose object does not say.
pub(super) fn default_name(kind: &str, namespace: &str, name: &str) -> String {
    match kind {
        "Mesh" => name.to_owned(),
        "VirtualService" => format!("{name}.{namespace}"),
        _ => format!("{name}_{namespace}"),
    }
}
