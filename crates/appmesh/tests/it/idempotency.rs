//! A request that comes twice is carried out once.

use serde_json::{Value, json};

use crate::fixture::{Api, node_spec, route_spec};

const NODES: &str = "/m/virtualNodes";

fn create(name: &str, spec: Value, token: &str) -> Value {
    json!({"virtualNodeName": name, "spec": spec, "clientToken": token})
}

#[test]
fn a_repeated_create_gets_the_first_answer() {
    let api = Api::with_mesh();
    let first = api.create(NODES, create("x", node_spec(), "token"));
    assert_eq!(api.create(NODES, create("x", node_spec(), "token")), first);
    assert_eq!(api.get("/m/virtualNodes/x").ok(), first);
    let (error, _) = api
        .put(NODES, create("x", node_spec(), "another"))
        .refused();
    assert_eq!(error, "ConflictException");
}

#[test]
fn how_a_request_is_written_does_not_make_it_another() {
    let api = Api::with_mesh();
    let first = api.create(NODES, create("x", node_spec(), "token"));
    let mut same = create("x", node_spec(), "token");
    same["tags"] = json!([]);
    same["spec"]["backends"] = json!(null);
    assert_eq!(
        api.create("/%6d/virtualNodes?meshOwner=123456789012", same),
        first
    );
}

#[test]
fn another_request_with_the_same_token_is_a_conflict() {
    let api = Api::with_mesh();
    api.create(NODES, create("x", node_spec(), "token"));
    let tagged = {
        let mut create = create("x", node_spec(), "token");
        create["tags"] = json!([{"key": "a", "value": "b"}]);
        create
    };
    let others = [
        create("x", json!({}), "token"),
        create("y", node_spec(), "token"),
        tagged,
    ];
    for other in others {
        let answer = api.put(NODES, other);
        assert_eq!(answer.status, 409);
        let (error, message) = answer.refused();
        assert_eq!(error, "ConflictException");
        assert_eq!(
            message,
            "clientToken token was used before for another CreateVirtualNode; use a new token"
        );
    }
    assert_eq!(
        api.get("/m/virtualNodes/y").refused().0,
        "NotFoundException"
    );
}

#[test]
fn a_repeated_update_counts_once() {
    let api = Api::with_mesh();
    let route = json!({"routeName": "all", "spec": route_spec(1, 0)});
    api.create("/m/virtualRouter/r/routes", route);
    let path = "/m/virtualRouter/r/routes/all";
    let update = json!({"spec": route_spec(0, 1), "clientToken": "token"});
    let first = api.put(path, update.clone()).ok();
    assert_eq!(first["metadata"]["version"], 2);
    let newer = api
        .put(
            path,
            json!({"spec": route_spec(1, 1), "clientToken": "other"}),
        )
        .ok();
    assert_eq!(api.put(path, update).ok(), first);
    assert_eq!(api.get(path).ok(), newer);
    let conflict = json!({"spec": route_spec(1, 0), "clientToken": "token"});
    assert_eq!(api.put(path, conflict).refused().0, "ConflictException");
}

#[test]
fn tokens_of_different_operations_do_not_meet() {
    let api = Api::with_mesh();
    api.create(NODES, create("x", node_spec(), "token"));
    let update = json!({"spec": {}, "clientToken": "token"});
    assert_eq!(
        api.put("/m/virtualNodes/x", update).ok()["metadata"]["version"],
        2
    );
}

#[test]
fn a_refused_request_leaves_its_token_unused() {
    let api = Api::with_mesh();
    let create = create("blue", json!({}), "token");
    assert_eq!(
        api.put(NODES, create.clone()).refused().0,
        "ConflictException"
    );
    api.delete("/m/virtualNodes/blue").ok();
    assert_eq!(api.create(NODES, create)["spec"], json!({}));
}

#[test]
fn an_empty_token_is_none() {
    let api = Api::with_mesh();
    let update = json!({"spec": {}, "clientToken": ""});
    for version in [2, 3] {
        let updated = api.put("/m/virtualNodes/blue", update.clone()).ok();
        assert_eq!(updated["metadata"]["version"], version);
    }
}

#[test]
fn answers_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mesh.redb");
    let api = Api::in_file(&path);
    api.fill();
    let first = api.create(NODES, create("x", node_spec(), "token"));
    let update = json!({"spec": {}, "clientToken": "token"});
    let second = api.put("/m/virtualNodes/x", update.clone()).ok();
    drop(api);

    let api = Api::in_file(&path);
    assert_eq!(api.create(NODES, create("x", node_spec(), "token")), first);
    assert_eq!(api.put("/m/virtualNodes/x", update).ok(), second);
    assert_eq!(api.get("/m/virtualNodes/x").ok(), second);
    assert_eq!(
        api.put(NODES, create("x", json!({}), "token")).refused().0,
        "ConflictException"
    );
}
