//! From texts to resources: which format each text is in, and what all of them say together.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use model::ResourceId;

use crate::document::{Document, Place, Reading};
use crate::options::Options;
use crate::tree::{self, Node};
use crate::{cloudformation, command_line, kubernetes, terraform};

/// One text, and the name that messages call it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub name: String,
    pub text: String,
    /// It was found while looking for meshes: a text of another kind is ignored, not refused.
    pub found: bool,
}

/// A tree and the text it is from.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) file: String,
    pub(crate) root: Node,
    /// As in its [`Source`].
    pub(crate) found: bool,
}

impl Tree {
    pub(crate) fn place(&self, line: usize) -> Place {
        Place {
            file: self.file.clone(),
            line,
        }
    }
}

/// Reads all sources together, since one may refer to what another describes.
pub fn read(sources: &[Source], options: &Options) -> Reading {
    let mut reading = Reading::default();
    let mut templates = Vec::new();
    let mut objects = Vec::new();
    let mut states = Vec::new();
    let mut values = Vec::new();
    for source in sources {
        let (trees, malformed) = tree::parse(&source.text);
        for malformed in malformed {
            let place = Place {
                file: source.name.clone(),
                line: malformed.line,
            };
            match source.found && !names_app_mesh(&source.text) {
                true => reading.ignore(place, "the text", malformed.reason),
                false => reading.refuse(place, "the text", malformed.reason),
            }
        }
        for root in trees {
            let tree = Tree {
                file: source.name.clone(),
                root,
                found: source.found,
            };
            if tree.root.is_null() {
                continue;
            } else if cloudformation::is_template(&tree.root) {
                templates.push(tree);
            } else if kubernetes::is_object(&tree.root) {
                objects.push(tree);
            } else if terraform::is_state(&tree.root) {
                states.push(tree);
            } else {
                values.push(tree);
            }
        }
    }
    reading.extend(cloudformation::read(templates, options));
    reading.extend(kubernetes::read(&objects, options));
    reading.extend(terraform::read(&states));
    reading.extend(command_line::read(&values, options));
    once_each(reading)
}

/// Whether a text that cannot be read may have been meant to describe a mesh.
fn names_app_mesh(text: &str) -> bool {
    text.contains("meshName") || text.to_ascii_lowercase().contains("appmesh")
}

/// A resource may be described twice, but not in two ways.
fn once_each(mut reading: Reading) -> Reading {
    let mut first: BTreeMap<ResourceId, Document> = BTreeMap::new();
    let mut order = Vec::new();
    for document in std::mem::take(&mut reading.documents) {
        match first.entry(document.id.clone()) {
            Entry::Vacant(entry) => {
                order.push(document.id.clone());
                entry.insert(document);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                let what = document.id.path();
                if document.spec == known.spec && may_be_equal(&document.tags, &known.tags) {
                    let text = format!("is the same as at {}", known.place);
                    reading.ignore(document.place.clone(), what, text);
                    complete(known, document);
                } else {
                    let reason = format!("is described differently at {}", known.place);
                    reading.refuse(document.place, what, reason);
                }
            }
        }
    }
    reading.documents = order.iter().filter_map(|id| first.remove(id)).collect();
    reading
}

/// Only tags that both descriptions speak of can differ.
fn may_be_equal<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> bool {
    one.is_none() || other.is_none() || one == other
}

/// What only the second description of a resource knows.
fn complete(known: &mut Document, second: Document) {
    known.tags = known.tags.take().or(second.tags);
    let (history, more) = (&mut known.history, second.history);
    history.arn = history.arn.take().or(more.arn);
    history.uid = history.uid.take().or(more.uid);
    history.version = history.version.or(more.version);
    history.created_at = history.created_at.or(more.created_at);
    history.last_updated_at = history.last_updated_at.or(more.last_updated_at);
    history.mesh_owner = history.mesh_owner.take().or(more.mesh_owner);
    history.resource_owner = history.resource_owner.take().or(more.resource_owner);
}
