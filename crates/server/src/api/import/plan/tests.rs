use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

const ACCOUNT: &str = "111122223333";

fn described(path: &str, spec: Value) -> Described {
    Described {
        resource: path.parse().unwrap(),
        spec,
        tags: None,
        metadata: PartialMetadata::default(),
    }
}

fn arrival(resources: Vec<Described>) -> Arrival {
    Arrival {
        resources,
        owner: Owner {
            region: "us-east-1".to_owned(),
            account: ACCOUNT.to_owned(),
        },
        now: Timestamp::from_millis(5_000),
        uid: || "new".to_owned(),
        new_arns: false,
    }
}

fn after(snapshot: &Snapshot, plan: Plan) -> Snapshot {
    let writes = plan.writes.into_iter();
    writes.fold(snapshot.clone(), |snapshot, resource| {
        snapshot.insert(resource)
    })
}

/// Each resource's path and action, refusals with their reasons.
fn told(plan: &Plan) -> Vec<String> {
    let resources = plan.resources.iter();
    resources
        .map(|planned| {
            let PlannedResource {
                resource,
                action,
                reason,
                ..
            } = planned;
            format!(
                "{action:?} {resource} {}",
                reason.as_deref().unwrap_or_default()
            )
        })
        .collect()
}

fn listener() -> Value {
    json!({"portMapping": {"port": 80, "protocol": "tcp"}})
}

fn node() -> Value {
    json!({"listeners": [listener()], "serviceDiscovery": {"dns": {"hostname": "n.local"}}})
}

fn router() -> Value {
    json!({"listeners": [listener()]})
}

fn route() -> Value {
    json!({"tcpRoute": {"action": {"weightedTargets": [{"virtualNode": "n", "weight": 1}]}}})
}

#[test]
fn whatever_comes_first_what_is_needed_is_made_first() {
    let plan = plan(
        &Snapshot::new(),
        &arrival(vec![
            described("mesh/m/virtualRouter/r/route/x", route()),
            described("mesh/m/virtualNode/n", node()),
            described("mesh/m/virtualRouter/r", router()),
            described("mesh/m", json!({})),
        ]),
    );
    let expected = [
        "Create mesh/m ",
        "Create mesh/m/virtualNode/n ",
        "Create mesh/m/virtualRouter/r ",
        "Create mesh/m/virtualRouter/r/route/x ",
    ];
    assert_eq!(told(&plan), expected);
    assert_eq!(plan.writes.len(), 4);
}

#[test]
fn what_is_refused_takes_along_what_needs_it() {
    let plan = plan(
        &Snapshot::new(),
        &arrival(vec![
            described("mesh/m", json!({})),
            described("mesh/m/virtualRouter/r", json!({})),
            described("mesh/m/virtualNode/n", json!({"listener": []})),
            described("mesh/m/virtualRouter/r/route/x", route()),
        ]),
    );
    assert!(plan.refuses());
    let told = told(&plan);
    assert!(
        told[1].starts_with("Refused mesh/m/virtualNode/n spec.listener"),
        "{told:?}"
    );
    assert_eq!(
        told[3],
        "Refused mesh/m/virtualRouter/r/route/x VirtualNode with name n is missing"
    );
    assert_eq!(plan.writes.len(), 2);
}

#[test]
fn a_repeated_import_is_all_the_same() {
    let arrival = arrival(vec![
        described("mesh/m", json!({})),
        Described {
            tags: Some(BTreeMap::from([("a".to_owned(), "b".to_owned())])),
            ..described("mesh/m/virtualNode/n", json!({}))
        },
    ]);
    let first = after(&Snapshot::new(), plan(&Snapshot::new(), &arrival));
    let second = plan(&first, &arrival);
    assert_eq!(
        told(&second),
        ["Same mesh/m ", "Same mesh/m/virtualNode/n "]
    );
    assert!(second.writes.is_empty());
}

