//! Identifiers, their paths and their ARNs.

use model::{Arn, Kind, LocalId, ResourceId};
use proptest::prelude::*;

pub(crate) fn any_id() -> impl Strategy<Value = ResourceId> {
    let name = || prop_oneof!["[a-c]", "[a-c/%.~]{1,4}", ".{1,6}"];
    let kind = proptest::sample::select(Kind::ALL.to_vec());
    (kind, name(), name(), name())
        .prop_map(|(kind, mesh, parent, name)| id(kind, &mesh, &parent, &name))
}

/// The identifier of that kind; only routes and gateway routes have a parent of their own.
pub(crate) fn id(kind: Kind, mesh: &str, parent: &str, name: &str) -> ResourceId {
    ResourceId::new(mesh, LocalId::of(kind, parent, name))
}

proptest! {
    #[test]
    fn paths_and_arns_read_back(id in any_id()) {
        prop_assert_eq!(id.path().parse::<ResourceId>(), Ok(id.clone()));
        let arn = id.arn("eu-central-1", "123456789012");
        prop_assert_eq!(arn.to_string().parse::<Arn>(), Ok(arn));
    }

    #[test]
    fn different_ids_have_different_paths(one in any_id(), other in any_id()) {
        prop_assert_eq!(one == other, one.path() == other.path());
    }
}

#[test]
fn paths_are_app_meshs() {
    let rows = [
        (ResourceId::mesh("m"), "mesh/m"),
        (ResourceId::virtual_node("m", "n"), "mesh/m/virtualNode/n"),
        (
            ResourceId::virtual_router("m", "r"),
            "mesh/m/virtualRouter/r",
        ),
        (
            ResourceId::virtual_service("m", "s.local"),
            "mesh/m/virtualService/s.local",
        ),
        (
            ResourceId::virtual_gateway("m", "g"),
            "mesh/m/virtualGateway/g",
        ),
        (
            ResourceId::route("m", "r", "x"),
            "mesh/m/virtualRouter/r/route/x",
        ),
        (
            ResourceId::gateway_route("m", "g", "x"),
            "mesh/m/virtualGateway/g/gatewayRoute/x",
        ),
        (
            ResourceId::virtual_service("m", "a b/c%"),
            "mesh/m/virtualService/a b%2Fc%25",
        ),
    ];
    for (id, path) in rows {
        assert_eq!(id.to_string(), path);
    }
    let arn = ResourceId::mesh("m").arn("us-west-2", "111122223333");
    assert_eq!(
        arn.to_string(),
        "arn:aws:appmesh:us-west-2:111122223333:mesh/m"
    );
}

#[test]
fn other_texts_name_nothing() {
    let paths = [
        "",
        "mesh",
        "mesh/",
        "mesh/m/",
        "mesh/m/virtualNode",
        "mesh/m/virtualNode/",
        "node/m",
        "mesh/m/virtualNode/n/route/r",
        "mesh/m/route/r",
        "mesh/m/virtualRouter/r/route/",
        "mesh/m%2",
        "mesh/m%2f",
        "mesh/%41",
        "/mesh/m",
    ];
    for path in paths {
        assert!(path.parse::<ResourceId>().is_err(), "{path}");
    }
    let arns = [
        "mesh/m",
        "arn:aws:appmesh:eu-west-1:1",
        "arn:aws:ecs:eu-west-1:1:mesh/m",
        "arn:aws:appmesh::1:mesh/m",
        "arn:aws:appmesh:eu-west-1::mesh/m",
        "arn:aws:appmesh:eu-west-1:1:m",
    ];
    for arn in arns {
        assert!(arn.parse::<Arn>().is_err(), "{arn}");
    }
}

#[test]
fn parents() {
    let parent = |id: ResourceId| id.parent();
    assert_eq!(parent(ResourceId::mesh("m")), None);
    assert_eq!(
        parent(ResourceId::virtual_node("m", "n")),
        Some(ResourceId::mesh("m"))
    );
    assert_eq!(
        parent(ResourceId::route("m", "r", "x")),
        Some(ResourceId::virtual_router("m", "r"))
    );
    assert_eq!(
        parent(ResourceId::gateway_route("m", "g", "x")),
        Some(ResourceId::virtual_gateway("m", "g"))
    );
}

#[test]
fn local_ids_are_written_without_the_mesh() {
    assert_eq!(
        ResourceId::virtual_node("m", "n").local.to_string(),
        "virtualNode/n"
    );
    assert_eq!(LocalId::Mesh.to_string(), "mesh");
}
