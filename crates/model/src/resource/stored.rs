//! The storage form of a resource, and its format number.
//!
//! Every format that was ever written stays readable: `testdata/` of this crate holds one resource of
//! each, and a test reads them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{Metadata, Resource};
use crate::id::{Kind, ResourceId};
use crate::share::Shares;
use crate::spec::Spec;

const FORMAT: u32 = 1;

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Stored {
    format: u32,
    id: ResourceId,
    spec: Spec,
    metadata: Metadata,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shares: Option<Shares>,
}

/// A stored resource that this version cannot use.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum StoredError {
    #[error("{id} is stored in format {format}, this version reads format {FORMAT}")]
    Format { id: ResourceId, format: u32 },
    #[error("{id} is stored with the spec of a {spec}")]
    Kind { id: ResourceId, spec: Kind },
}

impl From<Resource> for Stored {
    fn from(resource: Resource) -> Self {
        Self {
            format: FORMAT,
            id: resource.id,
            spec: resource.spec,
            metadata: resource.metadata,
            tags: resource.tags,
            shares: resource.shares,
        }
    }
}

impl TryFrom<Stored> for Resource {
    type Error = StoredError;

    fn try_from(stored: Stored) -> Result<Self, StoredError> {
        let (id, format, kind) = (stored.id, stored.format, stored.spec.kind());
        if format != FORMAT {
            return Err(StoredError::Format { id, format });
        }
        if kind != id.kind() {
            return Err(StoredError::Kind { id, spec: kind });
        }
        Ok(Self {
            id,
            spec: stored.spec,
            metadata: stored.metadata,
            tags: stored.tags,
            shares: stored.shares,
        })
    }
}
