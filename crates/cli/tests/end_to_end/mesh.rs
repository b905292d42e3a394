//! `serin up` and the commands that speak to it.

use std::net::SocketAddr;

use rustix::process::Signal;
use testkit::raw::RawClient;
use testkit::until;

use crate::serin::{Running, admin, example, json, processes_below, run, serin, serving};

#[test]
fn a_release_is_steered_by_hand_from_request_to_rollback() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = example(directory.path());
    let manifest = manifest.to_str().unwrap();
    let mut up = Running::start(&mut serin(state, &["up", "-f", manifest]));
    up.wait_for("gateway  http://127.0.0.1:");
    up.wait_for("crystal  ready");

    let (code, _, stderr) = run(state, &["up", "-f", manifest]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains(&format!("process {}", up.pid())),
        "{stderr}"
    );
    assert!(stderr.contains("\n\nhint: "), "{stderr}");

    let status = json(state, &["status"]);
    assert_eq!(status["services"][0]["versions"][0]["tag"], "vanilla");
    assert_eq!(
        status["services"][0]["versions"][0]["tasks"]
            .as_array()
            .unwrap()
            .len(),
        3
    );

    let patch = directory.path().join("patches/add_time_ms.patch");
    let release = [
        "release",
        "crystal",
        "--tag",
        "epoch",
        "--policy",
        "manual",
        "--patch",
        patch.to_str().unwrap(),
    ];
    let (code, stdout, _) = run(state, &[&release[..], &["--dry-run"]].concat());
    assert_eq!(code, 0);
    assert!(
        stdout.starts_with(
            "would release epoch beside vanilla, virtual node crystal-sd-epoch, policy manual\n"
        ),
        "{stdout}"
    );
    assert!(stdout.contains("2 files changed"), "{stdout}");

    let (code, stdout, stderr) = run(state, &[&release[..], &["--detach"]].concat());
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.starts_with("crystal-2: epoch beside vanilla"),
        "{stdout}"
    );
    assert!(
        stderr.contains(
            "`serin follow crystal-2` watches it again, `serin rollback crystal-2` ends it"
        ),
        "{stderr}"
    );

    let mut follow = Running::start(&mut serin(state, &["follow", "crystal"]));
    follow.wait_for("all tasks are healthy");
    let (code, stdout, stderr) = run(state, &["set", "crystal-2", "12.5%"]);
    assert_eq!(
        (code, stdout.as_str()),
        (0, "crystal-2: told to set 12.5 %\n"),
        "{stderr}"
    );
    assert!(stderr.starts_with("undo: serin "), "{stderr}");
    follow.wait_for("share set to 12.5 %");
    let (code, stdout, _) = run(state, &["promote", "crystal", "--dry-run"]);
    assert_eq!(
        (code, stdout.as_str()),
        (0, "crystal-2: would be told to promote\n")
    );
    let (code, ..) = run(state, &["rollback", "crystal-2"]);
    assert_eq!(code, 0);
    let (code, stdout, stderr) = follow.finish();
    assert_eq!(code, 20, "{stdout}\n{stderr}");
    assert!(stdout.trim_end().ends_with("rolled back"), "{stdout}");

    let why = json(state, &["why", "crystal-2"]);
    assert_eq!(why["release"]["ended"]["outcome"], "rolledBack");
    let (code, stdout, _) = run(state, &["why", "crystal-2"]);
    assert_eq!(code, 0);
    assert!(
        stdout.starts_with("crystal-2 (epoch) was rolled back "),
        "{stdout}"
    );
    let (code, stdout, _) = run(
        state,
        &["logs", "crystal", "--version", "vanilla", "--task", "0"],
    );
    assert_eq!(code, 0);
    assert!(
        stdout.contains("[crystal/vanilla/0] ") && stdout.contains("Program started"),
        "{stdout}"
    );
    let of_task = ["logs", "crystal", "--task", "1", "-n", "1", "-o", "json"];
    let (_, stdout, _) = run(state, &of_task);
    let line: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(line["task"], "crystal/vanilla/1");
    let (code, _, stderr) = run(state, &["logs", "crystal", "--version", "epoch"]);
    assert_eq!(code, 3, "{stderr}");
    assert!(
        stderr.contains("these run: crystal/vanilla/0, crystal/vanilla/1, crystal/vanilla/2"),
        "{stderr}"
    );
    let (code, _, stderr) = run(state, &["hold", "crystal-2"]);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.starts_with("error: crystal-2 has ended"), "{stderr}");

    // What is no patch is refused before anything begins.
    let broken = directory.path().join("broken.patch");
    std::fs::write(
        &broken,
        "--- a/src/main.rs\n+++ b/src/main.rs\n@@ -1,99 +1 @@\n",
    )
    .unwrap();
    let (code, _, stderr) = run(
        state,
        &["release", "crystal", "--patch", broken.to_str().unwrap()],
    );
    assert_eq!(code, 3, "{stderr}");
    assert!(
        stderr.starts_with("error: the patch broken.patch is refused: "),
        "{stderr}"
    );
    let misfit = directory.path().join("misfit.patch");
    std::fs::write(
        &misfit,
        "--- a/code_hash.txt\n+++ b/code_hash.txt\n@@ -1 +1 @@\n-ANOTHER\n+ONE\n",
    )
    .unwrap();
    let misfit = ["release", "crystal", "--patch", misfit.to_str().unwrap()];
    let (code, _, stderr) = run(state, &[&misfit[..], &["--dry-run"]].concat());
    assert_eq!(code, 3, "{stderr}");
    assert!(
        stderr
            .starts_with("error: the patch misfit.patch does not apply to the source of crystal: "),
        "{stderr}"
    );

    up.signal(Signal::TERM);
    let (code, _, stderr) = up.finish();
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.ends_with("stopped; `serin up` goes on where this ended\n"),
        "{stderr}"
    );
    assert!(
        processes_below(directory.path()).is_empty(),
        "{:?}",
        processes_below(directory.path())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_sees_what_is_shed_and_ends_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = example(directory.path());
    let command = ["up", "-f", manifest.to_str().unwrap()];
    let options = ["--admin", "127.0.0.1:0", "--max-connections", "1"];
    let mut up = Running::start(&mut serin(state, &[&command[..], &options].concat()));
    let address = |line: String| line.trim().rsplit_once("http://").unwrap().1.parse();
    let gateway: SocketAddr = address(up.wait_for("gateway  http://")).unwrap();
    let desk: SocketAddr = address(up.wait_for("admin    http://")).unwrap();
    up.wait_for("crystal  ready");

    let request = "GET /crystal HTTP/1.1\r\nhost: gateway\r\n\r\n";
    let mut inside = RawClient::connect(gateway).await.unwrap();
    assert_eq!(inside.ask(request).await.unwrap().status, 200);
    let mut beyond = RawClient::connect(gateway).await.unwrap();
    assert!(beyond.read_to_end().await.is_empty());
    let (_, statistics) = admin(desk, "GET /metrics").await;
    let shed = "serin_shed_total{what=\"connection\"} 1\n";
    assert!(statistics.contains(shed), "{statistics}");
    assert_eq!(inside.ask(request).await.unwrap().status, 200);
    let (_, clusters) = admin(desk, "GET /clusters").await;
    assert!(clusters.contains("::health_flags::healthy"), "{clusters}");
    assert_eq!(admin(desk, "GET /ready").await, (200, "LIVE\n".into()));
    assert_eq!(admin(desk, "POST /logging?level=debug").await.0, 200);

    // Whoever follows nobody does not wait for the port.
    let elsewhere = &directory.path().join("elsewhere");
    let taken = desk.to_string();
    let (code, stdout, stderr) = run(elsewhere, &[&command[..], &["--admin", &taken]].concat());
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(
        stderr.contains(&format!("could not listen for administrators on {taken}")),
        "{stderr}"
    );

    assert_eq!(admin(desk, "POST /quitquitquit").await.0, 200);
    let (code, _, stderr) = up.finish();
    assert_eq!(code, 0, "{stderr}");
}

