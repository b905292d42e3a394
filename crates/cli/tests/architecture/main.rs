//! Holds the picture of `ARCHITECTURE.md`: which crate may know which, what may
//! enter the dependency graph, and how long a file may get.
//!
//! Everything is read from `cargo metadata`, so a rule holds for what is really
//! built. A rule that stands in the way is changed here, in the open, together
//! with the picture.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod graph;
mod licence;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use graph::Graph;

/// The arrows of the picture: each crate, and the crates that it may know.
const ARROWS: [(&str, &[&str]); 19] = [
    ("model", &[]),
    ("judge", &[]),
    ("compute", &[]),
    ("image", &[]),
    ("identity", &[]),
    ("store", &["model"]),
    ("view", &["model"]),
    ("proxy", &["view"]),
    ("link", &["view"]),
    ("admin", &["view", "proxy"]),
    ("sidecar", &["view", "proxy", "link", "identity"]),
    ("sigv4", &[]),
    ("interchange", &["model"]),
    ("appmesh", &["model", "store"]),
    (
        "release",
        &["model", "view", "judge", "compute", "image", "store"],
    ),
    (
        "server",
        &[
            "model", "store", "view", "proxy", "judge", "release", "compute", "image", "appmesh",
            "sigv4", "link", "identity",
        ],
    ),
    (
        "cli",
        &[
            "server",
            "release",
            "view",
            "model",
            "image",
            "compute",
            "judge",
            "interchange",
            "sidecar",
            "admin",
        ],
    ),
    ("testkit", &[]),
    ("judges", &["judge"]),
];

/// For tests alone: a dev-dependency of any crate, a dependency of none.
const TEST_ONLY: &str = "testkit";

const RUNTIMES: &[&str] = &["tokio", "mio", "async-io", "smol"];
const HTTP: &[&str] = &["hyper", "hyper-util", "h2", "http", "axum", "reqwest"];

/// What must not be among a crate's dependencies, however far down.
const KEPT_OUT: [(&str, &[&[&str]], &str); 7] = [
    (
        "identity",
        &[RUNTIMES, HTTP],
        "it is pure: time is an argument, and its file is read and written at once",
    ),
    (
        "model",
        &[RUNTIMES, HTTP],
        "it is pure: types and rules, tested without a runtime",
    ),
    (
        "view",
        &[RUNTIMES, HTTP],
        "it is pure: it compiles a snapshot and does no I/O",
    ),
    (
        "link",
        &[RUNTIMES, HTTP],
        "it is pure: the conversation is tested without sockets and clocks",
    ),
    (
        "judge",
        &[RUNTIMES, HTTP],
        "it is pure: a verdict must replay from its evidence alone",
    ),
    (
        "store",
        &[HTTP],
        "it keeps resources and does not know how they are asked for",
    ),
    (
        "image",
        &[HTTP],
        "it makes versions from files and does not know who wants them",
    ),
];

/// What may come neither by us nor by others.
const BANNED: [(&str, &str); 8] = [
    (
        "openssl-sys",
        "a second TLS stack, and a C library to install first: use rustls",
    ),
    ("native-tls", "a second TLS stack: use rustls"),
    ("ring", "a second crypto provider: use aws-lc-rs"),
    (
        "serde_yaml",
        "deprecated and unmaintained: use serde-saphyr",
    ),
    ("serde_yml", "unsound and archived: use serde-saphyr"),
    ("async-std", "discontinued, and a second runtime: use tokio"),
    ("chrono", "a second library of dates and times: use jiff"),
    ("reqwest", "a second HTTP client: use hyper"),
];

/// What others may use, but we do not.
const NOT_OURS: [(&str, &str); 6] = [
    ("lazy_static", "the standard library has LazyLock"),
    (
        "once_cell",
        "the standard library has OnceLock and LazyLock",
    ),
    ("async-trait", "the language has async functions in traits"),
    (
        "anyhow",
        "our errors are typed, so that their readers can act on them: use thiserror",
    ),
    ("time", "a second library of dates and times: use jiff"),
    ("atty", "the standard library has IsTerminal"),
];

