//! Files as they are found: written by the first version, by a newer one, by something else, held or damaged.

use std::fs;
use std::path::{Path, PathBuf};

use redb::{Database, TableDefinition};
use serde_json::json;
use store::{Archive, Change, Embedded, Error, Fingerprint, IdempotencyToken, OpenError, Store};

use crate::fixture::{at_hour, empty_place, node, node_id, open, run};

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const RESOURCES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("resources");
const JOURNAL: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("journal");
const TOKENS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("tokens");

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

fn fill(store: &Embedded) {
    let token = IdempotencyToken {
        token: "create-1".to_owned(),
        fingerprint: Fingerprint::of(b"create a"),
        now: at_hour(0),
    };
    let changes = [
        Change::new().put(node("a", 1)).answer("made").once(token),
        Change::new()
            .put(node("b/c", 1))
            .append("release/a/1", json!({"share": 12.5}))
            .append("release/a/1", json!({"share": 0.1})),
    ];
    for change in changes {
        run(store.commit(change)).unwrap();
    }
}

/// Changes a file behind the store's back.
fn tamper(path: &Path, change: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

#[test]
fn a_file_of_format_1_opens_and_holds_what_was_written() {
    let (_directory, path) = empty_place();
    fs::copy(testdata("format-1.redb"), &path).unwrap();
    let expected = fs::read(testdata("format-1.jsonl")).unwrap();

    let mut exported = Vec::new();
    run(open(&path).export())
        .unwrap()
        .write(&mut exported)
        .unwrap();
    assert_eq!(
        String::from_utf8(exported),
        String::from_utf8(expected.clone())
    );
    Archive::read(expected.as_slice()).unwrap();
}

#[test]
#[ignore = "writes the files of a new format into testdata"]
fn write_the_files_of_this_format() {
    let store = open(&testdata("format-1.redb"));
    fill(&store);
    let export = fs::File::create_new(testdata("format-1.jsonl")).unwrap();
    run(store.export()).unwrap().write(export).unwrap();
}

#[test]
fn a_newer_format_is_refused() {
    let (_directory, path) = empty_place();
    fill(&open(&path));
    tamper(&path, |transaction| {
        transaction
            .open_table(META)
            .unwrap()
            .insert("format", 2)
            .unwrap();
    });
    let error = Embedded::open(&path).unwrap_err();
    assert!(
        matches!(error, OpenError::Format { found: 2, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("format 2"), "{error}");
}

#[test]
fn one_process_holds_the_file() {
    let (_directory, path) = empty_place();
    let store = open(&path);
    let error = Embedded::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Held { .. }), "{error:?}");
    drop(store);
    open(&path);
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let (directory, path) = empty_place();
    for content in [&b""[..], b"hello", &[7; 100_000]] {
        fs::write(&path, content).unwrap();
        let error = Embedded::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::NotAStore { .. }), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), content);
    }

    let foreign = directory.path().join("foreign.redb");
    drop(Database::create(&foreign).unwrap());
    let error = Embedded::open(&foreign).unwrap_err();
    assert!(matches!(error, OpenError::NotAStore { .. }), "{error:?}");

    let error = Embedded::open(directory.path()).unwrap_err();
    assert!(
        matches!(
            error,
            OpenError::Storage {
                operation: "open",
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn a_bad_record_is_named_at_the_start() {
    let path_of_a = node_id("a").path();
    let as_b = serde_json::to_vec(&node("b", 1)).unwrap();
    let damages: [(&str, &str, &[u8]); 4] = [
        ("resources", &path_of_a, b"{}"),
        ("resources", &path_of_a, b"\xff"),
        ("resources", &path_of_a, &as_b),
        ("tokens", "create-1", br#"{"format":2,"record":{}}"#),
    ];
    for (table, key, value) in damages {
        let (_directory, path) = empty_place();
        fill(&open(&path));
        tamper(&path, |transaction| {
            let table = if table == "tokens" { TOKENS } else { RESOURCES };
            transaction
                .open_table(table)
                .unwrap()
                .insert(key, value)
                .unwrap();
        });
        let error = Embedded::open(&path).unwrap_err();
        let OpenError::Corrupt { name, .. } = &error else {
            panic!("{error:?}");
        };
        assert!(name.contains(key), "{error}");
    }
}

#[test]
fn a_bad_journal_record_is_named_when_it_is_read_and_stops_nothing_else() {
    let (_directory, path) = empty_place();
    fill(&open(&path));
    tamper(&path, |transaction| {
        let mut journal = transaction.open_table(JOURNAL).unwrap();
        journal.insert(("release/a/1", 1), &b"?"[..]).unwrap();
    });
    let store = open(&path);
    let error = run(store.journal("release/a/1", 0)).unwrap_err();
    let Error::Corrupt { name, .. } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(name, "record 1 of journal release/a/1");
    assert_eq!(run(store.journal("release/a/1", 1)).unwrap().len(), 1);
    run(store.commit(Change::new().append("release/a/1", json!(3)))).unwrap();
}

#[test]
fn a_file_with_any_page_overwritten_opens_whole_or_is_refused() {
    const PAGE: usize = 4096;
    let (directory, path) = empty_place();
    fill(&open(&path));
    let whole = fs::read(&path).unwrap();
    let snapshot = open(&path).snapshot();
    let mut refused = 0;
    for page in (0..whole.len()).step_by(PAGE) {
        let mut damaged = whole.clone();
        damaged[page..][..PAGE].fill(0xa5);
        let path = directory.path().join(format!("{page}.redb"));
        fs::write(&path, damaged).unwrap();
        match Embedded::open(&path) {
            Ok(store) => assert_eq!(store.snapshot(), snapshot, "page at {page}"),
            Err(error) => {
                assert!(
                    matches!(
                        error,
                        OpenError::Corrupt { .. } | OpenError::NotAStore { .. }
                    ),
                    "page at {page}: {error:?}"
                );
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
}
