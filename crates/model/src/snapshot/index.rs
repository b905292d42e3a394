//! What follows from the resources of a snapshot, kept so that nobody has to look at all of them to find it.
//!
//! Two snapshots with the same resources have the same index, however they came to be: nothing empty is kept.

use rpds::{HashTrieMapSync, RedBlackTreeSetSync};

use crate::id::{LocalId, ResourceId};
use crate::resource::Resource;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// How many resources a collection has.
    sizes: HashTrieMapSync<ResourceId, usize>,
    /// Who refers to a resource: names within the mesh that both are in.
    referrers: HashTrieMapSync<ResourceId, RedBlackTreeSetSync<LocalId>>,
}

impl Index {
    pub(super) fn size(&self, collection: &ResourceId) -> usize {
        self.sizes.get(collection).copied().unwrap_or(0)
    }

    pub(super) fn referrers(&self, id: &ResourceId) -> Option<&RedBlackTreeSetSync<LocalId>> {
        self.referrers.get(id)
    }

    /// The index after a resource has taken the place of another; no resource at all counts as one, too.
    pub(super) fn replace(&self, before: Option<&Resource>, after: Option<&Resource>) -> Self {
        let mut index = self.clone();
        match (before, after) {
            (None, Some(added)) => index.resize(&added.id, |size| size + 1),
            (Some(removed), None) => index.resize(&removed.id, |size| size.saturating_sub(1)),
            _ => {}
        }
        if let Some(before) = before {
            index.forget_references(before);
        }
        if let Some(after) = after {
            index.add_references(after);
        }
        index
    }

    fn resize(&mut self, id: &ResourceId, change: impl FnOnce(usize) -> usize) {
        let collection = id.collection();
        match change(self.size(&collection)) {
            0 => self.sizes.remove_mut(&collection),
            size => {
                self.sizes.insert_mut(collection, size);
                true
            }
        };
    }

    fn add_references(&mut self, resource: &Resource) {
        for target in resource.spec.references(&resource.id.mesh) {
            let referrers = self.referrers.get(&target).cloned().unwrap_or_default();
            let referrers = referrers.insert(resource.id.local.clone());
            self.referrers.insert_mut(target, referrers);
        }
    }

    fn forget_references(&mut self, resource: &Resource) {
        for target in resource.spec.references(&resource.id.mesh) {
            let Some(referrers) = self.referrers.get(&target) else {
                continue;
            };
            let referrers = referrers.remove(&resource.id.local);
            if referrers.is_empty() {
                self.referrers.remove_mut(&target);
            } else {
                self.referrers.insert_mut(target, referrers);
            }
        }
    }
}
