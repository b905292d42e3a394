//! The same shapes and constraints as AWS's public service model, both ways.
//!
//! The scripts in `tests/botocore` read the model that PyPI's `botocore` ships, at test time. The
//! interpreter comes from `SERIN_TEST_PYTHON`, else it is `python3`.

use std::collections::BTreeMap;

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
    let path = format!(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/botocore/{}"),
        name
    );
    testkit::python::run(&[&[path.as_str()], arguments].concat(), input)
}
