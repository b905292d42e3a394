//! The two stores and a naive model make the same of the same changes, whenever the file is closed and opened between.

use std::collections::BTreeMap;

use model::{ErrorKind, Resource, ResourceId, Snapshot, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use store::{
    Change, Committed, Conflict, Durability, Entry, Error, Expect, Fingerprint, IdempotencyToken,
    Memory, Store, Write,
};

use crate::fixture::{at_hour, empty_place, node, node_id, open, run};

#[derive(Clone, Debug)]
enum Step {
    Commit(Change),
    /// The change's effect is decided: it is refused once there are more resources than this.
    Decide(Change, usize),
    Reopen,
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq)]
enum Refusal {
    Conflict(Conflict),
    Decided(model::Error),
}

/// The rules of a change once more, in the plainest way.
#[derive(Default)]
struct Naive {
    revision: u64,
    resources: BTreeMap<ResourceId, Resource>,
    journal: Vec<Entry>,
    tokens: Vec<(IdempotencyToken, Committed)>,
}

impl Naive {
    fn commit(&mut self, change: &Change, most: usize) -> Result<Committed, Refusal> {
        if let Some(token) = &change.token
            && let Some(earlier) = self.earlier(token).map_err(Refusal::Conflict)?
        {
            return Ok(earlier);
        }
        for expect in &change.expect {
            self.check(expect).map_err(Refusal::Conflict)?;
        }
        if self.resources.len() > most {
            return Err(Refusal::Decided(too_many(self.resources.len())));
        }
        let effect = &change.effect;
        for write in &effect.writes {
            match write {
                Write::Put(resource) => {
                    self.resources
                        .insert(resource.id.clone(), (**resource).clone());
                }
                Write::Remove(id) => {
                    self.resources.remove(id);
                }
            }
        }
        if !effect.writes.is_empty() {
            self.revision += 1;
        }
        let mut positions = Vec::new();
        for append in &effect.journal {
            let entry = Entry {
                stream: append.stream.clone(),
                position: self.end_of(&append.stream) + 1,
                revision: self.revision,
                body: append.body.clone(),
            };
            positions.push(entry.position);
            self.journal.push(entry);
        }
        let committed = Committed {
            revision: self.revision,
            positions,
            answer: effect.answer.clone(),
            replayed: false,
        };
        if let Some(token) = &change.token {
            self.tokens.push((token.clone(), committed.clone()));
        }
        Ok(committed)
    }

    fn earlier(&self, token: &IdempotencyToken) -> Result<Option<Committed>, Conflict> {
        let day = 24 * 60 * 60 * 1000;
        let used = self.tokens.iter().rfind(|(used, _)| {
            used.token == token.token && token.now.millis() - used.now.millis() <= day
        });
        match used {
            None => Ok(None),
            Some((used, committed)) if used.fingerprint == token.fingerprint => {
                Ok(Some(Committed {
                    replayed: true,
                    ..committed.clone()
                }))
            }
            Some(_) => Err(Conflict::Token {
                token: token.token.clone(),
            }),
        }
    }

    fn check(&self, expect: &Expect) -> Result<(), Conflict> {
        let version = |id| {
            self.resources
                .get(id)
                .map(|it: &Resource| it.metadata.version)
        };
        let conflict = match expect.clone() {
            Expect::Absent(id) => version(&id).map(|found| Conflict::Present { id, found }),
            Expect::Version {
                id,
                version: expected,
            } => match version(&id) {
                Some(found) => (found != expected).then_some(Conflict::Version {
                    id,
                    expected,
                    found,
                }),
                None => Some(Conflict::Absent { id, expected }),
            },
            Expect::Revision(expected) => {
                (expected != self.revision).then_some(Conflict::Revision {
                    expected,
                    found: self.revision,
                })
            }
            Expect::Position { stream, position } => {
                let found = self.end_of(&stream);
                (position != found).then_some(Conflict::Position {
                    stream,
                    expected: position,
                    found,
                })
            }
        };
        conflict.map_or(Ok(()), Err)
    }

    fn end_of(&self, stream: &str) -> u64 {
        let records = self.journal.iter().filter(|entry| entry.stream == stream);
        records.count() as u64
    }

    fn records_of(&self, stream: &str, after: u64) -> Vec<Entry> {
        let all = self.journal.iter().filter(|entry| entry.stream == stream);
        all.filter(|entry| entry.position > after)
            .cloned()
            .collect()
    }
}

const NAMES: [&str; 4] = ["a", "b", "c/d", "ü%"];
const STREAMS: [&str; 4] = ["release/a", "release/ab", "release/b", "evidence"];

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&NAMES[..])
}

fn stream() -> impl Strategy<Value = String> {
    prop::sample::select(&STREAMS[..]).prop_map(str::to_owned)
}

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![
        name().prop_map(|name| Expect::Absent(node_id(name))),
        (name(), 1..3_i64).prop_map(|(name, version)| Expect::Version {
            id: node_id(name),
            version
        }),
        (0..4_u64).prop_map(Expect::Revision),
        (stream(), 0..3_u64).prop_map(|(stream, position)| Expect::Position { stream, position }),
    ]
}