#[tokio::test]
async fn who_follows_a_release_may_leave_and_it_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = example(directory.path());
    let _up = serving(state, &manifest);

    let release = ["release", "crystal", "--tag", "again", "--policy", "manual"];
    let mut follow = Running::start(&mut serin(state, &release));
    follow.wait_for("all tasks are healthy");
    follow.signal(Signal::INT);
    let (code, _, stderr) = follow.finish();
    assert_eq!(code, 130);
    assert!(
        stderr.starts_with("crystal-2 goes on; `serin follow crystal-2` watches it again"),
        "{stderr}"
    );

    assert!(json(state, &["status", "crystal"])["release"]["ended"].is_null());
    let (code, ..) = run(state, &["promote", "crystal"]);
    assert_eq!(code, 0);
    let has_ended = async || !json(state, &["status", "crystal"])["release"]["ended"].is_null();
    until("the release ends", has_ended).await;
    let (code, stdout, _) = run(state, &["follow", "crystal-2", "-o", "json"]);
    assert_eq!(code, 0);
    let last: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["event"], &last["data"]["outcome"]),
        (&"ended".into(), &"promoted".into())
    );
}

#[test]
fn who_follows_a_release_sees_every_event_once_though_the_server_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = example(directory.path());
    let first = serving(state, &manifest);
    let release = [
        "release", "crystal", "--tag", "again", "--policy", "manual", "-o", "json",
    ];
    let mut follow = Running::start(&mut serin(state, &release));
    follow.wait_for("tasksHealthy");

    first.signal(Signal::KILL);
    first.finish();
    let _second = serving(state, &manifest);
    let (code, _, stderr) = run(state, &["promote", "crystal-2"]);
    assert_eq!(code, 0, "{stderr}");
    let (code, stdout, stderr) = follow.finish();
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let events = stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let sequences: Vec<u64> = events
        .filter_map(|event| event["sequence"].as_u64())
        .collect();
    assert!(
        sequences.len() > 5 && sequences.windows(2).all(|pair| pair[0] < pair[1]),
        "{sequences:?}"
    );
}