#[test]
fn what_is_known_of_the_past_is_kept_and_the_rest_made_up() {
    let known = Described {
        metadata: PartialMetadata {
            arn: Some(format!("arn:aws:appmesh:us-east-1:{ACCOUNT}:mesh/known")),
            uid: Some("old".to_owned()),
            version: Some(9),
            created_at: Some(Timestamp::from_millis(1_000)),
            last_updated_at: Some(Timestamp::from_millis(2_000)),
            mesh_owner: Some(ACCOUNT.to_owned()),
            resource_owner: Some("444455556666".to_owned()),
        },
        ..described("mesh/known", json!({}))
    };
    let arrival = arrival(vec![known, described("mesh/new", json!({}))]);
    let plan = plan(&Snapshot::new(), &arrival);
    let metadata: Vec<&Metadata> = plan.writes.iter().map(|one| &one.metadata).collect();
    let known = Metadata {
        uid: "old".to_owned(),
        version: 9,
        created_at: Timestamp::from_millis(1_000),
        last_updated_at: Timestamp::from_millis(2_000),
        mesh_owner: ACCOUNT.to_owned(),
        resource_owner: "444455556666".to_owned(),
    };
    let new = Metadata::new("new", ACCOUNT, Timestamp::from_millis(5_000));
    assert_eq!(metadata, [&known, &new]);
}

#[test]
fn an_update_keeps_what_a_description_does_not_say() {
    let first = Described {
        tags: Some(BTreeMap::from([("a".to_owned(), "b".to_owned())])),
        ..described("mesh/m", json!({}))
    };
    let snapshot = after(
        &Snapshot::new(),
        plan(&Snapshot::new(), &arrival(vec![first])),
    );
    let other = json!({"egressFilter": {"type": "DROP_ALL"}});
    let updated = plan(&snapshot, &arrival(vec![described("mesh/m", other)]));
    assert_eq!(told(&updated), ["Update mesh/m "]);
    assert_eq!(updated.writes[0].metadata.version, 2);
    assert_eq!(updated.writes[0].tags["a"], "b");
    let untagged = Described {
        tags: Some(BTreeMap::new()),
        ..described("mesh/m", json!({}))
    };
    let retagged = plan(&snapshot, &arrival(vec![untagged]));
    assert_eq!(told(&retagged), ["Update mesh/m "]);
    // As with the API's own tagging, the version counts specs.
    assert_eq!(retagged.writes[0].metadata.version, 1);
    assert!(retagged.writes[0].tags.is_empty());
}

#[test]
fn another_arn_is_refused_unless_new_ones_are_wanted() {
    let elsewhere = |metadata| Described {
        metadata,
        ..described("mesh/m", json!({}))
    };
    let cases = [
        PartialMetadata {
            arn: Some(format!("arn:aws:appmesh:eu-west-1:{ACCOUNT}:mesh/m")),
            ..PartialMetadata::default()
        },
        PartialMetadata {
            mesh_owner: Some("999988887777".to_owned()),
            ..PartialMetadata::default()
        },
    ];
    let hints = [
        "the region eu-west-1 and the account 1111",
        "the region us-east-1 and the account 9999",
    ];
    for (metadata, hint) in cases.into_iter().zip(hints) {
        let mut arrival = arrival(vec![elsewhere(metadata)]);
        let refused = plan(&Snapshot::new(), &arrival);
        assert!(refused.refuses());
        assert!(refused.resources[0].hint.as_ref().unwrap().contains(hint));
        arrival.new_arns = true;
        let taken = plan(&Snapshot::new(), &arrival);
        assert_eq!(taken.writes[0].metadata.mesh_owner, ACCOUNT);
    }
}

#[test]
fn tags_and_versions_keep_their_rules() {
    let tagged = |key: &str| Described {
        tags: Some(BTreeMap::from([(key.to_owned(), String::new())])),
        ..described("mesh/m", json!({}))
    };
    let mut unborn = described("mesh/m", json!({}));
    unborn.metadata.version = Some(0);
    for (described, reason) in [
        (tagged("aws:x"), "is reserved"),
        (tagged(""), "tags"),
        (unborn, "version 0"),
    ] {
        let told = told(&plan(&Snapshot::new(), &arrival(vec![described])));
        assert!(
            told[0].starts_with("Refused") && told[0].contains(reason),
            "{told:?}"
        );
    }
}
