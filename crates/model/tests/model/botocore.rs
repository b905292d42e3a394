//! The same shapes and constraints as AWS's public service model, both ways.
//!
//! The scripts in `tests/botocore` read the model that PyPI's `botocore` ships, at test time. The
//! interpreter comes from `SERIN_TEST_PYTHON`, else it is `python3`.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use model::check::{Check, violations};
use model::{ErrorKind, Kind, Spec, Violation};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::strategy;

#[derive(Deserialize)]
struct Case {
    kind: Kind,
    spec: Value,
}

#[derive(Deserialize)]
struct FaultyCase {
    kind: Kind,
    spec: Value,
    fault: String,
    path: String,
}

#[test]
fn what_botocore_sends_is_read_and_written_unchanged() {
    let output = script("generate.py", &["1", "60"], "");
    let cases: Vec<Case> = lines(&output);
    assert!(cases.len() >= 7 * 60);
    for Case { kind, spec } in cases {
        let parsed = Spec::parse(kind, &spec).unwrap_or_else(|error| panic!("{error}: {spec}"));
        assert_eq!(serde_json::to_value(parsed.wire()).unwrap(), spec);
        assert_eq!(broken_constraints(&parsed), [], "{spec}");
    }
}

#[test]
fn what_breaks_one_constraint_is_refused_at_its_place() {
    let output = script("corrupt.py", &["1"], "");
    let cases: Vec<FaultyCase> = lines(&output);
    assert!(cases.len() > 1500, "only {} faults", cases.len());
    for case in cases {
        let violations = match Spec::parse(case.kind, &case.spec) {
            Err(error) => error.violations,
            Ok(spec) => broken_constraints(&spec),
        };
        let paths: Vec<&str> = violations
            .iter()
            .map(|violation| violation.path.as_str())
            .collect();
        assert_eq!(
            paths,
            [case.path.as_str()],
            "{} of {}",
            case.fault,
            case.kind
        );
    }
}

#[test]
fn botocore_takes_what_we_write() {
    let mut runner = TestRunner::deterministic();
    let specs = strategy::spec();
    let input: String = (0..400)
        .map(|_| specs.new_tree(&mut runner).unwrap().current())
        .map(|spec| format!("{}\n", json!({"kind": spec.kind(), "spec": spec.wire()})))
        .collect();
    assert_eq!(script("accept.py", &[], &input), "");
}

#[test]
fn the_ten_errors_are_the_service_models() {
    let theirs: BTreeMap<String, u16> =
        serde_json::from_str(&script("errors.py", &[], "")).unwrap();
    let ours = [
        ErrorKind::BadRequest,
        ErrorKind::Conflict,
        ErrorKind::Forbidden,
        ErrorKind::InternalServerError,
        ErrorKind::LimitExceeded,
        ErrorKind::NotFound,
        ErrorKind::ResourceInUse,
        ErrorKind::ServiceUnavailable,
        ErrorKind::TooManyRequests,
        ErrorKind::TooManyTags,
    ];
    let ours = ours.map(|kind| (kind.name().to_owned(), kind.status()));
    assert_eq!(BTreeMap::from(ours), theirs);
}

fn broken_constraints(spec: &Spec) -> Vec<Violation> {
    violations("spec", |at| spec.check(at))
}

fn lines<'a, T: Deserialize<'a>>(output: &'a str) -> Vec<T> {
    let lines = output.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Runs a script of `tests/botocore` on `input` and returns what it printed.
fn script(name: &str, arguments: &[&str], input: &str) -> String {
    let python = std::env::var("SERIN_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/botocore/");
    let mut child = Command::new(&python)
        .args(["-B", &format!("{path}{name}")])
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
    assert!(output.status.success(), "{name} failed:\n{report}");
    sent.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

const INSTALL: &str = "install it with `python3 -m venv .venv && .venv/bin/pip install botocore` \
                       and set SERIN_TEST_PYTHON to the absolute path of .venv/bin/python";
