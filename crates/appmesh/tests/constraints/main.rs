//! Each operation against each constraint of its input: just inside is accepted, just outside is a bad request.
//!
//! The constraints come from AWS's public service model, so none can be forgotten, and a model that has more of them one
//! day makes more cases. [`by_hand`] has what no model states.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use crate::cases::{Case, Expected};
use crate::place::Place;
use crate::service::{Service, Shape};
use crate::world::World;

mod bases;
mod by_hand;
mod cases;
mod place;
mod request;
mod service;
mod world;

/// A text of this many characters that begins and ends as `text` does.
pub(crate) fn stretched(text: &str, length: usize) -> String {
    let end = if text.ends_with('/') { "/" } else { "" };
    let filler = if text.ends_with(|last: char| last.is_ascii_digit()) {
        '1'
    } else {
        'a'
    };
    let start = text.strip_suffix(end).unwrap_or(text).chars();
    let start_length = length.saturating_sub(end.len());
    let start = start.chain(std::iter::repeat(filler)).take(start_length);
    start.chain(end.chars()).take(length).collect()
}

#[test]
fn the_bases_visit_every_place_of_every_input() {
    let service = Service::load();
    assert_eq!(service.operations.len(), 38);
    for (name, operation) in &service.operations {
        let mut unvisited = cases::unvisited(&service, operation, &bases::of(name));
        // A token is the server's own, and means nothing but to the server.
        unvisited.retain(|place| place != "nextToken");
        assert_eq!(unvisited, [""; 0], "{name}");
    }
}

#[test]
fn just_inside_is_accepted_and_just_outside_is_refused() {
    let service = Service::load();
    let world = World::new();
    let revision = world.revision();
    let mut failures = Vec::new();
    let mut counts = BTreeMap::new();
    for name in service.operations.keys() {
        let ran = run(&service, &world, name);
        counts.insert(name.as_str(), ran.count);
        failures.extend(ran.failures);
    }
    let report = failures.join("\n");
    assert!(
        failures.is_empty(),
        "{} failures:\n{report}",
        failures.len()
    );
    assert_eq!(
        world.revision(),
        revision,
        "a refusal has changed the world"
    );
    assert_floors(&counts);
}

type Slip = fn(&mut Shape);

/// A slip in one bound, on either side, would fail the test above.
#[test]
fn a_bound_that_is_off_by_one_is_noticed() {
    let world = World::new();
    let slips: [(&str, Slip); 4] = [
        ("least number", |port| port.min = Some(0)),
        ("least number", |port| port.min = Some(2)),
        ("greatest number", |port| port.max = Some(65_534)),
        ("greatest number", |port| port.max = Some(65_536)),
    ];
    for (constraint, slip) in slips {
        let mut service = Service::load();
        slip(service.shapes.get_mut("PortNumber").unwrap());
        let failures = run(&service, &world.fork(), "CreateVirtualRouter").failures;
        let expected = format!("spec.listeners[0].portMapping.port, {constraint}");
        assert!(
            failures.iter().any(|failure| failure.contains(&expected)),
            "{expected} is not among {failures:?}"
        );
    }
}

struct Ran {
    count: usize,
    failures: Vec<String>,
}

