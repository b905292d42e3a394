//! Snapshots against the obvious model: a list of identifiers, filtered.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::spec::MeshSpec;
use model::{Kind, LocalId, Metadata, Resource, ResourceId, Snapshot, Timestamp};
use proptest::prelude::*;

use crate::ids::any_id;

fn resource(id: &ResourceId) -> Resource {
    let metadata = Metadata::new("uid", "123456789012", Timestamp::from_millis(0));
    // Ranges look at identifiers only.
    Resource::new(id.clone(), MeshSpec::default(), metadata)
}

fn ids<'s>(resources: impl Iterator<Item = &'s Arc<Resource>>) -> Vec<&'s ResourceId> {
    resources.map(|resource| &resource.id).collect()
}

proptest! {
    #[test]
    fn ranges_are_what_a_filter_finds(
        present in proptest::collection::btree_set(any_id(), 0..60),
        probe in any_id(),
    ) {
        let snapshot = present.iter().fold(Snapshot::new(), |world, id| world.insert(resource(id)));
        let filter = |wanted: &dyn Fn(&ResourceId) -> bool| -> Vec<&ResourceId> {
            present.iter().filter(|id| wanted(id)).collect()
        };
        let mesh = probe.mesh.as_str();
        let name = probe.name();

        prop_assert_eq!(ids(snapshot.iter()), filter(&|_| true));
        prop_assert_eq!(ids(snapshot.meshes()), filter(&|id| id.kind() == Kind::Mesh));
        prop_assert_eq!(ids(snapshot.of_mesh(mesh)), filter(&|id| id.mesh == mesh));
        for kind in Kind::ALL {
            prop_assert_eq!(
                ids(snapshot.of_kind(mesh, kind)),
                filter(&|id| id.mesh == mesh && id.kind() == kind)
            );
        }
        prop_assert_eq!(ids(snapshot.routes(mesh, name)), filter(&|id| {
            id.mesh == mesh && matches!(&id.local, LocalId::Route { router, .. } if router == name)
        }));
        prop_assert_eq!(ids(snapshot.gateway_routes(mesh, name)), filter(&|id| {
            id.mesh == mesh && matches!(&id.local, LocalId::GatewayRoute { gateway, .. } if gateway == name)
        }));
    }

    #[test]
    fn a_change_leaves_the_old_snapshot_alone(
        present in proptest::collection::btree_set(any_id(), 0..20),
        change in any_id(),
    ) {
        let before = present.iter().fold(Snapshot::new(), |world, id| world.insert(resource(id)));
        let with = before.insert(resource(&change));
        let without = before.remove(&change);

        let untouched: BTreeSet<ResourceId> = ids(before.iter()).into_iter().cloned().collect();
        prop_assert_eq!(&untouched, &present);
        prop_assert!(with.contains(&change) && !without.contains(&change));
        prop_assert_eq!(with.remove(&change), without);
    }
}

#[test]
fn the_revision_is_set_apart_from_the_resources() {
    let world = Snapshot::new()
        .insert(resource(&ResourceId::mesh("m")))
        .at_revision(7);
    assert_eq!(world.revision(), 7);
    assert_eq!(world.insert(resource(&ResourceId::mesh("n"))).revision(), 7);
    assert_eq!(world.remove(&ResourceId::mesh("m")).revision(), 7);
    assert_eq!(world.len(), 1);
}

#[test]
fn typed_lookups_find_only_their_kind() {
    let world = crate::world::World::with_one_of_everything().snapshot;
    assert!(world.mesh("m").is_some() && world.mesh("http").is_none());
    assert_eq!(
        world
            .virtual_node("m", "http")
            .map(|node| node.port_mappings().len()),
        Some(1)
    );
    assert_eq!(
        world
            .virtual_router("m", "two")
            .map(|router| router.port_mappings().len()),
        Some(2)
    );
    assert_eq!(
        world
            .virtual_gateway("m", "two")
            .map(|gateway| gateway.port_mappings().len()),
        Some(2)
    );
    assert!(world.virtual_service("m", "node.local").is_some());
    assert!(world.virtual_service("m", "http").is_none());
    assert!(
        world.route("m", "http", "new").is_none()
            && world.gateway_route("m", "http", "new").is_none()
    );
}
