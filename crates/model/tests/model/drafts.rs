//! Drafts: changes that build on each other, and what is left of them to be committed.

use model::draft::{Author, Draft, ResourceChange};
use model::share::{Share, Shares};
use model::{ErrorKind, ResourceId, Snapshot, Spec, Timestamp};
use serde_json::{Value, json};

use crate::world::{ACCOUNT, World, listeners, node, node_spec, route, router};

fn now() -> Timestamp {
    Timestamp::from_millis(5_000)
}

fn draft(snapshot: &Snapshot) -> Draft {
    let author = Author {
        account: ACCOUNT.to_owned(),
        now: now(),
        uid: || "drafted".to_owned(),
    };
    Draft::new(snapshot, author)
}

fn put(draft: &mut Draft, id: ResourceId, spec: &Value) -> Result<(), model::Error> {
    let spec = Spec::parse(id.kind(), spec)?;
    draft.put(id, spec)
}

fn to_node(node: &str) -> Value {
    let targets = json!([{"virtualNode": node, "weight": 1}]);
    json!({"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": targets}}})
}

/// The only change of a draft.
fn only(draft: Draft) -> ResourceChange {
    let [change] = draft.finish().try_into().unwrap();
    change
}

#[test]
fn a_new_resource_is_its_authors_at_version_one() {
    let world = World::with_one_of_everything();
    let mut draft = draft(&world.snapshot);
    put(&mut draft, node("new"), &node_spec(&[(3000, "http")])).unwrap();
    let change = only(draft);
    assert_eq!((&change.id, &change.before), (&node("new"), &None));
    let metadata = &change.after.unwrap().metadata;
    assert_eq!((metadata.version, metadata.uid.as_str()), (1, "drafted"));
    assert_eq!(
        (metadata.created_at, metadata.last_updated_at),
        (now(), now())
    );
    assert_eq!(metadata.resource_owner, ACCOUNT);
}

#[test]
fn an_update_raises_the_version_and_keeps_what_the_resource_was_made_with() {
    let world = World::with_one_of_everything();
    let mut draft = draft(&world.snapshot);
    let spec = node_spec(&[(3001, "http")]);
    put(&mut draft, node("http"), &spec).unwrap();
    let change = only(draft);
    let (before, after) = (change.before.unwrap(), change.after.unwrap());
    assert_eq!(Some(&before), world.snapshot.get(&node("http")));
    assert_eq!(serde_json::to_value(after.spec.wire()).unwrap(), spec);
    assert_eq!(after.metadata.version, before.metadata.version + 1);
    assert_eq!(after.metadata.last_updated_at, now());
    assert_eq!(after.metadata.created_at, before.metadata.created_at);
    assert_eq!(after.metadata.uid, before.metadata.uid);
}

#[test]
fn what_is_so_already_is_no_change() {
    let world = World::with_one_of_everything();
    let mut draft = draft(&world.snapshot);
    put(&mut draft, node("http"), &node_spec(&[(3000, "http")])).unwrap();
    draft.remove(&node("nowhere")).unwrap();
    assert_eq!(draft.snapshot(), &world.snapshot);
    assert_eq!(draft.finish(), []);
}

#[test]
fn shares_are_part_of_a_change_and_go_with_the_next_put() {
    let mut world = World::with_one_of_everything();
    world.create(route("http"), to_node("http")).unwrap();
    let spec = world.snapshot.get(&route("http")).unwrap().spec.clone();
    let shares = Shares::split("http", "two", Share::from_basis_points(30).unwrap());
    let mut draft = draft(&world.snapshot);
    draft
        .put_with_shares(route("http"), spec.clone(), Some(shares.clone()))
        .unwrap();
    assert_eq!(
        draft.snapshot().get(&route("http")).unwrap().shares,
        Some(shares)
    );
    draft.put(route("http"), spec).unwrap();
    let after = only(draft).after.unwrap();
    assert_eq!((&after.shares, after.metadata.version), (&None, 3));
}

#[test]
fn each_change_is_checked_against_the_ones_before_it() {
    let world = World::with_one_of_everything();
    let mut draft = draft(&world.snapshot);
    let refused = put(&mut draft, route("new"), &to_node("new")).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::NotFound);

    put(&mut draft, router("new"), &listeners(&[(3000, "http")])).unwrap();
    put(&mut draft, node("new"), &node_spec(&[(3000, "http")])).unwrap();
    put(&mut draft, route("new"), &to_node("new")).unwrap();
    let in_use = draft.remove(&node("new")).unwrap_err();
    assert_eq!(in_use.kind, ErrorKind::ResourceInUse);

    draft.remove(&route("new")).unwrap();
    draft.remove(&node("new")).unwrap();
    assert_eq!(only(draft).id, router("new"), "all else was taken back");
}

#[test]
fn a_refused_change_leaves_the_others_as_they_are() {
    let world = World::with_one_of_everything();
    let mut draft = draft(&world.snapshot);
    put(&mut draft, node("new"), &node_spec(&[(3000, "http")])).unwrap();
    let bad_port = put(&mut draft, node("http"), &node_spec(&[(0, "http")])).unwrap_err();
    assert_eq!(bad_port.kind, ErrorKind::BadRequest);
    assert_eq!(only(draft).id, node("new"));
}

#[test]
fn changes_come_in_the_order_of_identifiers_with_both_sides() {
    let mut world = World::with_one_of_everything();
    world.create(route("http"), to_node("http")).unwrap();
    let mut draft = draft(&world.snapshot);
    draft.remove(&route("http")).unwrap();
    put(&mut draft, node("http"), &node_spec(&[(3001, "http")])).unwrap();
    put(&mut draft, node("new"), &json!({})).unwrap();
    let changes = draft.finish();
    let sides: Vec<(&ResourceId, bool, bool)> = changes
        .iter()
        .map(|change| (&change.id, change.before.is_some(), change.after.is_some()))
        .collect();
    let (http, new, gone) = (node("http"), node("new"), route("http"));
    assert_eq!(
        sides,
        [
            (&http, true, true),
            (&new, false, true),
            (&gone, true, false)
        ]
    );
    assert!(changes.is_sorted_by_key(|change| &change.id));
}