/// Makes every case of an operation; what should change the world changes a fork of it.
fn run(service: &Service, world: &World, name: &str) -> Ran {
    let operation = &service.operations[name];
    let cases = cases::of(service, operation, &bases::of(name));
    let (inside, outside): (Vec<Case>, Vec<Case>) = cases
        .into_iter()
        .partition(|case| case.expected == Expected::Accepted);
    let mut failures = Vec::new();

    let mut refused = BTreeSet::new();
    for case in outside {
        if !refused.insert((case.place.clone(), case.constraint.clone())) {
            continue;
        }
        let response = world.answer(&request::of(service, operation, &case.input));
        if let Err(what) = is_refused(&response, &case.expected) {
            failures.push(format!(
                "{name}, {}, {}: {what}",
                case.place, case.constraint
            ));
        }
    }

    // Other rules may speak against it in one base, but not in all.
    let mut accepted: BTreeMap<_, Result<(), String>> = BTreeMap::new();
    for case in inside {
        let outcome = accepted
            .entry((case.place, case.constraint))
            .or_insert_with(|| Err(String::new()));
        if outcome.is_err() {
            let request = request::of(service, operation, &case.input);
            *outcome = match operation.http.method.as_str() {
                "GET" => is_accepted(&world.answer(&request)),
                _ => is_accepted(&world.fork().answer(&request)),
            };
        }
    }
    let count = accepted.len() + refused.len();
    for ((place, constraint), outcome) in accepted {
        match (outcome, is_stricter(&place, &constraint)) {
            (Ok(()), false) | (Err(_), true) => {}
            (Ok(()), true) => failures.push(format!("{name}, {place}: no longer stricter")),
            (Err(what), false) => failures.push(format!("{name}, {place}, {constraint}: {what}")),
        }
    }
    Ran { count, failures }
}

fn is_accepted(response: &Response<Bytes>) -> Result<(), String> {
    match response.status().as_u16() {
        200 => Ok(()),
        status => Err(format!("{status} {}", text(response))),
    }
}

/// Whether it is a bad request that names the place.
fn is_refused(response: &Response<Bytes>, expected: &Expected) -> Result<(), String> {
    let Expected::Refused(place) = expected else {
        return Err("nothing to be refused".to_owned());
    };
    let kind = response.headers().get("x-amzn-ErrorType");
    let kind = kind.map_or("no error", |kind| kind.to_str().unwrap());
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    let names_place = body["message"]
        .as_str()
        .is_some_and(|message| message.contains(&place.to_string()));
    if response.status() == 400 && kind == "BadRequestException" && names_place {
        return Ok(());
    }
    let status = response.status();
    Err(format!(
        "{status} {kind} does not name {place}: {}",
        text(response)
    ))
}

fn text(response: &Response<Bytes>) -> String {
    String::from_utf8_lossy(response.body()).into_owned()
}

/// Where Serin asks for more than the service model states, so that its bounds are not enough.
fn is_stricter(place: &Place, constraint: &str) -> bool {
    // The model says how long an event is, its documentation which ones there are.
    matches!(constraint, "least length" | "greatest length")
        && place.to_string().ends_with("httpRetryEvents[0]")
}

/// So many cases at least have run, so that a walk that ends too early is noticed.
fn assert_floors(counts: &BTreeMap<&str, usize>) {
    let by_kind: [(&str, [usize; 5]); 7] = [
        // Create, update, delete, describe, list.
        ("Mesh", [50, 30, 6, 10, 7]),
        ("VirtualNode", [750, 730, 15, 15, 16]),
        ("VirtualRouter", [70, 50, 15, 15, 16]),
        ("VirtualService", [65, 40, 11, 11, 16]),
        ("VirtualGateway", [400, 380, 15, 15, 16]),
        ("Route", [780, 760, 20, 20, 21]),
        ("GatewayRoute", [550, 530, 20, 20, 21]),
    ];
    let of_tags = [
        ("TagResource", 25),
        ("UntagResource", 15),
        ("ListTagsForResource", 8),
    ];
    let floors = by_kind.into_iter().flat_map(|(kind, floors)| {
        let verbs = ["Create", "Update", "Delete", "Describe", "List"];
        verbs.into_iter().zip(floors).map(move |(verb, floor)| {
            let plural = if kind == "Mesh" { "es" } else { "s" };
            let plural = if verb == "List" { plural } else { "" };
            (format!("{verb}{kind}{plural}"), floor)
        })
    });
    let of_tags = of_tags.map(|(operation, floor)| (operation.to_owned(), floor));
    for (operation, floor) in floors.chain(of_tags) {
        let ran = counts.get(operation.as_str()).copied().unwrap_or(0);
        assert!(ran >= floor, "only {ran} cases of {operation}, not {floor}");
    }
}
