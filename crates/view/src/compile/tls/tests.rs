//! The caller's policy against the backend's listener.

use serde_json::{Value, json};

use super::*;

const ARN: &str = "arn:aws:acm:eu-central-1:111122223333:certificate/1";

fn target(tls: Option<Value>) -> VirtualNodeSpec {
    let mut listener = json!({"portMapping": {"port": 3000, "protocol": "http"}});
    if let Some(tls) = tls {
        listener["tls"] = tls;
    }
    serde_json::from_value(json!({
        "listeners": [listener],
        "serviceDiscovery": {"awsCloudMap": {"namespaceName": "apps.local", "serviceName": "crystal"}},
    }))
    .unwrap()
}

fn by_file(mode: &str) -> Option<Value> {
    let file = json!({"certificateChain": "/c.pem", "privateKey": "/c.key"});
    Some(json!({"mode": mode, "certificate": {"file": file}}))
}

fn by_acm(mode: &str) -> Option<Value> {
    Some(json!({"mode": mode, "certificate": {"acm": {"certificateArn": ARN}}}))
}

fn policy(more: Value) -> ClientPolicy {
    let mut tls = json!({"validation": {"trust": {"file": {"certificateChain": "/ca.pem"}}}});
    for (name, value) in more.as_object().unwrap() {
        tls[name] = value.clone();
    }
    serde_json::from_value(json!({"tls": tls})).unwrap()
}

fn spoken(target: &VirtualNodeSpec, policy: Option<&ClientPolicy>) -> Option<ClientTls> {
    client(target, &target.listeners()[0], policy, 3000)
}

#[test]
fn a_policy_comes_first_and_a_listener_in_plain_text_is_spoken_to_unless_it_is_enforced() {
    let (enforced, lax) = (policy(json!({})), policy(json!({"enforce": false})));
    let elsewhere = policy(json!({"ports": [8080]}));
    for (listener, plain) in [
        (None, true),
        (by_file("DISABLED"), true),
        (by_file("PERMISSIVE"), false),
        (by_file("STRICT"), false),
    ] {
        let target = target(listener.clone());
        let tls = spoken(&target, Some(&enforced)).unwrap();
        assert!(tls.enforce);
        assert_eq!(
            tls.trust,
            Some(Trust::File {
                chain: "/ca.pem".into()
            })
        );
        assert_eq!(tls.subject_names, ["crystal.apps.local"]);
        assert_eq!(tls.server_name.as_deref(), Some("crystal.apps.local"));
        assert_eq!(spoken(&target, Some(&lax)).is_none(), plain, "{listener:?}");
        assert_eq!(spoken(&target, Some(&elsewhere)), spoken(&target, None));
        assert_eq!(spoken(&target, None).is_none(), plain, "{listener:?}");
    }
}

#[test]
fn without_a_policy_only_a_certificate_of_acm_is_validated() {
    let of_file = spoken(&target(by_file("STRICT")), None).unwrap();
    assert_eq!((of_file.trust, of_file.subject_names), (None, vec![]));
    let of_acm = spoken(&target(by_acm("STRICT")), None).unwrap();
    let authorities = vec![ARN.to_owned()];
    assert_eq!(of_acm.trust, Some(Trust::Acm { authorities }));
    assert_eq!(of_acm.subject_names, ["crystal.apps.local"]);
}

#[test]
fn names_of_a_policy_replace_those_of_the_discovery() {
    let names = json!({"match": {"exact": ["spiffe://apps/crystal"]}});
    let mut named = policy(json!({}));
    let validation = &mut named.tls.as_mut().unwrap().validation;
    validation.subject_alternative_names = serde_json::from_value(names).unwrap();
    let tls = spoken(&target(None), Some(&named)).unwrap();
    assert_eq!(tls.subject_names, ["spiffe://apps/crystal"]);
    assert_eq!(tls.server_name.as_deref(), Some("crystal.apps.local"));
}
