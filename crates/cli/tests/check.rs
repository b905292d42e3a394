//! `serin check`: what it finds, as a table and as JSON.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn check(directory: &Path, arguments: &[&str], path: Option<&Path>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command
        .arg("check")
        .args(arguments)
        .current_dir(directory)
        .env_remove("SERIN_SERVER");
    if let Some(path) = path {
        command.env("PATH", path);
    }
    command.output().unwrap()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn result_of<'a>(report: &'a serde_json::Value, id: &str) -> &'a serde_json::Value {
    let checks = report["checks"].as_array().unwrap();
    checks
        .iter()
        .find(|check| check["id"] == id)
        .unwrap_or_else(|| panic!("no check {id} in {report}"))
}

#[test]
fn an_able_machine_passes() {
    let directory = tempfile::tempdir().unwrap();
    let output = check(directory.path(), &["-o", "json"], None);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(report["able"], true);
    for id in ["kernel", "loopback", "writable", "compiler"] {
        assert_eq!(result_of(&report, id)["result"], "passed", "{id}");
    }
    for id in ["valid", "reachable"] {
        assert_eq!(result_of(&report, id)["result"], "skipped", "{id}");
    }
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?} was left behind");

    let table = String::from_utf8(check(directory.path(), &[], None).stdout).unwrap();
    assert!(table.contains("✓ kernel"), "{table}");
    assert!(table.ends_with("\nthis machine is able\n"), "{table}");
}

#[test]
fn what_is_missing_fails_with_a_hint() {
    let directory = tempfile::tempdir().unwrap();
    let manifest = "mesh: shop\nservices: {}\n";
    std::fs::write(directory.path().join("serin.yaml"), manifest).unwrap();
    let state = directory.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let record =
        r#"{"api":"http://127.0.0.1:1","token":"t","pid":1,"gateway":"http://127.0.0.1:2"}"#;
    std::fs::write(state.join("server.json"), record).unwrap();

    let output = check(
        directory.path(),
        &["-o", "json", "--state", "state"],
        Some(&state),
    );
    let report = json(&output);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(report["able"], false);
    for id in ["compiler", "valid", "reachable"] {
        let check = result_of(&report, id);
        assert_eq!(check["result"], "failed", "{check}");
        assert!(check["hint"].is_string(), "{check}");
    }
    assert_eq!(result_of(&report, "git")["result"], "warning");
}

#[test]
fn a_compiler_that_is_found_and_does_not_run_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let shim = directory.path().join("rustc");
    std::fs::write(&shim, "#!/bin/sh\necho 'no toolchain' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).unwrap();
    let report = json(&check(
        directory.path(),
        &["-o", "json"],
        Some(directory.path()),
    ));
    assert_eq!(result_of(&report, "compiler")["result"], "failed");
    let rustc = result_of(&report, "rustc");
    assert_eq!(rustc["result"], "warning");
    let expected = format!("{} does not run: no toolchain", shim.display());
    assert_eq!(rustc["found"], expected);
}

#[test]
fn a_manifest_that_is_named_must_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let output = check(directory.path(), &["-f", "none.yaml", "-o", "json"], None);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(4), "{report}");
    let valid = result_of(&report, "valid");
    assert_eq!(valid["result"], "failed");
    let found = valid["found"].as_str().unwrap();
    assert!(
        found.starts_with("could not read none.yaml: No such file"),
        "{found}"
    );
}

#[test]
fn a_gateway_port_that_is_taken_fails() {
    let directory = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let manifest = format!(
        "mesh: shop\ngateway: {{ port: {port} }}\nservices: {{ crystal: {{ run: ./server }} }}\n"
    );
    std::fs::write(directory.path().join("serin.yaml"), manifest).unwrap();
    let report = json(&check(directory.path(), &["-o", "json"], None));
    assert_eq!(result_of(&report, "valid")["result"], "passed", "{report}");
    let port_check = result_of(&report, "gateway-port");
    assert_eq!(port_check["result"], "failed");
    assert!(
        port_check["found"]
            .as_str()
            .unwrap()
            .contains(&port.to_string()),
        "{port_check}"
    );
}

#[test]
fn a_place_that_cannot_be_written_fails() {
    // Even root can write nothing into /proc.
    let directory = tempfile::tempdir().unwrap();
    let report = json(&check(
        directory.path(),
        &["-o", "json", "--state", "/proc/self/serin"],
        None,
    ));
    assert_eq!(
        result_of(&report, "writable")["result"],
        "failed",
        "{report}"
    );
}
