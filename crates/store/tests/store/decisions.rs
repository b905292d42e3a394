//! Changes that are decided on the latest state: no writer comes between a rule and what it allowed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::spec::{VirtualNodeSpec, VirtualServiceSpec};
use model::{Error as Refusal, ErrorKind, Metadata, Resource, ResourceId, Snapshot, Spec, rules};
use serde_json::json;
use store::{Change, Conflict, Effect, Error, Fingerprint, IdempotencyToken, Store};
use tokio::task::JoinSet;

use crate::fixture::{at_hour, empty_place, node, node_id, one_of_each, open, run};

fn service_id(name: &str) -> ResourceId {
    ResourceId::virtual_service("shop", name)
}

/// A service that stands on the node.
fn service_of(node: &str) -> VirtualServiceSpec {
    let provider = json!({ "provider": { "virtualNode": { "virtualNodeName": node } } });
    serde_json::from_value(provider).unwrap()
}

fn create(id: ResourceId, spec: impl Into<Spec>) -> Change {
    let spec = spec.into();
    Change::decided_by(move |snapshot| {
        rules::create(snapshot, &id, &spec)?;
        let metadata = Metadata::new("uid", "123456789012", at_hour(0));
        let resource = Resource::new(id.clone(), spec.clone(), metadata);
        Ok(Effect::new().put(resource).answer(format!("made {id}")))
    })
}

fn delete(id: ResourceId) -> Change {
    Change::decided_by(move |snapshot| {
        rules::delete(snapshot, &id)?;
        Ok(Effect::new().remove(id.clone()))
    })
}

fn create_mesh() -> Change {
    create(ResourceId::mesh("shop"), model::spec::MeshSpec::default())
}

fn token() -> IdempotencyToken {
    IdempotencyToken {
        token: "t".to_owned(),
        fingerprint: Fingerprint::of(b"request"),
        now: at_hour(0),
    }
}

