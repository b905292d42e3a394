//! What a manifest says about its services' requests beyond weights, with curl and its cookies.

use std::path::Path;
use std::process::Command;

use testkit::until;

use crate::serin::{Running, example, json, run, serin, serving};

const TRAFFIC: &str = "    traffic:
      sticky: { cookie: crystal-user }
      pin: { header: x-serin-version }
      mirror: { share: 100% }
      fault: { header: x-fault, abort: { share: 100%, status: 418 } }
";

/// What the service says; `cookies` is kept like a browser's.
fn curl(url: &str, cookies: &Path, headers: &[&str]) -> String {
    let headers = headers.iter().flat_map(|header| ["-H", header]);
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "10"])
        .args(["--cookie".as_ref(), cookies.as_os_str()])
        .args(["--cookie-jar".as_ref(), cookies.as_os_str()])
        .args(headers)
        .arg(format!("{url}/crystal"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn is_canary(answer: &str) -> bool {
    answer.contains("CANARY")
}

#[tokio::test]
async fn users_stay_testers_choose_and_faults_show() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = example(directory.path());
    let text = std::fs::read_to_string(&manifest).unwrap();
    let with_traffic = text.replace("    tasks: 3\n", &format!("    tasks: 1\n{TRAFFIC}"));
    std::fs::write(&manifest, with_traffic).unwrap();
    let _up = serving(state, &manifest);
    let status = json(state, &["status"]);
    let gateway = status["gateway"].as_str().unwrap();

    let patch = directory.path().join("patches/add_time_ms.patch");
    let release = [
        "release", "crystal", "--tag", "epoch", "--policy", "manual", "--detach", "--patch",
    ];
    let (code, _, stderr) = run(state, &[&release[..], &[patch.to_str().unwrap()]].concat());
    assert_eq!(code, 0, "{stderr}");
    let mut follow = Running::start(&mut serin(state, &["follow", "crystal-2"]));
    follow.wait_for("all tasks are healthy");

    // Before any user sees it, testers can.
    assert_eq!(run(state, &["set", "crystal-2", "0%"]).0, 0);
    follow.wait_for("share set to 0 %");
    let nobody = directory.path().join("nobody");
    assert!(!is_canary(&curl(gateway, &nobody, &[])));
    assert!(is_canary(&curl(
        gateway,
        &nobody,
        &["x-serin-version: epoch"]
    )));

    let jars: Vec<_> = (0..12)
        .map(|user| directory.path().join(format!("user-{user}")))
        .collect();
    let mut before = vec![false; jars.len()];
    for share in ["30%", "70%"] {
        assert_eq!(run(state, &["set", "crystal-2", share]).0, 0);
        follow.wait_for(&format!("share set to {}", share.replace('%', " %")));
        for (jar, before) in jars.iter().zip(&mut before) {
            let arms = [(); 3].map(|()| is_canary(&curl(gateway, jar, &[])));
            assert!(arms.iter().all(|arm| *arm == arms[0]), "{arms:?}");
            assert!(arms[0] || !*before, "a user came back at {share}");
            *before = arms[0];
        }
    }
    let answer = curl(gateway, &nobody, &["x-fault: 1"]);
    assert_eq!(answer, "a fault was made on purpose\n");

    let mut stdout = String::new();
    until("the fault to be counted", async || {
        stdout = run(state, &["status", "crystal"]).1;
        stdout.contains("made on purpose")
    })
    .await;
    for words in [
        "  1 more named epoch themselves",
        "  1 more were hit by a fault made on purpose",
        "  users stay on their version by the cookie crystal-user",
        "  requests may name their version in x-serin-version",
        "  100 % of GET, HEAD, OPTIONS go to both versions",
        "  FAULT: 100 % of requests with x-fault are answered 418",
    ] {
        assert!(stdout.contains(words), "{words}\n{stdout}");
    }
    assert_eq!(run(state, &["rollback", "crystal-2"]).0, 0);
    let (code, stdout, stderr) = follow.finish();
    assert_eq!(code, 20, "{stdout}\n{stderr}");
}
