//! JSON as the `aws` command line prints and takes it.
//!
//! `describe-*` prints a resource under its kind (`{"virtualNode": {...}}`), other clients print it bare;
//! `--cli-input-json` of `create-*` and `update-*` holds the same members without the metadata, and so does
//! what [`write::export`] wrote. Lists of all of these are read as well. `list-*` prints names alone: it
//! tells only which resources are missing.

pub(crate) mod history;
mod resource;
pub(crate) mod write;

use std::collections::BTreeSet;

use model::{Kind, ResourceId};

use crate::document::{Place, Reading};
use crate::options::Options;
use crate::read::Tree;
use crate::tree::Node;
use crate::typed::shortened;

/// What stands beside resources in a response; boto3 adds the last one.
const BESIDE: [&str; 4] = ["nextToken", "resourceArn", "tagKeys", "ResponseMetadata"];

/// A resource that a list names.
struct Listed {
    id: ResourceId,
    place: Place,
}

pub(crate) fn read(trees: &[Tree], options: &Options) -> Reading {
    let mut reader = Reader {
        mesh: options.mesh.as_deref(),
        reading: Reading::default(),
        listed: Vec::new(),
    };
    for tree in trees {
        reader.value(&tree.root, tree);
    }
    let Reader {
        mut reading,
        listed,
        ..
    } = reader;
    let described: BTreeSet<&ResourceId> = reading
        .documents
        .iter()
        .map(|document| &document.id)
        .collect();
    let (described, missing): (Vec<_>, Vec<_>) = listed
        .into_iter()
        .partition(|listed| described.contains(&listed.id));
    for Listed { id, place } in described {
        reading.ignore(
            place,
            id.path(),
            "is named in a list, and described elsewhere",
        );
    }
    for Listed { id, place } in missing {
        let reason = "is only named: a list has no specs, import what `describe` printed";
        reading.refuse(place, id.path(), reason);
    }
    reading
}

struct Reader<'a> {
    /// The mesh of resources that name none.
    mesh: Option<&'a str>,
    reading: Reading,
    listed: Vec<Listed>,
}

impl Reader<'_> {
    fn value(&mut self, node: &Node, tree: &Tree) {
        if node.is_list() {
            for item in node.items() {
                self.value(item, tree);
            }
        } else if node.text_at("format") == Some(write::FORMAT) {
            for part in node.get("resources").map_or(&[][..], Node::items) {
                self.exported(part, tree);
            }
        } else if node.get("meshName").is_some() || node.get("spec").is_some() {
            self.payload(node, None, tree);
        } else if node.is_map() && !node.members().is_empty() {
            for (name, member) in node.members() {
                self.output(name, member, tree);
            }
        } else {
            self.unknown(node, "the text", tree);
        }
    }

    /// One member of what a command printed.
    fn output(&mut self, name: &str, node: &Node, tree: &Tree) {
        let place = tree.place(node.line);
        if Kind::ALL.iter().any(|kind| kind.segment() == name) {
            self.payload(node, None, tree);
        } else if is_list_of_a_kind(name) {
            for item in node.items() {
                self.payload(item, None, tree);
            }
        } else if name == "tags" {
            let text = "do not say which resource they belong to; \
                        put them beside its spec, as create's input has them";
            self.reading.ignore(place, "tags", text);
        } else if BESIDE.contains(&name) {
            self.reading.ignore(place, name, "describes no resource");
        } else {
            self.unknown(node, &format!("`{}`", shortened(name)), tree);
        }
    }

    fn unknown(&mut self, node: &Node, what: &str, tree: &Tree) {
        let place = tree.place(node.line);
        let reason = "is in none of the forms that are read";
        match tree.found {
            true => self.reading.ignore(place, what, reason),
            false => self.reading.refuse(place, what, reason),
        }
    }

    /// A resource as our own export wrote it.
    fn exported(&mut self, node: &Node, tree: &Tree) {
        match node.get("input") {
            Some(input) => self.payload(input, node.get("metadata"), tree),
            None => self
                .reading
                .refuse(tree.place(node.line), "input", "is required"),
        }
    }

    fn payload(&mut self, node: &Node, metadata: Option<&Node>, tree: &Tree) {
        let place = tree.place(node.line);
        let id = match resource::identify(node, self.mesh) {
            Ok(id) => id,
            Err(reason) => return self.reading.refuse(place, "a resource", reason),
        };
        // An item of a list: a describe's ARN stands in its metadata.
        if node.get("arn").is_some() && node.get("spec").is_none() {
            return self.listed.push(Listed { id, place });
        }
        if node.at(&["status", "status"]).and_then(Node::as_text) == Some("DELETED") {
            return self.reading.ignore(place, id.path(), "was deleted");
        }
        match resource::read(&id, node, metadata, tree) {
            Ok(document) => self.reading.documents.push(document),
            Err(mismatch) => {
                let place = tree.place(mismatch.line);
                self.reading.refuse(place, id.path(), mismatch.to_string());
            }
        }
    }
}

fn is_list_of_a_kind(name: &str) -> bool {
    let plural = |kind: &Kind| match kind {
        Kind::Mesh => "meshes".to_owned(),
        kind => format!("{}s", kind.segment()),
    };
    Kind::ALL.iter().any(|kind| plural(kind) == name)
}
