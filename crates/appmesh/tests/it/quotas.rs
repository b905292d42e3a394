//! Limits on how many there may be.

use appmesh::Quotas;
use serde_json::{Value, json};

use crate::fixture::{Api, gateway_route_spec, listeners, node_spec, route_spec};

#[test]
fn the_defaults_are_app_meshs() {
    let expected = json!({
        "meshesPerAccount": 15,
        "virtualServicesPerMesh": 200,
        "virtualNodesPerMesh": 200,
        "virtualRoutersPerMesh": 200,
        "virtualGatewaysPerMesh": 3,
        "backendsPerVirtualNode": 50,
        "routesPerVirtualRouter": 50,
        "gatewayRoutesPerVirtualGateway": 10,
    });
    assert_eq!(serde_json::to_value(Quotas::default()).unwrap(), expected);
    let quotas: Quotas = serde_json::from_value(json!({"meshesPerAccount": 1})).unwrap();
    assert_eq!(
        (quotas.meshes_per_account, quotas.virtual_nodes_per_mesh),
        (1, 200)
    );
    assert!(serde_json::from_value::<Quotas>(json!({"meshes": 1})).is_err());
}

/// The fixture's mesh has one mesh, two nodes, and one router, service and gateway.
#[test]
fn each_quota_is_held_and_named() {
    let api = Api::with_quotas(Quotas {
        meshes_per_account: 2,
        virtual_services_per_mesh: 2,
        virtual_nodes_per_mesh: 3,
        virtual_routers_per_mesh: 2,
        virtual_gateways_per_mesh: 2,
        backends_per_virtual_node: 1,
        routes_per_virtual_router: 1,
        gateway_routes_per_virtual_gateway: 1,
    });
    api.fill();
    let service = json!({});
    let cases: [(&str, &str, Value, &str); 7] = [
        (
            "",
            "meshName",
            json!({}),
            "the account has reached the quota meshesPerAccount of 2;",
        ),
        (
            "/m/virtualNodes",
            "virtualNodeName",
            node_spec(),
            "Mesh m has reached the quota virtualNodesPerMesh of 3;",
        ),
        (
            "/m/virtualServices",
            "virtualServiceName",
            service,
            "Mesh m has reached the quota virtualServicesPerMesh of 2;",
        ),
        (
            "/m/virtualRouters",
            "virtualRouterName",
            listeners(1),
            "Mesh m has reached the quota virtualRoutersPerMesh of 2;",
        ),
        (
            "/m/virtualGateways",
            "virtualGatewayName",
            listeners(1),
            "Mesh m has reached the quota virtualGatewaysPerMesh of 2;",
        ),
        (
            "/m/virtualRouter/r/routes",
            "routeName",
            route_spec(1, 1),
            "VirtualRouter r has reached the quota routesPerVirtualRouter of 1;",
        ),
        (
            "/m/virtualGateway/g/gatewayRoutes",
            "gatewayRouteName",
            gateway_route_spec(),
            "VirtualGateway g has reached the quota gatewayRoutesPerVirtualGateway of 1;",
        ),
    ];
    for (collection, member, spec, found) in cases {
        api.create(collection, json!({member: "one", "spec": spec}));
        let answer = api.put(collection, json!({member: "two", "spec": spec}));
        assert_eq!(answer.status, 400);
        let (error, message) = answer.refused();
        assert_eq!(error, "LimitExceededException", "{collection}");
        assert!(message.starts_with(found), "{message}");
        // What is there already can still be changed.
        api.put(&format!("{collection}/one"), json!({"spec": spec}))
            .ok();
    }
    // Another mesh, router or gateway has room of its own.
    api.create(
        "/one/virtualNodes",
        json!({"virtualNodeName": "one", "spec": {}}),
    );
    api.create(
        "/m/virtualRouter/one/routes",
        json!({"routeName": "one", "spec": route_at_one()}),
    );
    // A deleted resource leaves room.
    api.delete("/m/virtualNodes/one").ok();
    api.create(
        "/m/virtualNodes",
        json!({"virtualNodeName": "two", "spec": {}}),
    );
}

fn route_at_one() -> Value {
    let mut spec = route_spec(1, 0);
    spec["httpRoute"]["match"]["port"] = json!(1);
    spec
}

#[test]
fn a_node_has_so_many_backends() {
    let api = Api::with_mesh();
    let spec = |count: usize| {
        let backend =
            |number| json!({"virtualService": {"virtualServiceName": format!("s{number}")}});
        json!({"backends": (0..count).map(backend).collect::<Vec<_>>()})
    };
    let create = |count| {
        api.put(
            "/m/virtualNodes",
            json!({"virtualNodeName": "x", "spec": spec(count)}),
        )
    };
    let (error, message) = create(51).refused();
    assert_eq!(error, "LimitExceededException");
    assert!(
        message.starts_with(
            "VirtualNode x with 51 backends exceeds the quota backendsPerVirtualNode of 50;"
        ),
        "{message}"
    );
    create(50).ok();
    let update = |count| api.put("/m/virtualNodes/x", json!({"spec": spec(count)}));
    assert_eq!(update(51).refused().0, "LimitExceededException");
    update(49).ok();
}