/// Two versions of one of these would be two stacks that cannot talk to each other.
const SINGLE: [&str; 9] = [
    "tokio",
    "mio",
    "hyper",
    "hyper-util",
    "http",
    "h2",
    "rustls",
    "axum",
    "serde",
];

const LONGEST_FILE: usize = 800;

#[test]
fn crates_know_only_those_below_them() {
    let graph = Graph::read();
    let arrows = BTreeMap::from(ARROWS);
    let mut wrong = Vec::new();
    for member in &graph.members {
        let Some(allowed) = arrows.get(member.as_str()) else {
            wrong.push(format!(
                "{member} is not in the picture: give it its arrows there and here"
            ));
            continue;
        };
        for dependency in &graph.packages[member].dependencies {
            let name = dependency.name.as_str();
            let in_tests = dependency.kind == "dev";
            let is_allowed = allowed.contains(&name) || (in_tests && name == TEST_ONLY);
            if graph.members.contains(name) && !is_allowed {
                wrong.push(match name {
                    TEST_ONLY => format!(
                        "{member} depends on {name}, which is for tests: make it a dev-dependency"
                    ),
                    _ => format!(
                        "{member} -> {name} is no arrow of the picture: it may know {allowed:?}"
                    ),
                });
            }
        }
    }
    for name in arrows.keys() {
        if !graph.members.contains(*name) {
            wrong.push(format!("{name} is in the picture but not in the workspace"));
        }
    }
    none(&wrong);
}

#[test]
fn pure_crates_stay_pure() {
    let graph = Graph::read();
    let mut wrong = Vec::new();
    for (member, kept_out, reason) in KEPT_OUT {
        for (name, path) in graph.everything_below(member) {
            if kept_out.iter().any(|names| names.contains(&name.as_str())) {
                wrong.push(format!(
                    "{member} must not need {name} (by {path}): {reason}"
                ));
            }
        }
    }
    none(&wrong);
}

#[test]
fn banned_crates_stay_out() {
    let graph = Graph::read();
    let built = graph::built();
    let mut wrong = Vec::new();
    for (name, reason) in BANNED {
        if built.contains(name) {
            wrong.push(format!(
                "{name} is banned: {reason}; it comes by {:?}",
                graph.users(name)
            ));
        }
    }
    for (name, reason) in NOT_OURS {
        let users = graph.users(name).into_iter();
        for user in users.filter(|user| graph.members.contains(*user)) {
            wrong.push(format!("{user} must not use {name}: {reason}"));
        }
    }
    none(&wrong);
}

#[test]
fn big_stacks_come_once() {
    let graph = Graph::read();
    let wrong: Vec<_> = SINGLE
        .iter()
        .filter_map(|name| Some((name, &graph.packages.get(*name)?.versions)))
        .filter(|(_, versions)| versions.len() > 1)
        .map(|(name, versions)| {
            let users = graph.users(name);
            format!("{name} comes in several versions, {versions:?}, by {users:?}: their types do not mix")
        })
        .collect();
    none(&wrong);
}

#[test]
fn licences_are_free_and_permissive() {
    let graph = Graph::read();
    let wrong: Vec<_> = graph
        .packages
        .iter()
        .filter(|(_, package)| !package.licences.iter().all(|licence| licence::is_permitted(licence)))
        .map(|(name, package)| {
            let licences = &package.licences;
            format!("{name} is under {licences:?}: Serin is given away under MIT or Apache-2.0, which that may not allow")
        })
        .collect();
    none(&wrong);
}

#[test]
fn files_stay_short() {
    let root = Graph::read().root;
    let listed = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "*.rs",
        ])
        .current_dir(&root)
        .output()
        .expect("git is installed");
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let listed = String::from_utf8(listed.stdout).expect("paths in UTF-8");
    assert!(!listed.is_empty(), "git knows no Rust file");
    let wrong: Vec<_> = listed
        .lines()
        .filter_map(|path| {
            Some((
                path,
                fs::read_to_string(root.join(path)).ok()?.lines().count(),
            ))
        })
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .map(|(path, lines)| {
            format!("{path} has {lines} lines, over {LONGEST_FILE}: it holds more than one idea")
        })
        .collect();
    none(&wrong);
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
