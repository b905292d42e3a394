//! What comes back from create, describe, update and delete.

use model::{ResourceId, Share, Shares};
use serde_json::{Value, json};
use store::Change;

use crate::fixture::{ACCOUNT, Api, arn, gateway_route_spec, node_spec, route_spec, run};

/// Path of the collection, the name's member, and a spec for one resource of each kind below the mesh.
fn one_of_each() -> [(&'static str, &'static str, Value); 6] {
    let provider = json!({"provider": {"virtualNode": {"virtualNodeName": "blue"}}});
    [
        ("/m/virtualNodes", "virtualNodeName", node_spec()),
        ("/m/virtualRouters", "virtualRouterName", json!({})),
        ("/m/virtualServices", "virtualServiceName", provider),
        (
            "/m/virtualGateways",
            "virtualGatewayName",
            json!({"listeners": []}),
        ),
        ("/m/virtualRouter/r/routes", "routeName", route_spec(1, 2)),
        (
            "/m/virtualGateway/g/gatewayRoutes",
            "gatewayRouteName",
            gateway_route_spec(),
        ),
    ]
}

#[test]
fn a_resource_of_each_kind_lives_and_dies() {
    let api = Api::with_mesh();
    for (collection, member, spec) in one_of_each() {
        let path = format!("{collection}/x%20y%2Fz%25");
        let created = api.create(collection, json!({member: "x y/z%", "spec": spec}));
        assert_eq!(created[member], "x y/z%");
        assert_eq!(created["meshName"], "m");
        assert_eq!(created["spec"], spec);
        assert_eq!(created["status"], json!({"status": "ACTIVE"}));
        assert_eq!(api.get(&path).ok(), created);

        let updated = api.put(&path, json!({"spec": spec})).ok();
        let deleted = api.delete(&path).ok();
        assert_eq!(deleted["status"], json!({"status": "DELETED"}));
        assert_eq!(deleted["spec"], spec);
        let [before, between, after] =
            [created, updated, deleted].map(|mut data| data["metadata"].take());
        assert_eq!(
            [&before["version"], &between["version"], &after["version"]],
            [1, 2, 3]
        );
        assert_eq!(before["createdAt"], before["lastUpdatedAt"]);
        for (earlier, later) in [(&before, &between), (&between, &after)] {
            assert_eq!(earlier["createdAt"], later["createdAt"]);
            assert!(earlier["lastUpdatedAt"].as_f64() < later["lastUpdatedAt"].as_f64());
            assert_eq!(earlier["uid"], later["uid"]);
        }
        assert_eq!(before["meshOwner"], ACCOUNT);
        assert_eq!(before["resourceOwner"], ACCOUNT);
        assert_eq!(api.get(&path).refused().0, "NotFoundException");
        assert_eq!(api.delete(&path).refused().0, "NotFoundException");

        let again = api.create(collection, json!({member: "x y/z%", "spec": spec}));
        assert_eq!(again["metadata"]["version"], 1);
        assert_ne!(again["metadata"]["uid"], before["uid"]);
        api.delete(&path).ok();
    }
}

#[test]
fn arns_are_app_meshs() {
    let api = Api::with_mesh();
    let route = json!({"routeName": "all", "spec": route_spec(1, 0)});
    let route = api.create("/m/virtualRouter/r/routes", route);
    assert_eq!(route["metadata"]["arn"], arn("m/virtualRouter/r/route/all"));
    let route = json!({"gatewayRouteName": "in", "spec": gateway_route_spec()});
    let route = api.create("/m/virtualGateway/g/gatewayRoutes", route);
    assert_eq!(
        route["metadata"]["arn"],
        arn("m/virtualGateway/g/gatewayRoute/in")
    );
    assert_eq!(api.get("/m").ok()["metadata"]["arn"], arn("m"));
    let service = api.get("/m/virtualServices/s.local").ok();
    assert_eq!(service["metadata"]["arn"], arn("m/virtualService/s.local"));
}

#[test]
fn a_mesh_can_do_without_a_spec() {
    let api = Api::new();
    assert_eq!(api.create("", json!({"meshName": "m"}))["spec"], json!({}));
    let open = json!({"egressFilter": {"type": "ALLOW_ALL"}});
    assert_eq!(api.put("/m", json!({"spec": open})).ok()["spec"], open);
    assert_eq!(api.put("/m", json!({"spec": null})).ok()["spec"], json!({}));
    let emptied = run(api.ask("PUT", "/v20190125/meshes/m", "")).ok();
    assert_eq!(emptied["metadata"]["version"], 4);
    assert_eq!(api.delete("/m").ok()["metadata"]["version"], 5);
}

#[test]
fn updated_weights_take_the_place_of_a_releases_shares() {
    let api = Api::with_mesh();
    let route = json!({"routeName": "all", "spec": route_spec(99, 1)});
    api.create("/m/virtualRouter/r/routes", route);
    let id = ResourceId::route("m", "r", "all");
    let mut shared = model::Resource::clone(api.store.snapshot().get(&id).unwrap());
    let half_percent = Share::from_basis_points(50).unwrap();
    shared.shares = Some(Shares::split("blue", "green", half_percent));
    run(api.store.commit(Change::new().put(shared))).unwrap();

    api.put(
        "/m/virtualRouter/r/routes/all",
        json!({"spec": route_spec(99, 1)}),
    )
    .ok();
    assert_eq!(api.store.snapshot().get(&id).unwrap().shares, None);
}

#[test]
fn the_mesh_owner_must_be_the_owner() {
    let api = Api::with_mesh();
    let asked = |owner: &str| api.get(&format!("/m/virtualNodes/blue?meshOwner={owner}"));
    assert_eq!(asked(ACCOUNT).ok()["virtualNodeName"], "blue");
    let (error, message) = asked("999999999999").refused();
    assert_eq!(error, "NotFoundException");
    assert_eq!(
        message,
        "Mesh with name m is not present for account 999999999999"
    );
    for malformed in ["", "12345678901", "1234567890123", "12345678901x"] {
        assert_eq!(
            asked(malformed).refused().0,
            "BadRequestException",
            "{malformed}"
        );
    }
    for (collection, member, spec) in one_of_each() {
        let foreign = format!("{collection}?meshOwner=999999999999");
        let create = json!({member: "x", "spec": spec});
        assert_eq!(
            api.put(&foreign, create).refused().0,
            "NotFoundException",
            "{collection}"
        );
        assert_eq!(
            api.get(&foreign).refused().0,
            "NotFoundException",
            "{collection}"
        );
    }
    // The mesh's own changes have no such parameter, and listing all meshes neither.
    api.put("/m?meshOwner=999999999999", json!({})).ok();
    api.get("?meshOwner=999999999999").ok();
}

#[test]
fn parameters_that_an_operation_does_not_have_are_ignored() {
    let api = Api::with_mesh();
    let presigned = "/m?X-Amz-Signature=0f&limit=0&nextToken=%zz&&=&x";
    assert_eq!(api.get(presigned).ok()["meshName"], "m");
}