fn body() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_filter("JSON holds no NaN", |number| number.is_finite());
    prop_oneof![
        any::<String>().prop_map(|text| json!({ "text": text })),
        number.prop_map(|number| json!({ "number": number })),
        any::<i64>().prop_map(|number| json!([number, null, true])),
    ]
}

prop_compose! {
    fn token()(
        token in prop::sample::select(vec!["one", "two"]),
        request in prop::sample::select(vec!["create", "update"]),
        hour in prop::sample::select(vec![0, 1, 24, 25, 60]),
    ) -> IdempotencyToken {
        IdempotencyToken {
            token: token.to_owned(),
            fingerprint: Fingerprint::of(request.as_bytes()),
            now: at_hour(hour),
        }
    }
}

prop_compose! {
    fn change()(
        // Most changes expect nothing, or hardly any would be made.
        expect in prop_oneof![3 => Just(vec![]), 1 => vec(expect(), 1..3)],
        puts in vec((name(), 1..3_i64), 0..3),
        removed in vec(name(), 0..2),
        records in vec((stream(), body()), 0..3),
        answer in ".{0,4}",
        token in option::weighted(0.3, token()),
        eventual in any::<bool>(),
    ) -> Change {
        let mut change = Change::new().answer(answer);
        change.expect = expect;
        change.token = token;
        for (name, version) in puts {
            change = change.put(node(name, version));
        }
        for name in removed {
            change = change.remove(node_id(name));
        }
        for (stream, body) in records {
            change = change.append(stream, body);
        }
        if eventual {
            change = change.durability(Durability::Eventual);
        }
        change
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => change().prop_map(Step::Commit),
        4 => (change(), 0..4_usize).prop_map(|(change, most)| Step::Decide(change, most)),
        1 => Just(Step::Reopen),
    ]
}

fn too_many(found: usize) -> model::Error {
    model::Error::new(ErrorKind::LimitExceeded, format!("there are {found}"))
}

/// The same change, but decided: it is refused if there are more resources than `most`.
fn decided(change: Change, most: usize) -> Change {
    let effect = change.effect;
    let decide = move |snapshot: &Snapshot| match snapshot.len() {
        found if found > most => Err(too_many(found)),
        _ => Ok(effect.clone()),
    };
    Change {
        expect: change.expect,
        token: change.token,
        ..Change::decided_by(decide)
    }
}

fn assert_same(store: &dyn Store, naive: &Naive, now: Timestamp) {
    let snapshot = store.snapshot();
    assert_eq!(snapshot.revision(), naive.revision);
    assert!(snapshot.iter().map(|it| &**it).eq(naive.resources.values()));
    for stream in STREAMS {
        for after in [0, 1, u64::MAX] {
            let records = run(store.journal(stream, after)).unwrap();
            assert_eq!(records, naive.records_of(stream, after));
        }
    }
    for prefix in ["", "release/", "release/a", "x"] {
        let mut streams: Vec<String> = STREAMS.map(str::to_owned).into();
        streams.retain(|stream| stream.starts_with(prefix) && naive.end_of(stream) > 0);
        streams.sort();
        assert_eq!(run(store.streams(prefix)).unwrap(), streams);
    }
    for (token, _) in &naive.tokens {
        let recalled = run(store.recall(&token.token, &token.fingerprint, now));
        let expected = naive.earlier(&IdempotencyToken {
            now,
            ..token.clone()
        });
        assert_eq!(
            recalled.map_err(refusal),
            expected.map_err(Refusal::Conflict)
        );
    }
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Conflict(conflict) => Refusal::Conflict(conflict),
        Error::Refused(decided) => Refusal::Decided(decided),
        other => panic!("{other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn both_stores_do_what_the_naive_model_does(steps in vec(step(), 1..24)) {
        let (_directory, path) = empty_place();
        let mut embedded = open(&path);
        let memory = Memory::new();
        let mut naive = Naive::default();
        let mut now = at_hour(0);
        for step in steps {
            let (mut change, most) = match step {
                Step::Commit(change) => (change, None),
                Step::Decide(change, most) => (change, Some(most)),
                Step::Reopen => {
                    drop(embedded);
                    embedded = open(&path);
                    assert_same(&embedded, &naive, now);
                    continue;
                }
            };
            if let Some(token) = &mut change.token {
                // Time passes, but never backwards.
                now = now.max(token.now);
                token.now = now;
            }
            let expected = naive.commit(&change, most.unwrap_or(usize::MAX));
            if let Some(most) = most {
                change = decided(change, most);
            }
            let in_memory = run(memory.commit(change.clone()));
            let in_file = run(embedded.commit(change));
            prop_assert_eq!(in_memory.map_err(refusal), expected.clone());
            prop_assert_eq!(in_file.map_err(refusal), expected);
            assert_same(&memory, &naive, now);
            assert_same(&embedded, &naive, now);
        }
        let exported = run(embedded.export()).unwrap();
        prop_assert_eq!(&exported, &run(memory.export()).unwrap());
    }
}
