//! A server that is killed at any step of a release takes it to the same end when it is started again.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use testkit::raw::RawClient;

use crate::serin::{Running, example, json, processes_below, run, serin, serving};

/// Every event that a release which is promoted step by step goes through, but its end.
const EVENTS: [&str; 10] = [
    "requested",
    "began",
    "built",
    "joined",
    "tasksStarted",
    "tasksHealthy",
    "shareSet",
    "decided",
    "left",
    "retired",
];

/// Starts a release, kills the server as soon as the event is seen, starts it again, and waits for the end.
fn release_with_kill(
    state: &Path,
    manifest: &Path,
    mut server: Running,
    tag: &str,
    event: &str,
) -> Running {
    let (code, _, stderr) = run(
        state,
        &[
            "release",
            "crystal",
            "--tag",
            tag,
            "--policy",
            "steps",
            "--steps",
            "20,100",
            "--step-time",
            "100ms",
            "--detach",
        ],
    );
    assert_eq!(code, 0, "{event}: {stderr}");
    let mut follow = Running::start(&mut serin(state, &["follow", "crystal", "-o", "json"]));
    follow.wait_for(&format!("\"event\":\"{event}\""));
    server.signal(Signal::KILL);
    server.finish();
    server = serving(state, manifest);
    let (code, stdout, stderr) = follow.finish();
    assert_eq!(code, 0, "killed at {event}: {stdout}\n{stderr}");
    server
}

#[test]
fn a_server_killed_at_each_step_resumes_to_the_same_outcome() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = example(directory.path());
    let mut server = serving(state, &manifest);
    for (number, event) in EVENTS.into_iter().enumerate() {
        let tag = format!("v{number}");
        server = release_with_kill(state, &manifest, server, &tag, event);

        let release = format!("crystal-{}", number + 2);
        let (code, stdout, stderr) = run(state, &["follow", &release, "-o", "json"]);
        assert_eq!(code, 0, "killed at {event}: {stderr}");
        let events: Vec<Value> = stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for once in [
            "requested",
            "built",
            "joined",
            "tasksStarted",
            "tasksHealthy",
            "decided",
            "ended",
        ] {
            let times = events.iter().filter(|line| line["event"] == once).count();
            assert_eq!(
                times, 1,
                "killed at {event}: {once} stands {times} times in\n{stdout}"
            );
        }
        assert_eq!(
            events.last().unwrap()["data"]["outcome"],
            "promoted",
            "killed at {event}"
        );

        let service = json(state, &["status", "crystal"]);
        let running: Vec<&Value> = service["versions"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|version| !version["tasks"].as_array().unwrap().is_empty())
            .collect();
        assert_eq!(running.len(), 1, "killed at {event}: {service}");
        assert_eq!(running[0]["tag"], tag.as_str(), "killed at {event}");
        assert_eq!(
            running[0]["tasks"].as_array().unwrap().len(),
            3,
            "killed at {event}"
        );
    }
    server.signal(Signal::TERM);
    server.finish();
    let left = processes_below(directory.path());
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_order_is_confirmed_when_no_crash_can_lose_it() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = example(directory.path());
    let _server = serving(state, &manifest);
    let release = [
        "release", "crystal", "--tag", "epoch", "--policy", "manual", "--detach",
    ];
    let (code, _, stderr) = run(state, &release);
    assert_eq!(code, 0, "{stderr}");

    let presence = std::fs::read(state.join("server.json")).unwrap();
    let presence: Value = serde_json::from_slice(&presence).unwrap();
    let address = presence["api"].as_str().unwrap();
    let address = address.trim_start_matches("http://");
    let token = presence["token"].as_str().unwrap();
    let mut api = RawClient::connect(address.parse().unwrap()).await.unwrap();
    let head = |call: &str| {
        format!("{call} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n")
    };
    let body = r#"{"order": "hold"}"#;
    let hold = head("POST /v1/releases/crystal-2/orders")
        + &format!(
            "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
    let events = head("GET /v1/releases/crystal-2/events") + "\r\n";
    // While it builds, while its tasks start, and while it waits.
    let (mut given, mut given_at_rest) = (0, 0);
    while given_at_rest < 10 {
        let taken = api.ask(&hold).await.unwrap();
        assert_eq!(taken.status, 200, "{}", taken.text());
        given += 1;
        let story = api.ask(&events).await.unwrap().text();
        let written = story.matches(r#""event":"ordered""#).count();
        assert_eq!(written, given, "{story}");
        given_at_rest += usize::from(story.contains(r#""event":"tasksHealthy""#));
    }
    assert!(given > 10, "none was given to the build");
    assert_eq!(run(state, &["rollback", "crystal-2"]).0, 0);
    let (code, stdout, stderr) = run(state, &["follow", "crystal-2"]);
    assert_ne!(code, 0, "{stdout}\n{stderr}");
    assert_eq!(stdout.matches("begin to build").count(), 1, "{stdout}");

    // Nobody wants this build any more.
    let patch = directory.path().join("patches/add_time_ms.patch");
    let patched = [&release[..], &["--patch", patch.to_str().unwrap()]].concat();
    assert_eq!(run(state, &patched).0, 0);
    let (code, _, stderr) = run(state, &["rollback", "crystal-3"]);
    assert_eq!(code, 0, "{stderr}");
    let (code, stdout, stderr) = run(state, &["follow", "crystal-3"]);
    assert_ne!(code, 0, "{stdout}\n{stderr}");
    assert!(!stdout.contains("built"), "{stdout}");
    let (code, _, stderr) = run(state, &["rollback", "crystal-2"]);
    assert_ne!(code, 0);
    assert!(stderr.contains("crystal-2 has ended"), "{stderr}");
}
