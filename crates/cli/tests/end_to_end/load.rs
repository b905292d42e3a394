//! Moving traffic between versions costs no request, at 5,000 requests a second.

use std::path::Path;

use testkit::{Load, until};

use crate::serin::{Running, example, json, run, serin, serving};

const RATE: f64 = 5000.0;
const CONNECTIONS: u32 = 32;

async fn ordered(state: &Path, arguments: &[&str]) {
    let (code, _, stderr) = run(state, arguments);
    assert_eq!(code, 0, "{arguments:?}: {stderr}");
}

/// Requests that a version has answered, as its proxy counted.
fn requests(state: &Path, tag: &str) -> u64 {
    let service = json(state, &["status", "crystal"]);
    let versions = service["versions"].as_array().unwrap();
    let version = versions.iter().find(|version| version["tag"] == tag);
    version.map_or(0, |version| version["requests"].as_u64().unwrap())
}

/// Follows a release to its end, for as long as a build takes on a busy machine, to this exit code.
fn ends_with(state: &Path, release: &str, exit: i32) {
    let (code, stdout, stderr) = run(state, &["follow", release]);
    assert_eq!(code, exit, "{stdout}\n{stderr}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_from_0_to_100_percent_and_back_loses_no_request_under_load() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = example(directory.path());
    let _up = serving(state, &manifest);
    let status = json(state, &["status"]);
    let gateway = status["gateway"]
        .as_str()
        .unwrap()
        .strip_prefix("http://")
        .unwrap();
    let request = "GET /crystal HTTP/1.1\r\nhost: crystal\r\n\r\n";
    let load = Load::start(gateway.parse().unwrap(), CONNECTIONS, Some(RATE), request);

    let release = [
        "release", "crystal", "--tag", "epoch", "--policy", "manual", "--patch",
    ];
    let patch = directory.path().join("patches/add_time_ms.patch");
    ordered(
        state,
        &[&release[..], &[patch.to_str().unwrap(), "--detach"]].concat(),
    )
    .await;
    let mut follow = Running::start(&mut serin(state, &["follow", "crystal-2"]));
    follow.wait_for("all tasks are healthy");
    for share in ["12.5%", "50%", "100%", "25%", "0.01%", "100%"] {
        ordered(state, &["set", "crystal-2", share]).await;
        let sent = load.sent();
        until("a thousand more requests", async || {
            load.sent() > sent + 1000
        })
        .await;
    }
    ordered(state, &["rollback", "crystal-2"]).await;
    ends_with(state, "crystal-2", 20);

    let release = [
        "release", "crystal", "--tag", "again", "--policy", "manual", "--detach",
    ];
    ordered(state, &release).await;
    ordered(state, &["promote", "crystal-3"]).await;
    ends_with(state, "crystal-3", 0);
    let sent = load.sent();
    until("a thousand more requests", async || {
        load.sent() > sent + 1000
    })
    .await;
    until("most of them to be counted", async || {
        requests(state, "again") > 500
    })
    .await;

    let report = load.stop().await.unwrap();
    assert_eq!(report.failed(), 0, "{:?}", report.failures);
    assert_eq!(
        report.with_status(200),
        report.total(),
        "{:?}",
        statuses(&report)
    );
    let canary = report
        .responses
        .keys()
        .filter(|(_, text)| text.contains("CANARY"))
        .count();
    assert!(canary > 0, "no answer of the canary");
}

fn statuses(report: &testkit::Report) -> Vec<u16> {
    report.responses.keys().map(|(status, _)| *status).collect()
}
