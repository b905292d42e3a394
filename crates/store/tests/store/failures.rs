//! A disk that is full, a directory that cannot be written, a record that cannot be kept: clear errors, nothing lost.

use std::env;
use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use store::{Change, Embedded, Error, OpenError, Store};

use crate::fixture::{empty_place, node, node_id, one_of_each, open, run};

const CHILD: &str = "SERIN_STORE_FULL_DISK_CHILD";

#[test]
fn a_full_disk_costs_nothing_but_the_change_that_did_not_fit() {
    if let Some(path) = env::var_os(CHILD) {
        return fill_the_disk(Path::new(&path));
    }
    let (_directory, path) = empty_place();
    // A limit on the size of files is the full disk that everybody can have: the child's writes fail beyond it.
    let child = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -S -f 2000; exec "$0" "$@""#])
        .arg(env::current_exe().unwrap())
        .args([
            "--exact",
            "failures::a_full_disk_costs_nothing_but_the_change_that_did_not_fit",
        ])
        .env(CHILD, path)
        .output()
        .unwrap();
    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
}

fn fill_the_disk(path: &Path) {
    let store = open(path);
    let filler = "x".repeat(20_000);
    let change = |name: &str| {
        Change::new()
            .put(node(name, 1))
            .append("log", json!(filler))
    };
    let mut kept = 0;
    let error = loop {
        match run(store.commit(change(&format!("n{kept}")))) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 10_000, "the disk never becomes full");
    };
    assert!(
        matches!(
            error,
            Error::Storage {
                operation: "write",
                ..
            }
        ),
        "{error:?}"
    );

    // However often it fails, what was there before can be read.
    for _ in 0..3 {
        assert_eq!(store.snapshot().revision(), kept);
        assert!(!store.snapshot().contains(&node_id(&format!("n{kept}"))));
        assert_eq!(run(store.journal("log", 0)).unwrap().len() as u64, kept);
        run(store.commit(change("too much"))).unwrap_err();
    }

    let limit = getrlimit(Resource::Fsize);
    let unlimited = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Fsize, unlimited).unwrap();
    let committed = run(store.commit(change("at last"))).unwrap();
    assert_eq!(committed.revision, kept + 1);
    assert_eq!(committed.positions, [kept + 1]);

    let before = store.snapshot();
    drop(store);
    let store = open(path);
    assert_eq!(store.snapshot(), before);
    assert_eq!(run(store.journal("log", 0)).unwrap().len() as u64, kept + 1);
}

#[test]
fn a_store_needs_a_directory_that_it_can_write() {
    let (directory, _) = empty_place();
    let nowhere = directory.path().join("missing").join("state.redb");
    // Even root cannot make a file in /proc.
    for path in [nowhere.as_path(), Path::new("/proc/state.redb")] {
        let error = Embedded::open(path).unwrap_err();
        assert!(
            matches!(
                error,
                OpenError::Storage {
                    operation: "make",
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(
            error.to_string().contains(path.to_str().unwrap()),
            "{error}"
        );
    }
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let nested = (0..200).fold(Value::Null, |inner, _| json!([inner]));
    let (_directory, stores) = one_of_each();
    for store in stores {
        let changes = [
            Change::new().put(node("", 1)),
            Change::new()
                .put(node("a", 1))
                .append("log", nested.clone()),
        ];
        for change in changes {
            let error = run(store.commit(change)).unwrap_err();
            assert!(matches!(error, Error::Unfit { .. }), "{error:?}");
        }
        assert!(store.snapshot().is_empty());
        assert_eq!(run(store.streams("")).unwrap(), Vec::<String>::new());
        run(store.commit(Change::new().put(node("a", 1)))).unwrap();
    }
}
