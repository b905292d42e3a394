//! Python with `botocore`: the foreign peer that knows AWS's public service models.
//!
//! The interpreter comes from `SERIN_TEST_PYTHON`, else it is `python3`. A test whose peer is missing fails,
//! and says how to get it.

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs a script by its path, or `-c` and a text, and returns what it prints.
///
/// # Panics
///
/// If it cannot be run, or fails.
#[expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "this is how a test fails"
)]
pub fn run(arguments: &[&str], input: &str) -> String {
    let python = std::env::var("SERIN_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut child = Command::new(&python)
        .arg("-B")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {python}: {error}; {INSTALL}"));
    // A script that could not start has closed its input; its own report says why.
    let sent = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(
        !report.contains("No module named 'botocore'"),
        "{python} has no botocore; {INSTALL}"
    );
    assert!(output.status.success(), "{arguments:?} failed:\n{report}");
    sent.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

const INSTALL: &str = "install it with `python3 -m venv .venv && .venv/bin/pip install -r \
                       scripts/requirements.txt` and set SERIN_TEST_PYTHON to the absolute path of \
                       .venv/bin/python";
