//! Pages stay whole while resources come and go.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{Api, MESHES, run};

fn names(page: &Value) -> Vec<String> {
    let nodes = page["virtualNodes"].as_array().unwrap().iter();
    nodes
        .map(|node| node["virtualNodeName"].as_str().unwrap().to_owned())
        .collect()
}

fn create(api: &Api, name: &str) {
    api.create(
        "/m/virtualNodes",
        json!({"virtualNodeName": name, "spec": {}}),
    );
}

fn list(api: &Api, limit: usize, token: Option<&str>) -> Value {
    let token = token
        .map(|token| format!("&nextToken={token}"))
        .unwrap_or_default();
    api.get(&format!("/m/virtualNodes?limit={limit}{token}"))
        .ok()
}

/// Node names: few enough to meet, odd enough to matter.
fn name() -> impl Strategy<Value = String> {
    "[ab/% é]{1,3}"
}

fn path(name: &str) -> String {
    let encoded = name.bytes().map(|byte| format!("%{byte:02x}"));
    format!("/m/virtualNodes/{}", encoded.collect::<String>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is there all the time is listed once; whatever is listed was there at some time.
    #[test]
    fn what_stays_is_listed_once(
        stays in btree_set(name(), 0..12),
        goes in vec(name(), 0..12),
        comes in vec(name(), 0..12),
        limit in 1_usize..4,
    ) {
        let api = Api::new();
        api.create("", json!({"meshName": "m"}));
        let goes: BTreeSet<String> = goes.into_iter().filter(|name| !stays.contains(name)).collect();
        for name in stays.iter().chain(&goes) {
            create(&api, name);
        }
        let mut coming = comes.iter().filter(|name| !stays.contains(*name) && !goes.contains(*name));
        let mut going = goes.iter();
        let mut listed = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = list(&api, limit, token.as_deref());
            let found = names(&page);
            prop_assert!(found.len() <= limit);
            listed.extend(found);
            if let Some(name) = coming.next() {
                let _taken = api.put("/m/virtualNodes", json!({"virtualNodeName": name, "spec": {}}));
            }
            if let Some(name) = going.next() {
                api.delete(&path(name)).ok();
            }
            match page["nextToken"].as_str() {
                Some(next) => token = Some(next.to_owned()),
                None => break,
            }
        }
        let distinct: BTreeSet<&String> = listed.iter().collect();
        prop_assert_eq!(distinct.len(), listed.len(), "{:?} comes twice", &listed);
        prop_assert!(stays.iter().all(|name| distinct.contains(name)), "{:?} of {:?}", &listed, &stays);
        let known = |name: &&String| stays.contains(*name) || goes.contains(*name) || comes.contains(*name);
        prop_assert!(distinct.iter().all(known));
    }

    #[test]
    fn any_text_is_a_token_or_a_bad_request(token in "[A-Za-z0-9_%=+-]{1,40}") {
        let api = Api::with_mesh();
        let answer = api.get(&format!("/m/virtualNodes?nextToken={token}"));
        prop_assert_eq!(answer.refused().0, "BadRequestException");
    }
}

#[test]
fn a_page_holds_a_hundred_unless_it_is_said() {
    let api = Api::new();
    api.create("", json!({"meshName": "m"}));
    for number in 0..101 {
        create(&api, &format!("n{number:03}"));
    }
    let first = api.get("/m/virtualNodes?nextToken=").ok();
    assert_eq!(names(&first).len(), 100);
    let rest = list(&api, 1, first["nextToken"].as_str());
    assert_eq!(names(&rest), ["n100"]);
    assert!(!rest.as_object().unwrap().contains_key("nextToken"));
    // Exactly full is not cut.
    api.delete("/m/virtualNodes/n100").ok();
    let whole = api.get("/m/virtualNodes").ok();
    assert!(!whole.as_object().unwrap().contains_key("nextToken"));
}

#[test]
fn a_list_holds_its_own_kind_and_parent_only() {
    let api = Api::with_mesh();
    api.create("", json!({"meshName": "m2"}));
    api.create(
        "/m2/virtualNodes",
        json!({"virtualNodeName": "other", "spec": {}}),
    );
    assert_eq!(names(&api.get("/m/virtualNodes").ok()), ["blue", "green"]);
    let meshes = api.get("").ok();
    let meshes: Vec<&Value> = meshes["meshes"].as_array().unwrap().iter().collect();
    assert_eq!(meshes.len(), 2);
    let entry = meshes[0].as_object().unwrap();
    let members: Vec<&str> = entry.keys().map(String::as_str).collect();
    let expected = [
        "arn",
        "createdAt",
        "lastUpdatedAt",
        "meshName",
        "meshOwner",
        "resourceOwner",
        "version",
    ];
    assert_eq!(members, expected);
}

#[test]
fn a_token_is_good_for_its_own_list_only() {
    let api = Api::with_mesh();
    let token = list(&api, 1, None)["nextToken"]
        .as_str()
        .unwrap()
        .to_owned();
    api.create("", json!({"meshName": "m2"}));
    let refused = |uri: String| run(api.ask("GET", &uri, "")).refused();
    for list in [
        "",
        "/m/virtualRouters",
        "/m2/virtualNodes",
        "/m/virtualRouter/r/routes",
    ] {
        let (error, message) = refused(format!("{MESHES}{list}?nextToken={token}"));
        assert_eq!(error, "BadRequestException");
        assert!(message.starts_with("nextToken: "), "{message}");
    }
    let shortened = &token[..token.len() - 1];
    refused(format!("{MESHES}/m/virtualNodes?nextToken={shortened}"));
}
