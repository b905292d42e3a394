//! A version that leaks memory but answers as well and as fast as before is rolled back for what its tasks use.

use testkit::Load;

use crate::serin::{Running, example, json, run, serin, serving};

/// Takes 4 MiB every 20 ms, up to 128 MiB.
const LEAK: &str = r#"--- a/src/main.rs
+++ b/src/main.rs
@@ -38,5 +38,11 @@
 fn run() -> Result<(), String> {
     // First of all: threads started later inherit what is done here.
     let termination = Termination::expect();
+    std::thread::spawn(|| {
+        for _ in 0..32 {
+            std::hint::black_box(vec![1_u8; 4 << 20].leak());
+            std::thread::sleep(Duration::from_millis(20));
+        }
+    });
 
     log::event(Debug, "Created logger");
"#;

/// Nothing but what tasks use, and soon: a window takes two seconds.
const RELEASE: &str = "    tasks: 1
    release:
      policy: manual
      false_rollback: 0.5
      warm_up: 0s
      evidence: { failures: 0, latency: 0, client_errors: 0, unanswered: 0, restarts: 0, resources: 1 }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_that_leaks_is_rolled_back() {
    let directory = tempfile::tempdir().unwrap();
    let state = &directory.path().join(".serin");
    let manifest = example(directory.path());
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("    tasks: 3\n", RELEASE)).unwrap();
    let _up = serving(state, &manifest);
    let status = json(state, &["status"]);
    let gateway = status["gateway"].as_str().unwrap();
    let gateway = gateway.strip_prefix("http://").unwrap();
    let request = "GET /crystal HTTP/1.1\r\nhost: crystal\r\n\r\n";
    let load = Load::start(gateway.parse().unwrap(), 4, Some(200.0), request);

    let patch = directory.path().join("leak.patch");
    std::fs::write(&patch, LEAK).unwrap();
    let release = ["release", "crystal", "--detach", "--patch"];
    let (code, _, stderr) = run(state, &[&release[..], &[patch.to_str().unwrap()]].concat());
    assert_eq!(code, 0, "{stderr}");
    let mut follow = Running::start(&mut serin(state, &["follow", "crystal-2"]));
    follow.wait_for("all tasks are healthy");
    assert_eq!(run(state, &["set", "crystal-2", "50%"]).0, 0);
    let (code, stdout, stderr) = follow.finish();
    assert_eq!(code, 20, "{stdout}\n{stderr}");

    let why = json(state, &["why", "crystal-2"]);
    let reason = why["release"]["ended"]["reason"].as_str().unwrap();
    assert!(reason.contains("times the memory of stable's"), "{reason}");
    let used = &why["release"]["evidence"]["resources"];
    let memory = |arm: &str| used[arm]["memory"].as_f64().unwrap();
    assert!(
        memory("canary") > 128.0 && memory("stable") < 64.0,
        "{used}"
    );
    assert!(used["moreMemory"].as_u64().unwrap() >= 4, "{used}");
    let (code, stdout, stderr) = run(state, &["replay", "crystal-2"]);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    assert_eq!(load.stop().await.unwrap().failed(), 0);
}
