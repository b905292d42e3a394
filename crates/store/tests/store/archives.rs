//! What goes out of a store comes in again as it was.

use serde_json::json;
use store::{
    Archive, ArchiveError, Change, Embedded, Fingerprint, IdempotencyToken, Memory, OpenError,
    Store,
};

use crate::fixture::{at_hour, empty_place, node, node_id, open, run};

fn fill(store: &dyn Store) {
    let token = IdempotencyToken {
        token: "create-1".to_owned(),
        fingerprint: Fingerprint::of(b"create a"),
        now: at_hour(0),
    };
    let changes = [
        Change::new().put(node("a", 1)).answer("made").once(token),
        Change::new()
            .put(node("b/c", 1))
            .append("release/a/1", json!({"share": 0.1}))
            .append("release/a/1", json!({"share": 12.5}))
            .append("events", json!("started")),
        Change::new().remove(node_id("a")),
        Change::new().put(node("a", 3)),
    ];
    for change in changes {
        run(store.commit(change)).unwrap();
    }
}

fn text_of(archive: &Archive) -> String {
    let mut bytes = Vec::new();
    archive.write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_round_trip_through_text_and_both_stores_is_the_identity() {
    let (_directory, path) = empty_place();
    let embedded = open(&path);
    fill(&embedded);
    let exported = run(embedded.export()).unwrap();

    let read = Archive::read(text_of(&exported).as_bytes()).unwrap();
    assert_eq!(read, exported);

    let memory = Memory::restore(read.clone());
    assert_eq!(run(memory.export()).unwrap(), exported);

    let copy = Embedded::restore(&path.with_extension("copy"), &read).unwrap();
    assert_eq!(run(copy.export()).unwrap(), exported);
    assert_eq!(copy.snapshot(), embedded.snapshot());

    // The copy lives on like the original.
    let more = Change::new()
        .put(node("d", 1))
        .append("events", json!("more"));
    let expected = run(embedded.commit(more.clone())).unwrap();
    assert_eq!(run(copy.commit(more.clone())).unwrap(), expected);
    assert_eq!(run(memory.commit(more)).unwrap(), expected);
}

#[test]
fn a_restore_never_writes_over_a_store() {
    let (_directory, path) = empty_place();
    fill(&open(&path));
    let refused = Embedded::restore(&path, &Archive::default());
    assert!(
        matches!(refused, Err(OpenError::Exists { .. })),
        "{refused:?}"
    );
    assert!(open(&path).snapshot().contains(&node_id("a")));
}

#[test]
fn an_archive_that_is_not_whole_is_refused_with_its_line() {
    let memory = Memory::new();
    fill(&memory);
    let text = text_of(&run(memory.export()).unwrap());
    let lines: Vec<&str> = text.lines().collect();

    let cut_short = lines[..lines.len() - 1].join("\n");
    let error = Archive::read(cut_short.as_bytes()).unwrap_err();
    assert!(
        matches!(
            error,
            ArchiveError::Truncated {
                promised: 6,
                found: 5
            }
        ),
        "{error}"
    );

    let cut_within = &text[..text.len() - 10];
    let error = Archive::read(cut_within.as_bytes()).unwrap_err();
    assert!(
        matches!(error, ArchiveError::Line { line: 7, .. }),
        "{error}"
    );

    let newer = text.replacen("\"format\":1", "\"format\":9", 1);
    let error = Archive::read(newer.as_bytes()).unwrap_err();
    assert!(
        matches!(error, ArchiveError::Format { found: 9 }),
        "{error}"
    );

    let error = Archive::read(&b""[..]).unwrap_err();
    assert!(
        matches!(error, ArchiveError::Line { line: 1, .. }),
        "{error}"
    );
}

#[test]
fn records_out_of_order_are_refused() {
    let memory = Memory::new();
    fill(&memory);
    let text = text_of(&run(memory.export()).unwrap());
    for first in 1..6 {
        let mut lines: Vec<&str> = text.lines().collect();
        lines[first + 1] = lines[first];
        let error = Archive::read(lines.join("\n").as_bytes()).unwrap_err();
        let expected = first + 2;
        assert!(
            matches!(error, ArchiveError::Order { line, .. } if line == expected),
            "line {expected}: {error}"
        );
    }
}
