//! Snapshots against the obvious model: a list of identifiers, filtered.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::spec::MeshSpec;
use model::{Kind, LocalId, Metadata, Resource, ResourceId, Snapshot, Spec, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::ids::any_id;

fn resource(id: &ResourceId) -> Resource {
    let metadata = Metadata::new("uid", "123456789012", Timestamp::from_millis(0));
    // Ranges look at identifiers only.
    Resource::new(id.clone(), MeshSpec::default(), metadata)
}

fn ids<'s>(resources: impl Iterator<Item = &'s Arc<Resource>>) -> Vec<&'s ResourceId> {
    resources.map(|resource| &resource.id).collect()
}

type MakesSpec = fn(&str) -> Value;

/// A kind and its spec that refers to what has the given name; none: something is removed.
fn any_reference() -> impl Strategy<Value = Option<(Kind, MakesSpec)>> {
    let makes: [Option<(Kind, MakesSpec)>; 6] = [
        None,
        Some((Kind::VirtualService, |_| json!({}))),
        Some((
            Kind::VirtualService,
            |name| json!({"provider": {"virtualNode": {"virtualNodeName": name}}}),
        )),
        Some((
            Kind::VirtualService,
            |name| json!({"provider": {"virtualRouter": {"virtualRouterName": name}}}),
        )),
        Some((Kind::Route, |name| {
            json!({"tcpRoute": {"action": {"weightedTargets": [
                {"virtualNode": name, "weight": 1},
                {"virtualNode": "n0", "weight": 1},
            ]}}})
        })),
        Some((Kind::GatewayRoute, |name| {
            json!({"httpRoute": {"match": {"prefix": "/"}, "action": {"target": {
                "virtualService": {"virtualServiceName": name},
            }}}})
        })),
    ];
    prop::sample::select(makes.to_vec())
}

fn referrer(kind: Kind, name: &str, spec: Value) -> Resource {
    let id = match kind {
        Kind::VirtualService => ResourceId::virtual_service("m", name),
        Kind::Route => ResourceId::route("m", "r", name),
        _ => ResourceId::gateway_route("m", "g", name),
    };
    Resource {
        spec: Spec::parse(kind, &spec).unwrap(),
        ..resource(&id)
    }
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
        let beside = |id: &ResourceId| id.is_beside(&probe);
        prop_assert_eq!(ids(snapshot.siblings_after(&probe)), filter(&|id| beside(id) && *id > probe));
        prop_assert_eq!(ids(snapshot.siblings_after(&probe.collection())), filter(&beside));
        prop_assert_eq!(snapshot.count_siblings(&probe), filter(&beside).len());
        prop_assert_eq!(ids(snapshot.routes(mesh, name)), filter(&|id| {
            id.mesh == mesh && matches!(&id.local, LocalId::Route { router, .. } if router == name)
        }));
        prop_assert_eq!(ids(snapshot.gateway_routes(mesh, name)), filter(&|id| {
            id.mesh == mesh && matches!(&id.local, LocalId::GatewayRoute { gateway, .. } if gateway == name)
        }));
    }

    #[test]
    fn resources_are_beside_each_other_if_kind_and_parent_are_the_same(
        one in any_id(),
        other in any_id(),
    ) {
        prop_assert_eq!(
            one.is_beside(&other),
            one.kind() == other.kind() && one.parent() == other.parent()
        );
        prop_assert_eq!(one.is_beside(&other), one.collection() == other.collection());
        prop_assert!(one.is_beside(&one.collection()) && one.collection() < one);
    }

    #[test]
    fn referrers_are_those_that_a_search_finds(
        steps in proptest::collection::vec((0..3_usize, 0..3_usize, any_reference()), 0..40),
    ) {
        let mut snapshot = Snapshot::new();
        for (name, target, spec) in steps {
            let (name, target) = (format!("n{name}"), format!("n{target}"));
            snapshot = match spec {
                Some((kind, spec)) => snapshot.insert(referrer(kind, &name, spec(&target))),
                None => snapshot
                    .remove(&ResourceId::virtual_service("m", &name))
                    .remove(&ResourceId::route("m", "r", &name)),
            };
        }
        for number in 0..3 {
            let name = format!("n{number}");
            for id in [
                ResourceId::virtual_node("m", &name),
                ResourceId::virtual_router("m", &name),
                ResourceId::virtual_service("m", &name),
            ] {
                let refers = |it: &&Arc<Resource>| it.spec.references("m").contains(&id);
                let found: Vec<&ResourceId> = ids(snapshot.iter().filter(refers));
                prop_assert_eq!(snapshot.referrers(&id).collect::<Vec<_>>(), found.into_iter().cloned().collect::<Vec<_>>());
            }
        }
        let anew = snapshot.iter().fold(Snapshot::new(), |world, it| world.insert(it.clone()));
        prop_assert_eq!(anew, snapshot);
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
