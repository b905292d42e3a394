//! The storage form: what was ever written stays readable.

use model::{Metadata, Resource, ResourceId, Share, Shares, Spec, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::ids::{any_id, id};
use crate::strategy;

const FORMAT_1: &str = include_str!("../../testdata/resource-format-1.json");

fn route() -> Resource {
    let spec = json!({"priority": 10, "httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [
        {"virtualNode": "crystal-sd-vanilla", "weight": 7},
        {"virtualNode": "crystal-sd-epoch", "weight": 1},
    ]}}});
    let id = ResourceId::route(
        "appmesh-workshop",
        "crystal-router",
        "crystal-traffic-route",
    );
    let created = Timestamp::from_millis(1_763_000_000_123);
    let metadata = Metadata::new("5f1f2f6e-uid", "123456789012", created);
    let spec = Spec::parse(id.kind(), &spec).unwrap();
    let mut resource = Resource::new(
        id,
        spec,
        metadata.changed(Timestamp::from_millis(1_763_000_005_000)),
    );
    resource.tags.insert("team".into(), "crystal".into());
    let share = Share::from_basis_points(1250).unwrap();
    resource.shares = Some(Shares::split(
        "crystal-sd-vanilla",
        "crystal-sd-epoch",
        share,
    ));
    resource
}

#[test]
fn format_1_reads_and_is_still_what_is_written() {
    let stored: Value = serde_json::from_str(FORMAT_1).unwrap();
    assert_eq!(serde_json::from_str::<Resource>(FORMAT_1).unwrap(), route());
    assert_eq!(serde_json::to_value(route()).unwrap(), stored);
}

#[test]
fn what_this_version_cannot_use_is_refused() {
    let change = |member: &str, value: Value| {
        let mut stored: Value = serde_json::from_str(FORMAT_1).unwrap();
        stored[member] = value;
        serde_json::from_value::<Resource>(stored)
            .unwrap_err()
            .to_string()
    };
    let path = "mesh/appmesh-workshop/virtualRouter/crystal-router/route/crystal-traffic-route";
    assert_eq!(
        change("format", json!(2)),
        format!("{path} is stored in format 2, this version reads format 1")
    );
    assert_eq!(
        change("spec", json!({"mesh": {}})),
        format!("{path} is stored with the spec of a Mesh")
    );
    assert!(change("shares", json!({"crystal-sd-epoch": 1})).contains("sum to 1 "));
    assert!(change("surprise", json!(1)).contains("unknown field"));
}

proptest! {
    #[test]
    fn every_resource_reads_back(
        spec in strategy::spec(),
        names in any_id(),
        (created, updated) in (any::<u32>(), any::<u32>()),
    ) {
        let at = |seconds: u32| Timestamp::from_millis(i64::from(seconds) * 1000 + 7);
        let id = id(spec.kind(), &names.mesh, names.name(), names.name());
        let metadata = Metadata::new("uid", "123456789012", at(created)).changed(at(updated));
        let resource = Resource::new(id, spec, metadata);
        let bytes = serde_json::to_vec(&resource).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Resource>(&bytes).unwrap(), resource);
    }

    #[test]
    fn timestamps_keep_their_millisecond(millis in -62_167_219_200_000..253_402_300_800_000_i64) {
        let text = serde_json::to_string(&Timestamp::from_millis(millis)).unwrap();
        prop_assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap().millis(), millis);
    }
}

#[test]
fn timestamps_are_seconds() {
    let read = |text| {
        serde_json::from_str::<Timestamp>(text)
            .map(Timestamp::millis)
            .ok()
    };
    assert_eq!(read("1763000000.123"), Some(1_763_000_000_123));
    assert_eq!(read("1763000000"), Some(1_763_000_000_000));
    assert_eq!(read("1e300"), None);
    assert_eq!(read("\"2025-01-01\""), None);
}
