//! `serin demo`: the whole story, twice, broken off, and killed.

use rustix::process::Signal;
use testkit::until;

use crate::serin::{Running, processes_below, run, serin};

#[test]
fn the_demo_promotes_what_is_good_and_the_next_one_rolls_back_what_is_bad() {
    let state = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = run(state.path(), &["demo", "--rust"]);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert!(
        !stdout.contains(|c: char| c.is_control() && c != '\n'),
        "{stdout:?}"
    );
    for words in [
        "the twin in Rust, as asked for",
        "\n1  Build vanilla and start its tasks\n",
        "\n2  Send traffic through the gateway\n",
        "commit NOHASH",
        "\n3  Look at the change before anything is touched\n",
        "2 files changed, 6 lines added, 2 lines removed",
        "\n4  Release epoch beside vanilla\n",
        "virtual node crystal-sd-epoch joined the mesh",
        "epoch gets ",
        "measured ",
        "\n5  Everything goes to epoch; vanilla drains and stops\n",
        "\n6  What this proved\n",
        "✓ client and proxy agree",
        "✓ none of ",
        "✓ crystal-2 was promoted: ",
        "commit CANARY at 1",
        "Go on by yourself:\n",
    ] {
        assert!(
            stdout.contains(words),
            "`{words}` is missing:\n{stdout}\n{stderr}"
        );
    }
    assert!(
        processes_below(state.path()).is_empty(),
        "{:?}",
        processes_below(state.path())
    );

    // On what the first left: the build is there, the mesh is new, and now to programs.
    let (code, stdout, stderr) = run(state.path(), &["demo", "--rust", "--bad", "-o", "json"]);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let scenes: Vec<serde_json::Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let scene = |name: &str| {
        scenes
            .iter()
            .filter(|scene| scene["scene"] == name)
            .collect::<Vec<_>>()
    };
    assert_eq!(scene("act").len(), 6, "{stdout}");
    assert_eq!(scene("change")[0]["plan"]["tag"], "error");
    let proof = &scene("proof")[0]["proof"];
    assert_eq!(
        proof["release"], "crystal-2",
        "an earlier mesh was not forgotten: {proof}"
    );
    assert_eq!(proof["ended"]["outcome"], "rolledBack", "{proof}");
    // Another try hides most failures from callers: no less a reason.
    let reason = proof["ended"]["reason"].as_str().unwrap();
    assert!(
        reason.contains(" failures hit the ")
            || reason.contains(" requests of which a try failed hit the "),
        "{proof}"
    );
    let failed = proof["seen"]["failed"].as_u64().unwrap();
    assert_eq!(proof["counted"]["error"]["failures"], failed, "{proof}");
    assert_eq!(proof["counted"]["vanilla"]["failures"], 0, "{proof}");
    assert_eq!(proof["seen"]["cut"], 0, "{proof}");
    assert!(
        processes_below(state.path()).is_empty(),
        "{:?}",
        processes_below(state.path())
    );
}

#[test]
fn a_demo_that_is_interrupted_leaves_nothing_running() {
    let state = tempfile::tempdir().unwrap();
    let mut demo = Running::start(&mut serin(state.path(), &["demo", "--rust"]));
    demo.wait_for("tasks are starting");

    let (code, _, stderr) = run(state.path(), &["demo", "--rust"]);
    assert_eq!(code, 1);
    assert!(
        stderr.starts_with("error: another demo is running in "),
        "{stderr}"
    );

    demo.wait_for("curl http://127.0.0.1:");
    assert!(!processes_below(state.path()).is_empty());
    demo.signal(Signal::INT);
    let (code, stdout, stderr) = demo.finish();
    assert_eq!(code, 130, "{stdout}\n{stderr}");
    assert_eq!(
        stderr, "interrupted: everything is being stopped\nstopped; nothing is left running\n",
        "{stdout}"
    );
    assert!(
        processes_below(state.path()).is_empty(),
        "{:?}",
        processes_below(state.path())
    );
    assert!(!state.path().join("demo/state/server.json").exists());
}

#[tokio::test]
async fn a_demo_that_is_killed_leaves_nothing_running_either() {
    let state = tempfile::tempdir().unwrap();
    let mut demo = Running::start(&mut serin(state.path(), &["demo", "--rust"]));
    demo.wait_for("curl http://127.0.0.1:");
    demo.signal(Signal::KILL);
    demo.finish();
    until("the reaper stops the tasks", async || {
        processes_below(state.path()).is_empty()
    })
    .await;
}

#[test]
fn a_demo_that_nobody_reads_any_more_ends_in_silence() {
    let state = tempfile::tempdir().unwrap();
    let mut demo = Running::start(&mut serin(state.path(), &["demo", "--rust"]));
    demo.wait_for("tasks are starting");
    let (code, stderr) = demo.read_no_more();
    assert_eq!((code, stderr.as_str()), (130, ""));
    assert!(
        processes_below(state.path()).is_empty(),
        "{:?}",
        processes_below(state.path())
    );
}

#[test]
fn without_a_compiler_the_demo_says_where_to_get_one() {
    let state = tempfile::tempdir().unwrap();
    let told = |arguments: &[&str]| {
        let output = serin(state.path(), arguments)
            .env("PATH", state.path())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, stderr) = told(&["demo"]);
    assert_eq!(code, Some(4));
    assert!(
        stderr.starts_with("error: no compiler runs here"),
        "{stderr}"
    );
    assert!(
        stderr.contains("\n\nhint: get Rust from https://rustup.rs"),
        "{stderr}"
    );
    let (code, stderr) = told(&["demo", "--crystal"]);
    assert_eq!(code, Some(4));
    assert!(
        stderr.contains("`crystal` is not found") && stderr.contains("apt install crystal"),
        "{stderr}"
    );
}

#[test]
fn where_nothing_can_be_written_the_demo_says_so() {
    let (code, stdout, stderr) = run("/proc/self/serin".as_ref(), &["demo", "--rust"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(
        stderr.starts_with("error: could not keep state in /proc/self/serin/demo\n  because: "),
        "{stderr}"
    );
    assert!(
        stderr.contains("\n\nhint: name a directory that you may write to with --state"),
        "{stderr}"
    );
}
