//! What is exported reads back as it was, in both forms, with nothing refused.

use std::collections::BTreeMap;

use interchange::{Document, History, write};
use model::{Kind, LocalId, Metadata, Resource, ResourceId, Spec, Timestamp};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::strategy;
use crate::world::documents;

const REGION: &str = "eu-west-1";
const ACCOUNT: &str = "111122223333";

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9_.-]{1,12}",
        vec(any::<char>(), 1..20).prop_map(|name| name.into_iter().collect::<String>()),
    ]
}

fn id(kind: Kind) -> impl Strategy<Value = ResourceId> {
    (name(), name(), name()).prop_map(move |(mesh, parent, name)| {
        ResourceId::new(mesh, LocalId::of(kind, parent, name))
    })
}

fn resource() -> impl Strategy<Value = Resource> {
    let spec = strategy::spec();
    let identified = spec.prop_flat_map(|spec: Spec| (id(spec.kind()), Just(spec)));
    let tags = btree_map("[^:]{1,20}", "\\PC{0,20}", 0..4);
    let time = 0..4_000_000_000_000_i64;
    (
        identified,
        tags,
        "[0-9a-f-]{1,36}",
        1..i64::MAX,
        time.clone(),
        time,
    )
        .prop_map(
            |((id, spec), tags, uid, version, created, updated)| Resource {
                tags,
                ..Resource::new(
                    id,
                    spec,
                    Metadata {
                        version,
                        created_at: Timestamp::from_millis(created),
                        last_updated_at: Timestamp::from_millis(updated),
                        ..Metadata::new(uid, ACCOUNT, Timestamp::default())
                    },
                )
            },
        )
}

/// Resources of different names, in the order of a snapshot.
fn mesh() -> impl Strategy<Value = Vec<Resource>> {
    vec(resource(), 0..6).prop_map(|resources| {
        let resources = resources.into_iter();
        let by_id: BTreeMap<ResourceId, Resource> = resources
            .map(|resource| (resource.id.clone(), resource))
            .collect();
        by_id.into_values().collect()
    })
}

/// What is said of a resource, without the place where it is said.
fn said(document: &Document) -> Resource {
    let History {
        arn,
        uid,
        version,
        created_at,
        last_updated_at,
        mesh_owner,
        resource_owner,
    } = document.history.clone();
    assert_eq!(arn, Some(document.id.arn(REGION, ACCOUNT).to_string()));
    Resource {
        tags: document.tags.clone().unwrap(),
        ..Resource::new(
            document.id.clone(),
            document.spec.clone(),
            Metadata {
                uid: uid.unwrap(),
                version: version.unwrap(),
                created_at: created_at.unwrap(),
                last_updated_at: last_updated_at.unwrap(),
                mesh_owner: mesh_owner.unwrap(),
                resource_owner: resource_owner.unwrap(),
            },
        )
    }
}

/// In the order of identifiers: a template's is another.
fn read_back(text: &str) -> Vec<Resource> {
    let mut resources: Vec<Resource> = documents(text).iter().map(said).collect();
    resources.sort_by(|one, other| one.id.cmp(&other.id));
    resources
}

proptest! {
    #[test]
    fn an_export_reads_back(mesh in mesh()) {
        let text = write::command_line(&mesh, REGION, ACCOUNT);
        prop_assert_eq!(read_back(&text), mesh);
    }

    #[test]
    fn a_template_reads_back(mesh in mesh()) {
        let text = write::cloudformation(&mesh, REGION, ACCOUNT);
        prop_assert_eq!(read_back(&text), mesh);
    }
}
