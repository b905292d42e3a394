//! Many writers at once: nothing is lost, nothing is half done.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use serde_json::json;

use crate::fixture::{Answer, Api, MESHES, node_spec, run};

const WRITERS: i64 = 16;

/// Sixteen requests at once from as many threads, each made from its writer's number.
fn at_once(api: &Api, request: fn(i64) -> (&'static str, String, String)) -> Vec<Answer> {
    let start = Barrier::new(WRITERS as usize);
    let write = &|number| {
        let (method, path, body) = request(number);
        let uri = format!("{MESHES}{path}");
        start.wait();
        run(api.ask(method, &uri, body))
    };
    thread::scope(|scope| {
        let writers = (0..WRITERS).map(|number| scope.spawn(move || write(number)));
        let writers: Vec<_> = writers.collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    })
}

fn in_file() -> (tempfile::TempDir, Api) {
    let directory = tempfile::tempdir().unwrap();
    let api = Api::in_file(&directory.path().join("mesh.redb"));
    api.fill();
    (directory, api)
}

fn succeeded(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status == 200).count()
}

#[test]
fn every_update_counts() {
    let (_directory, api) = in_file();
    let answers = at_once(&api, |_| {
        let update = json!({"spec": node_spec()});
        ("PUT", "/m/virtualNodes/blue".to_owned(), update.to_string())
    });
    let versions = answers
        .into_iter()
        .map(|answer| answer.ok()["metadata"]["version"].as_i64());
    let versions: BTreeSet<i64> = versions.flatten().collect();
    assert_eq!(versions, (2..=WRITERS + 1).collect());
}

#[test]
fn of_many_creates_of_one_name_one_succeeds() {
    let (_directory, api) = in_file();
    let answers = at_once(&api, |number| {
        let spec = json!({"virtualNodeName": "x", "spec": {}, "clientToken": number.to_string()});
        ("PUT", "/m/virtualNodes".to_owned(), spec.to_string())
    });
    assert_eq!(succeeded(&answers), 1);
    assert!(
        answers
            .iter()
            .filter(|answer| answer.status != 200)
            .all(|answer| answer.status == 409)
    );
}

#[test]
fn of_one_create_sent_often_all_get_the_same_answer() {
    let (_directory, api) = in_file();
    let answers = at_once(&api, |_| {
        let spec = json!({"virtualNodeName": "x", "spec": {}, "clientToken": "token"});
        ("PUT", "/m/virtualNodes".to_owned(), spec.to_string())
    });
    assert_eq!(succeeded(&answers), 16);
    assert!(answers.iter().all(|answer| answer == &answers[0]));
}

#[test]
fn the_last_room_in_a_quota_is_given_once() {
    let (_directory, api) = in_file();
    // One gateway is there, three is the quota.
    let answers = at_once(&api, |number| {
        let gateway = json!({"virtualGatewayName": number.to_string(), "spec": {"listeners": []}});
        ("PUT", "/m/virtualGateways".to_owned(), gateway.to_string())
    });
    assert_eq!(succeeded(&answers), 2);
    let refused = answers.into_iter().filter(|answer| answer.status != 200);
    assert!(
        refused
            .map(|answer| answer.refused().0)
            .all(|error| error == "LimitExceededException")
    );
}

/// Whoever comes first, a reference never points to nothing.
#[test]
fn a_node_is_not_deleted_while_a_service_comes_to_need_it() {
    let (_directory, api) = in_file();
    at_once(&api, |number| {
        if number % 2 == 0 {
            let provider = json!({"virtualNode": {"virtualNodeName": "blue"}});
            let name = format!("s{number}");
            let service = json!({"virtualServiceName": name, "spec": {"provider": provider}});
            ("PUT", "/m/virtualServices".to_owned(), service.to_string())
        } else {
            ("DELETE", "/m/virtualNodes/blue".to_owned(), String::new())
        }
    });
    let world = api.store.snapshot();
    let provided = world.of_kind("m", model::Kind::VirtualService).count() > 1;
    let present = world.virtual_node("m", "blue").is_some();
    assert_eq!(provided, present);
}