#[test]
fn a_release_that_does_not_build_comes_to_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = example(directory.path());
    let _up = serving(state, &manifest);
    std::fs::write(
        directory.path().join("src/main.rs"),
        "fn main() { this is no program }\n",
    )
    .unwrap();
    let (code, stdout, stderr) = run(state, &["release", "crystal", "--tag", "broken"]);
    assert_eq!(code, 1, "{stdout}\n{stderr}");
    assert!(
        stderr.starts_with("error: crystal-2 came to nothing: the build failed: "),
        "{stderr}"
    );
    assert!(
        stderr.contains("expected one of"),
        "the compiler's words are missing:\n{stderr}"
    );
    let status = json(state, &["status", "crystal"]);
    assert_eq!(
        (&status["ready"], &status["versions"][0]["tag"]),
        (&true.into(), &"vanilla".into())
    );
}

#[test]
fn a_build_that_fails_is_shown_and_nothing_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = example(directory.path());
    std::fs::write(
        directory.path().join("src/main.rs"),
        "fn main() { this is no program }\n",
    )
    .unwrap();
    let state = &directory.path().join(".serin");
    let (code, _, stderr) = run(state, &["up", "-f", manifest.to_str().unwrap()]);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("error: crystal has no version that runs"),
        "{stderr}"
    );
    assert!(
        stderr.contains("expected one of"),
        "the compiler's words are missing:\n{stderr}"
    );
    assert!(!state.join("server.json").exists());
}

/// Answers with what its backend says, which it calls as `http_proxy` tells it to.
const FRONT: &str = r#"
import os, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = b"healthy"
        if self.path != "/health":
            body = b"front: " + urllib.request.urlopen("http://crystal.two.local:3000/crystal", timeout=5).read()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Front).serve_forever()
"#;

const TWO_SERVICES: &str = "
mesh: two
gateway: { port: 0 }
services:
  crystal:
    build: rustc --edition 2024 -O -o server src/main.rs
    artifacts: [server, code_hash.txt]
    run: [./server]
    environment: { HOST: 127.0.0.1, IP: 127.0.0.1, AZ: here }
  front:
    source: front
    run: [python3, front.py]
    backends: [crystal]
";

#[tokio::test]
async fn a_service_reaches_its_backend_through_its_proxy_also_after_the_server_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = example(directory.path());
    std::fs::create_dir(directory.path().join("front")).unwrap();
    std::fs::write(directory.path().join("front/front.py"), FRONT).unwrap();
    std::fs::write(&manifest, TWO_SERVICES).unwrap();
    let up = ["up", "-f", manifest.to_str().unwrap()];
    let front_answers = async || {
        let status = json(state, &["status"]);
        let gateway = status["gateway"]
            .as_str()
            .unwrap()
            .strip_prefix("http://")
            .unwrap();
        let mut client = RawClient::connect(gateway.parse().unwrap()).await.unwrap();
        let request = "GET /front/ HTTP/1.1\r\nhost: front\r\n\r\n";
        let answer = client.ask(request).await.unwrap();
        answer.status == 200
            && answer
                .text()
                .starts_with("front: Crystal backend: Hello! from here")
    };
    for end in [Signal::KILL, Signal::TERM] {
        let mut server = Running::start(&mut serin(state, &up));
        server.wait_for("ready");
        server.wait_for("ready");
        until("the front's answer through both proxies", front_answers).await;
        server.signal(end);
        server.finish();
    }
    let left = processes_below(directory.path());
    assert!(left.is_empty(), "{left:?}");
}
