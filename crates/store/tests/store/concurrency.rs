//! Many writers and readers at once: no update is lost, every watcher ends at the latest revision.

use std::sync::Arc;

use serde_json::json;
use store::{Change, Conflict, Error, Expect, Memory, Store};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fixture::{DEADLINE, node, node_id, one_of_each, run, version_of};

/// Adds one to a node's version, again and again until no other writer comes between.
async fn increment(store: &dyn Store) {
    loop {
        let version = version_of(store, "counter").unwrap();
        let change = Change::new()
            .expect(Expect::Version {
                id: node_id("counter"),
                version,
            })
            .put(node("counter", version + 1));
        match store.commit(change).await {
            Ok(_) => return,
            Err(Error::Conflict(Conflict::Version { .. })) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn no_update_is_lost_between_writers_with_expectations() {
    let (_directory, stores) = one_of_each();
    for store in stores {
        run(async {
            let first = Change::new().put(node("counter", 1));
            store.commit(first).await.unwrap();
            let mut writers = JoinSet::new();
            for _ in 0..8 {
                let store = Arc::clone(&store);
                writers.spawn(async move {
                    for _ in 0..10 {
                        increment(&*store).await;
                    }
                });
            }
            writers.join_all().await;
        });
        assert_eq!(version_of(&*store, "counter"), Some(81));
        assert_eq!(store.snapshot().revision(), 81);
    }
}

#[test]
fn of_two_recorders_who_expect_the_same_end_only_one_goes_on() {
    let (_directory, stores) = one_of_each();
    for store in stores {
        let claim = |who: &str| {
            let expect = Expect::Position {
                stream: "release".to_owned(),
                position: 0,
            };
            Change::new().expect(expect).append("release", json!(who))
        };
        let (one, other) =
            run(async { tokio::join!(store.commit(claim("one")), store.commit(claim("other"))) });
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert_eq!(run(store.journal("release", 0)).unwrap().len(), 1);
    }
}

#[test]
fn a_watcher_sees_revisions_grow_up_to_the_latest() {
    const LAST: u64 = 60;
    let (_directory, stores) = one_of_each();
    for store in stores {
        run(async {
            let mut watch = store.watch();
            let watcher = tokio::spawn(async move {
                let mut seen = vec![watch.borrow_and_update().clone()];
                while seen.last().unwrap().revision() < LAST {
                    watch.changed().await.unwrap();
                    seen.push(watch.borrow_and_update().clone());
                }
                seen
            });
            let mut writers = JoinSet::new();
            for writer in 0..4 {
                let store = Arc::clone(&store);
                writers.spawn(async move {
                    for version in 1..=LAST / 4 {
                        let node = node(&format!("n{writer}"), i64::try_from(version).unwrap());
                        store.commit(Change::new().put(node)).await.unwrap();
                    }
                });
            }
            writers.join_all().await;
            let seen = timeout(DEADLINE, watcher).await.unwrap().unwrap();
            assert!(seen.is_sorted_by(|one, next| one.revision() < next.revision()));
            assert_eq!(*seen.last().unwrap(), store.snapshot());
        });
    }
}

#[test]
fn journal_records_wake_nobody_who_watches_the_mesh() {
    let (_directory, stores) = one_of_each();
    for store in stores {
        let watch = store.watch();
        run(store.commit(Change::new().append("evidence", json!(1)))).unwrap();
        assert!(!watch.has_changed().unwrap());
        run(store.commit(Change::new().put(node("a", 1)))).unwrap();
        assert!(watch.has_changed().unwrap());
    }
}

#[test]
fn an_older_snapshot_stays_as_it_was() {
    let (_directory, stores) = one_of_each();
    for store in stores {
        run(store.commit(Change::new().put(node("a", 1)))).unwrap();
        let before = store.snapshot();
        run(store.commit(Change::new().remove(node_id("a")))).unwrap();
        assert!(before.contains(&node_id("a")));
        assert!(!store.snapshot().contains(&node_id("a")));
    }
}

#[test]
fn a_fork_starts_with_everything_and_goes_its_own_way() {
    let store = Memory::new();
    let both = Change::new().put(node("a", 1)).append("log", json!(1));
    run(store.commit(both)).unwrap();
    let fork = store.fork();
    assert_eq!(run(fork.export()).unwrap(), run(store.export()).unwrap());

    let change = Change::new().remove(node_id("a")).append("log", json!(2));
    run(fork.commit(change)).unwrap();
    assert!(store.snapshot().contains(&node_id("a")) && !fork.snapshot().contains(&node_id("a")));
    assert_eq!(run(store.journal("log", 0)).unwrap().len(), 1);
    assert_eq!(run(fork.journal("log", 0)).unwrap().len(), 2);
}

#[test]
fn each_writer_finds_its_records_in_its_order_and_where_it_was_told() {
    let (_directory, stores) = one_of_each();
    for store in stores {
        let mut told = run(async {
            let mut writers = JoinSet::new();
            for writer in 0..4 {
                let store = Arc::clone(&store);
                writers.spawn(async move {
                    let mut told = Vec::new();
                    for number in 0..20 {
                        let body = json!([writer, number]);
                        let change = Change::new().append("shared", body.clone());
                        let committed = store.commit(change).await.unwrap();
                        told.push((committed.positions[0], body));
                    }
                    assert!(told.is_sorted_by_key(|(position, _)| *position));
                    told
                });
            }
            writers.join_all().await.concat()
        });
        told.sort_by_key(|(position, _)| *position);
        let records = run(store.journal("shared", 0)).unwrap();
        let found: Vec<_> = records
            .into_iter()
            .map(|it| (it.position, it.body))
            .collect();
        assert_eq!(found, told);
        assert!(found.iter().map(|(position, _)| *position).eq(1..=80));
    }
}
