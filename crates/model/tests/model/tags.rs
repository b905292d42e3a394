//! Tags and their limits.

use std::collections::BTreeMap;

use model::ErrorKind;
use model::tags::{Tag, add, remove};

fn tag(key: impl Into<String>, value: impl Into<String>) -> Tag {
    Tag {
        key: key.into(),
        value: value.into(),
    }
}

fn numbered(count: usize) -> Vec<Tag> {
    (0..count)
        .map(|number| tag(format!("key-{number}"), ""))
        .collect()
}

#[test]
fn added_tags_join_or_replace() {
    let tags = add(&BTreeMap::new(), &[tag("a", "1"), tag("b", "2")]).unwrap();
    let tags = add(&tags, &[tag("b", "3")]).unwrap();
    assert_eq!(
        tags,
        BTreeMap::from([("a".into(), "1".into()), ("b".into(), "3".into())])
    );
    let tags = remove(&tags, &["a".into(), "absent".into()]).unwrap();
    assert_eq!(tags, BTreeMap::from([("b".into(), "3".into())]));
}

#[test]
fn a_resource_has_at_most_fifty() {
    let full = add(&BTreeMap::new(), &numbered(50)).unwrap();
    assert!(add(&full, &[tag("key-49", "another value")]).is_ok());
    assert_eq!(
        add(&full, &[tag("new", "")]).unwrap_err().kind,
        ErrorKind::TooManyTags
    );
    let error = add(&BTreeMap::new(), &numbered(51)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadRequest);
    assert_eq!(error.message, "tags: has 51 entries, allowed are 0 to 50");
}

#[test]
fn keys_and_values_have_their_limits() {
    let refused =
        |tag: Tag| add(&BTreeMap::new(), &[tag]).map_err(|error| error.violations[0].path.clone());
    assert!(refused(tag("k".repeat(128), "v".repeat(256))).is_ok());
    assert_eq!(refused(tag("", "")), Err("tags[0].key".into()));
    assert_eq!(refused(tag("k".repeat(129), "")), Err("tags[0].key".into()));
    assert_eq!(
        refused(tag("k", "v".repeat(257))),
        Err("tags[0].value".into())
    );
    assert_eq!(refused(tag("AWS:owner", "me")), Err("tags[0].key".into()));
    assert!(refused(tag("aws", "me")).is_ok());
    assert!(refused(tag("ä日本", "me")).is_ok());
    assert_eq!(
        remove(&BTreeMap::new(), &[String::new()])
            .unwrap_err()
            .violations[0]
            .path,
        "tagKeys[0]"
    );
}
