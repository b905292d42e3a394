//! A store whose process is killed holds every change that was acknowledged, and no part of any other.
//!
//! The test runs itself as a child process which commits from several tasks at once and prints what was acknowledged.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;
use store::{Change, Durability, Embedded, Store};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use crate::fixture::{DEADLINE, empty_place, node, open, run, version_of};

const CHILD: &str = "SERIN_STORE_CRASH_CHILD";
const WRITERS: usize = 3;

#[test]
fn acknowledged_changes_survive_a_kill() {
    if let Some(path) = env::var_os(CHILD) {
        return commit_until_killed(Path::new(&path));
    }
    let (_directory, path) = empty_place();
    for _ in 0..20 {
        let acknowledged = kill_after(fastrand::usize(1..40), &path);
        let store = open(&path);
        for (writer, round) in acknowledged.into_iter().enumerate() {
            assert_whole(&store, writer, round);
        }
    }
}

#[test]
fn a_kill_while_the_file_is_made_leaves_a_store_or_none() {
    for _ in 0..20 {
        let (_directory, path) = empty_place();
        kill_after(0, &path);
        open(&path);
    }
}

#[test]
fn an_eventual_change_is_on_disk_soon() {
    let (_directory, path) = empty_place();
    let copy = path.with_extension("copy");
    let store = open(&path);
    // A copy of the file is what a crash would leave. One taken in the midst of a write need not open.
    let records_in_the_file = async || {
        yield_now().await;
        fs::copy(&path, &copy).unwrap();
        match Embedded::open(&copy) {
            Ok(found) => found.journal("evidence", 0).await.unwrap().len(),
            Err(_) => 0,
        }
    };
    run(async {
        let change = Change::new().append("evidence", json!(1));
        let eventual = change.durability(Durability::Eventual);
        store.commit(eventual).await.unwrap();
        let wait = async { while records_in_the_file().await == 0 {} };
        timeout(DEADLINE, wait).await.unwrap();
    });
}

/// Each round writes two nodes and a record in one change, and evidence in another that may be lost.
fn commit_until_killed(path: &Path) {
    println!("acknowledged nothing");
    let store = Arc::new(open(path));
    run(async {
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let store = Arc::clone(&store);
            writers.spawn(async move {
                let start = rounds_of(&store, writer);
                for round in start + 1.. {
                    let evidence = Change::new()
                        .append(format!("evidence/{writer}"), json!(round))
                        .durability(Durability::Eventual);
                    store.commit(evidence).await.unwrap();
                    // Writes are durable, whatever a caller asks for.
                    let change = Change::new()
                        .put(node(&format!("left-{writer}"), round))
                        .put(node(&format!("right-{writer}"), round))
                        .append(format!("log/{writer}"), json!(round))
                        .durability(Durability::Eventual);
                    store.commit(change).await.unwrap();
                    println!("acknowledged {writer} {round}");
                }
            });
        }
        writers.join_all().await;
    });
}

/// Runs the child until it has acknowledged so many changes; the last round that it acknowledged of each writer.
fn kill_after(changes: usize, path: &Path) -> [i64; WRITERS] {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::acknowledged_changes_survive_a_kill"])
        .arg("--nocapture")
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    // The test harness of the child writes lines of its own, and does not end the one before the first of ours.
    let mut lines = output
        .lines()
        .map_while(Result::ok)
        .filter_map(|line| Some(line.split_once("acknowledged ")?.1.to_owned()));
    let mut acknowledged = [0; WRITERS];
    let mut note = |line: String| {
        if let Some((writer, round)) = line.split_once(' ') {
            acknowledged[writer.parse::<usize>().unwrap()] = round.parse().unwrap();
        }
    };
    lines.by_ref().take(1 + changes).for_each(&mut note);
    // Not a wait: a kill right after a line would always come at the same point of the next write.
    thread::sleep(Duration::from_micros(fastrand::u64(0..10_000)));
    child.kill().unwrap();
    lines.for_each(&mut note);
    child.wait().unwrap();
    acknowledged
}

fn rounds_of(store: &Embedded, writer: usize) -> i64 {
    version_of(store, &format!("left-{writer}")).unwrap_or(0)
}

fn assert_whole(store: &Embedded, writer: usize, acknowledged: i64) {
    let rounds = rounds_of(store, writer);
    assert!(
        rounds >= acknowledged,
        "round {acknowledged} was acknowledged, found {rounds}"
    );
    let right = version_of(store, &format!("right-{writer}")).unwrap_or(0);
    assert_eq!(rounds, right, "writer {writer}: half a change");

    let records = run(store.journal(&format!("log/{writer}"), 0)).unwrap();
    let found: Vec<_> = records.into_iter().map(|it| it.body).collect();
    let expected: Vec<_> = (1..=rounds).map(|round| json!(round)).collect();
    assert_eq!(found, expected, "writer {writer}: records and nodes differ");

    // A durable change takes the evidence before it to the disk as well.
    let evidence = run(store.journal(&format!("evidence/{writer}"), 0)).unwrap();
    let count = evidence.len() as u64;
    assert!(
        count >= rounds.unsigned_abs(),
        "writer {writer}: evidence is lost"
    );
    assert!(evidence.iter().map(|it| it.position).eq(1..=count));
}
