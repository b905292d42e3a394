//! A set of changes that is checked as it grows: each against the world as the ones before it left it.
//!
//! What comes out is ready to be committed as one: every resource with its metadata, and the version it
//! replaces, so that the store can refuse it if somebody else was faster.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::id::ResourceId;
use crate::resource::{Metadata, Resource, Timestamp};
use crate::share::Shares;
use crate::snapshot::Snapshot;
use crate::spec::Spec;
use crate::{Error, rules};

/// Who changes the world, and when.
#[derive(Clone, Debug)]
pub struct Author {
    /// The account that owns what is made.
    pub account: String,
    pub now: Timestamp,
    /// Makes a new resource's unique id.
    pub uid: fn() -> String,
}

#[derive(Clone, Debug)]
pub struct Draft {
    before: Snapshot,
    after: Snapshot,
    author: Author,
    touched: BTreeSet<ResourceId>,
}

/// One resource's change; neither side is absent in an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceChange {
    pub id: ResourceId,
    pub before: Option<Arc<Resource>>,
    pub after: Option<Arc<Resource>>,
}

impl Draft {
    pub fn new(snapshot: &Snapshot, author: Author) -> Self {
        Self {
            before: snapshot.clone(),
            after: snapshot.clone(),
            author,
            touched: BTreeSet::new(),
        }
    }

    /// The world as the changes so far leave it.
    pub fn snapshot(&self) -> &Snapshot {
        &self.after
    }

    /// Creates the resource, or updates it to this spec; nothing changes if it has that already.
    pub fn put(&mut self, id: ResourceId, spec: impl Into<Spec>) -> Result<(), Error> {
        self.put_with_shares(id, spec, None)
    }

    /// The same for a route whose exact shares stand beside its spec.
    pub fn put_with_shares(
        &mut self,
        id: ResourceId,
        spec: impl Into<Spec>,
        shares: Option<Shares>,
    ) -> Result<(), Error> {
        let spec = spec.into();
        let resource = match self.after.get(&id) {
            Some(current) if current.spec == spec && current.shares == shares => return Ok(()),
            Some(current) => {
                rules::update(&self.after, &id, &spec)?;
                Resource {
                    spec,
                    shares,
                    metadata: current.metadata.changed(self.author.now),
                    ..Resource::clone(current)
                }
            }
            None => {
                rules::create(&self.after, &id, &spec)?;
                let metadata =
                    Metadata::new((self.author.uid)(), &self.author.account, self.author.now);
                Resource {
                    shares,
                    ..Resource::new(id.clone(), spec, metadata)
                }
            }
        };
        self.after = self.after.insert(resource);
        self.touched.insert(id);
        Ok(())
    }

    /// Deletes the resource; nothing changes if there is none.
    pub fn remove(&mut self, id: &ResourceId) -> Result<(), Error> {
        if self.after.contains(id) {
            rules::delete(&self.after, id)?;
            self.after = self.after.remove(id);
            self.touched.insert(id.clone());
        }
        Ok(())
    }

    /// What changed in the end, in the order of identifiers.
    pub fn finish(self) -> Vec<ResourceChange> {
        let changes = self.touched.into_iter().map(|id| ResourceChange {
            before: self.before.get(&id).cloned(),
            after: self.after.get(&id).cloned(),
            id,
        });
        changes
            .filter(|change| change.before != change.after)
            .collect()
    }
}
