//! The bodies of answers: what the service model calls `<Resource>Data` and `<Resource>Ref`.
//!
//! A created, described, changed or deleted resource is the whole body, without an object around it: the
//! service model marks it as the payload. Times are numbers of seconds since the epoch.

use model::{Error, ErrorKind, Metadata, Resource, Timestamp};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// App Mesh also knows `INACTIVE`, which nothing here ever is: what is accepted takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    Active,
    Deleted,
}

/// `VirtualNodeData` and its six siblings.
pub(crate) struct Described<'r> {
    pub(crate) resource: &'r Resource,
    pub(crate) status: Status,
    pub(crate) region: &'r str,
}

/// `VirtualNodeRef` and its six siblings: an entry of a list.
pub(crate) struct Listed<'r> {
    pub(crate) resource: &'r Resource,
    pub(crate) region: &'r str,
}

/// A page of a list, in the member that the operation calls it.
pub(crate) struct List<T> {
    pub(crate) member: &'static str,
    pub(crate) entries: Vec<T>,
    pub(crate) next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetadata<'r> {
    arn: String,
    created_at: Timestamp,
    last_updated_at: Timestamp,
    mesh_owner: &'r str,
    resource_owner: &'r str,
    uid: &'r str,
    version: i64,
}

#[derive(Serialize)]
struct ResourceStatus {
    status: Status,
}

impl<'r> ResourceMetadata<'r> {
    fn of(resource: &'r Resource, region: &str) -> Self {
        let Metadata {
            uid,
            version,
            created_at,
            last_updated_at,
            mesh_owner,
            resource_owner,
        } = &resource.metadata;
        Self {
            arn: resource.id.arn(region, resource_owner).to_string(),
            created_at: *created_at,
            last_updated_at: *last_updated_at,
            mesh_owner,
            resource_owner,
            uid,
            version: *version,
        }
    }
}

impl Serialize for Described<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (resource, status) = (self.resource, self.status);
        let mut data = serializer.serialize_map(None)?;
        for (member, name) in resource.id.names() {
            data.serialize_entry(member, name)?;
        }
        data.serialize_entry("metadata", &ResourceMetadata::of(resource, self.region))?;
        data.serialize_entry("spec", &resource.spec.wire())?;
        data.serialize_entry("status", &ResourceStatus { status })?;
        data.end()
    }
}

impl Serialize for Listed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let metadata = ResourceMetadata::of(self.resource, self.region);
        let mut entry = serializer.serialize_map(None)?;
        for (member, name) in self.resource.id.names() {
            entry.serialize_entry(member, name)?;
        }
        entry.serialize_entry("arn", &metadata.arn)?;
        entry.serialize_entry("createdAt", &metadata.created_at)?;
        entry.serialize_entry("lastUpdatedAt", &metadata.last_updated_at)?;
        entry.serialize_entry("meshOwner", metadata.mesh_owner)?;
        entry.serialize_entry("resourceOwner", metadata.resource_owner)?;
        entry.serialize_entry("version", &metadata.version)?;
        entry.end()
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut page = serializer.serialize_map(None)?;
        page.serialize_entry(self.member, &self.entries)?;
        if let Some(token) = &self.next_token {
            page.serialize_entry("nextToken", token)?;
        }
        page.end()
    }
}

/// The body as text. Nothing that is answered can fail to be written, so a failure is a fault of ours.
pub(crate) fn write(body: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(body).map_err(|error| {
        tracing::error!(%error, "cannot write an answer");
        Error::new(
            ErrorKind::InternalServerError,
            "the answer could not be written",
        )
    })
}
