//! A stored resource: its name, its spec, and what the control plane knows about it.
//!
//! A resource serialises to its storage form, a JSON object that names its own format; the wire form
//! of the API is put together by the server. Reading refuses a spec of another kind than the
//! identifier's, so a resource that was read is of one piece.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::ResourceId;
use crate::share::Shares;
use crate::spec::Spec;

pub use self::stored::StoredError;
pub use self::timestamp::{Timestamp, TimestampError};

mod stored;
mod timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "stored::Stored", into = "stored::Stored")]
pub struct Resource {
    pub id: ResourceId,
    /// Of the identifier's kind.
    pub spec: Spec,
    pub metadata: Metadata,
    pub tags: BTreeMap<String, String>,
    /// Exact shares of a route that a release splits.
    pub shares: Option<Shares>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    pub uid: String,
    /// 1 when created, and one more with every change, deletion included.
    pub version: i64,
    pub created_at: Timestamp,
    pub last_updated_at: Timestamp,
    /// The account that owns the mesh.
    pub mesh_owner: String,
    /// The account that made the resource; another than the mesh's owner in a shared mesh.
    pub resource_owner: String,
}

impl Metadata {
    /// Of a resource that is made now, by its mesh's owner.
    pub fn new(uid: impl Into<String>, owner: impl Into<String>, now: Timestamp) -> Self {
        let owner = owner.into();
        Self {
            uid: uid.into(),
            version: 1,
            created_at: now,
            last_updated_at: now,
            mesh_owner: owner.clone(),
            resource_owner: owner,
        }
    }

    /// The same after one more change.
    pub fn changed(&self, now: Timestamp) -> Self {
        Self {
            version: self.version + 1,
            last_updated_at: now,
            ..self.clone()
        }
    }
}

impl Resource {
    /// Untagged, and without shares.
    pub fn new(id: ResourceId, spec: impl Into<Spec>, metadata: Metadata) -> Self {
        Self {
            id,
            spec: spec.into(),
            metadata,
            tags: BTreeMap::new(),
            shares: None,
        }
    }
}