fn refused(error: Error) -> Refusal {
    match error {
        Error::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

/// Services whose node is gone.
fn dangling(snapshot: &Snapshot) -> Vec<ResourceId> {
    let stands = |resource: &Resource| match &resource.spec {
        Spec::VirtualService(service) => (0..NAMES)
            .map(|n| format!("n{n}"))
            .any(|name| *service == service_of(&name) && snapshot.contains(&node_id(&name))),
        _ => true,
    };
    let fallen = snapshot.iter().filter(|resource| !stands(resource));
    fallen.map(|resource| resource.id.clone()).collect()
}

/// So many names are fought over: few, so that writers meet.
const NAMES: usize = 3;

#[test]
fn racing_writers_never_leave_a_reference_to_nothing() {
    const WRITERS: u64 = 8;
    let (_directory, stores) = one_of_each();
    for store in stores {
        let made = Arc::new(AtomicUsize::new(0));
        run(async {
            store.commit(create_mesh()).await.unwrap();
            let mut writers = JoinSet::new();
            for seed in 0..WRITERS {
                let (store, made) = (Arc::clone(&store), Arc::clone(&made));
                writers.spawn(async move {
                    let mut random = fastrand::Rng::with_seed(seed);
                    for _ in 0..40 {
                        let name = format!("n{}", random.usize(..NAMES));
                        let change = match random.u8(..4) {
                            0 => create(node_id(&name), VirtualNodeSpec::default()),
                            1 => create(service_id(&name), service_of(&name)),
                            2 => delete(node_id(&name)),
                            _ => delete(service_id(&name)),
                        };
                        match store.commit(change).await {
                            Ok(_) => drop(made.fetch_add(1, Ordering::Relaxed)),
                            Err(error) => drop(refused(error)),
                        }
                        assert_eq!(dangling(&store.snapshot()), []);
                    }
                });
            }
            writers.join_all().await;
        });
        assert!(made.load(Ordering::Relaxed) > 20, "writers hardly wrote");
    }
}

#[test]
fn a_limit_holds_however_many_come_at_once() {
    const LIMIT: usize = 5;
    let (_directory, stores) = one_of_each();
    for store in stores {
        let committed = run(async {
            let mut writers = JoinSet::new();
            for n in 0..40 {
                let store = Arc::clone(&store);
                writers.spawn(async move {
                    let change = Change::decided_by(move |snapshot| {
                        if snapshot.len() >= LIMIT {
                            return Err(Refusal::new(ErrorKind::LimitExceeded, "full"));
                        }
                        Ok(Effect::new().put(node(&format!("n{n}"), 1)))
                    });
                    store.commit(change).await.is_ok()
                });
            }
            writers.join_all().await
        });
        assert_eq!(committed.into_iter().filter(|made| *made).count(), LIMIT);
        assert_eq!(store.snapshot().len(), LIMIT);
    }
}

#[test]
fn a_refusal_comes_back_as_it_was_decided_and_changes_nothing() {
    let (_directory, stores) = one_of_each();
    for store in stores {
        let change = create(service_id("s"), service_of("missing")).once(token());
        let refusal = refused(run(store.commit(change)).unwrap_err());
        let expected = rules::create(
            &Snapshot::new(),
            &service_id("s"),
            &service_of("missing").into(),
        );
        assert_eq!(refusal, expected.unwrap_err());
        assert_eq!(store.snapshot(), Snapshot::new());
        // Nor does it use the token up.
        let made = run(store.commit(create_mesh().once(token()))).unwrap();
        assert!(!made.replayed);
    }
}

#[test]
fn a_repeated_request_gets_the_decided_answer_also_after_a_restart() {
    let (_directory, path) = empty_place();
    let first = run(open(&path).commit(create_mesh().once(token()))).unwrap();
    assert_eq!(first.answer, "made mesh/shop");

    let store = open(&path);
    // Deciding once more would refuse it: the mesh exists.
    let again = run(store.commit(create_mesh().once(token()))).unwrap();
    assert!(again.replayed);
    assert_eq!(again.answer, first.answer);
    assert_eq!(store.snapshot().revision(), first.revision);

    let other = IdempotencyToken {
        fingerprint: Fingerprint::of(b"other"),
        ..token()
    };
    let error = run(store.commit(create_mesh().once(other))).unwrap_err();
    assert!(
        matches!(error, Error::Conflict(Conflict::Token { .. })),
        "{error}"
    );
}

#[test]
fn what_is_known_comes_before_what_is_decided() {
    let (_directory, stores) = one_of_each();
    for store in stores {
        let change = Change::decided_by(|_| {
            Ok(Effect::new()
                .put(node("a", 2))
                .append("log", json!("decided")))
        });
        let change = change.put(node("a", 1)).append("log", json!("known"));
        let committed = run(store.commit(change)).unwrap();
        assert_eq!((committed.revision, committed.positions), (1, vec![1, 2]));
        assert_eq!(crate::fixture::version_of(&*store, "a"), Some(2));
        let log = run(store.journal("log", 0)).unwrap();
        let bodies: Vec<_> = log.into_iter().map(|entry| entry.body).collect();
        assert_eq!(bodies, [json!("known"), json!("decided")]);
    }
}

#[test]
fn a_decision_that_panics_fails_its_own_change_alone() {
    let (_directory, stores) = one_of_each();
    for store in stores {
        let panics = Change::decided_by(|_| panic!("out of cheese")).put(node("a", 1));
        let sound = Change::new().put(node("b", 1));
        let (failed, made) =
            run(async { tokio::join!(store.commit(panics.clone()), store.commit(sound.clone())) });
        let error = failed.unwrap_err();
        assert!(
            matches!(&error, Error::Undecided { reason } if reason == "out of cheese"),
            "{error}"
        );
        made.unwrap();
        assert!(!store.snapshot().contains(&node_id("a")));
        run(store.commit(sound)).unwrap();
    }
}
