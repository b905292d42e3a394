use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use link::{Signed, SigningRequest};
use proxy::{DataPlane, Options};
use view::Secrets;

use super::{Identities, PAUSE};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn identities(state: &Path) -> Identities {
    let plane = DataPlane::start(Options::default()).unwrap();
    let mut identities = Identities::of("mesh/m/virtualNode/crystal", state, Arc::new(plane));
    identities.want(Secrets {
        identities: ["identity".to_owned()].into(),
        trust: ["trust".to_owned()].into(),
    });
    identities
}

/// The server's answer to the only request that is due.
fn answer(due: &[SigningRequest]) -> Signed {
    assert_eq!(due.len(), 1);
    Signed {
        secret: due[0].secret.clone(),
        chain: "-----BEGIN CERTIFICATE-----".to_owned(),
        lifetime: DAY,
    }
}

fn bundle(roots: &[&str]) -> String {
    let pem =
        |root: &&str| format!("-----BEGIN CERTIFICATE-----\n{root}\n-----END CERTIFICATE-----\n");
    roots.iter().map(pem).collect()
}

#[test]
fn an_identity_is_renewed_with_another_key_after_two_thirds_of_its_time() {
    let state = tempfile::tempdir().unwrap();
    let mut identities = identities(state.path());
    assert!(!identities.are_settled());
    let first = identities.due(DAY);
    assert!(identities.due(DAY).is_empty(), "it has been asked for");
    identities.signed(answer(&first), DAY);
    assert!(identities.are_settled());
    assert!(identities.due(DAY + 16 * HOUR - PAUSE).is_empty());
    let second = identities.due(DAY + 16 * HOUR);
    assert_ne!(answer(&second).secret, "");
    assert_ne!(first[0].request, second[0].request);
    assert!(identities.are_settled(), "the first one serves meanwhile");
}

#[test]
fn the_next_process_goes_on_with_it() {
    let state = tempfile::tempdir().unwrap();
    let mut before = identities(state.path());
    let due = before.due(DAY);
    before.signed(answer(&due), DAY);
    drop(before);
    let mut after = identities(state.path());
    assert!(after.are_settled());
    assert!(after.due(DAY + HOUR).is_empty());
    assert_eq!(after.due(DAY + 16 * HOUR).len(), 1);
}

#[test]
fn what_was_refused_is_asked_for_a_minute_later_or_on_the_next_stream() {
    let state = tempfile::tempdir().unwrap();
    let mut identities = identities(state.path());
    for at in [DAY, DAY + PAUSE] {
        let due = identities.due(at);
        identities.refused(answer(&due).secret, "no such node", at);
        assert!(identities.are_settled(), "other listeners need not wait");
        assert!(identities.due(at + PAUSE / 2).is_empty());
    }
    identities.begin_stream();
    assert_eq!(identities.due(DAY + PAUSE).len(), 1);
}

#[test]
fn another_authority_is_asked_at_once_and_a_new_root_of_the_same_one_is_not() {
    let state = tempfile::tempdir().unwrap();
    let mut identities = identities(state.path());
    identities.believe(bundle(&["first"]));
    let due = identities.due(DAY);
    identities.signed(answer(&due), DAY);
    for rotated in [&["first", "second"][..], &["second"]] {
        identities.believe(bundle(rotated));
        assert!(identities.due(DAY).is_empty(), "{rotated:?}");
    }
    identities.believe(bundle(&["another"]));
    assert_eq!(identities.due(DAY).len(), 1);
}
