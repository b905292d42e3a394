//! A request that comes twice is carried out once, also after a restart, until its token is forgotten.

use serde_json::json;
use store::{
    Change, Committed, Conflict, Error, Expect, Fingerprint, IdempotencyToken, Memory, Store,
};

use crate::fixture::{at_hour, empty_place, node, node_id, one_of_each, open, run};

fn token(name: &str, request: &str, hour: i64) -> IdempotencyToken {
    IdempotencyToken {
        token: name.to_owned(),
        fingerprint: Fingerprint::of(request.as_bytes()),
        now: at_hour(hour),
    }
}

fn answer(name: &str, token: &IdempotencyToken) -> String {
    format!("{name} at {}", token.now.millis())
}

/// The answer tells when the request came.
fn create(name: &str, token: IdempotencyToken) -> Change {
    Change::new()
        .answer(answer(name, &token))
        .expect(Expect::Absent(node_id(name)))
        .put(node(name, 1))
        .append("log", json!("created"))
        .once(token)
}

#[test]
fn a_repeated_request_gets_the_first_answer_and_does_nothing() {
    let (_directory, stores) = one_of_each();
    for store in stores {
        let first = run(store.commit(create("a", token("t", "create a", 0)))).unwrap();
        run(store.commit(Change::new().put(node("b", 1)))).unwrap();
        let again = run(store.commit(create("a", token("t", "create a", 1)))).unwrap();
        let expected = Committed {
            replayed: true,
            ..first
        };
        assert_eq!(again, expected);
        assert_eq!(store.snapshot().revision(), 2);
        assert_eq!(run(store.journal("log", 0)).unwrap().len(), 1);
    }
}

#[test]
fn another_request_under_the_same_token_is_a_conflict() {
    let (_directory, stores) = one_of_each();
    for store in stores {
        run(store.commit(create("a", token("t", "create a", 0)))).unwrap();
        let refused = run(store.commit(create("b", token("t", "create b", 0)))).unwrap_err();
        assert!(
            matches!(&refused, Error::Conflict(Conflict::Token { token }) if token == "t"),
            "{refused}"
        );
        assert!(!store.snapshot().contains(&node_id("b")));
    }
}

#[test]
fn a_refused_request_does_not_use_its_token_up() {
    let (_directory, stores) = one_of_each();
    for store in stores {
        run(store.commit(Change::new().put(node("a", 1)))).unwrap();
        run(store.commit(create("a", token("t", "create a", 0)))).unwrap_err();
        run(store.commit(Change::new().remove(node_id("a")))).unwrap();
        let made = run(store.commit(create("a", token("t", "create a", 0)))).unwrap();
        assert!(!made.replayed);
    }
}

#[test]
fn a_token_survives_a_restart_and_ends_after_a_day() {
    let (_directory, path) = empty_place();
    run(open(&path).commit(create("a", token("t", "create a", 0)))).unwrap();

    let store = open(&path);
    let again = run(store.commit(create("a", token("t", "create a", 24)))).unwrap();
    assert!(again.replayed);
    assert_eq!(again.answer, answer("a", &token("t", "create a", 0)));
    let refused = run(store.commit(create("b", token("t", "create b", 24)))).unwrap_err();
    assert!(
        matches!(refused, Error::Conflict(Conflict::Token { .. })),
        "{refused}"
    );

    let anew = run(store.commit(create("b", token("t", "create b", 25)))).unwrap();
    assert!(!anew.replayed);
    drop(store);
    let recalled = run(open(&path).recall("t", &Fingerprint::of(b"create b"), at_hour(26)));
    let expected = answer("b", &token("t", "create b", 25));
    assert_eq!(recalled.unwrap().unwrap().answer, expected);
}

#[test]
fn of_the_same_request_at_the_same_time_one_is_made() {
    let (_directory, stores) = one_of_each();
    for store in stores {
        let commit = || store.commit(create("a", token("t", "create a", 0)));
        let (one, other) = run(async { tokio::join!(commit(), commit()) });
        let replays = [one.unwrap(), other.unwrap()].map(|it| it.replayed);
        assert!(replays[0] != replays[1]);
        assert_eq!(store.snapshot().revision(), 1);
    }
}

#[test]
fn the_oldest_tokens_are_forgotten_beyond_ten_thousand() {
    let store = Memory::new();
    run(async {
        for number in 0..10_001 {
            let once = Change::new().once(token(&number.to_string(), "same", 0));
            store.commit(once).await.unwrap();
        }
        let recall = |token| store.recall(token, &Fingerprint::of(b"same"), at_hour(0));
        assert_eq!(recall("0").await.unwrap(), None);
        assert!(recall("1").await.unwrap().is_some());
        assert!(recall("10000").await.unwrap().is_some());
    });
}
