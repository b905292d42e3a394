//! Tags: a resource's user-given keys and values.
//!
//! On the wire a list of pairs, in a resource a map. Keys that begin with `aws:`, in any case, are
//! reserved, and a resource carries at most 50.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::check::{self, Check, Checker};
use crate::error::{Error, ErrorKind};

/// One tag as App Mesh's clients write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tag {
    pub key: String,
    pub value: String,
}

const MOST: usize = 50;

/// A resource's tags after `added` are set; a tag it has already gets the new value.
pub fn add(
    present: &BTreeMap<String, String>,
    added: &[Tag],
) -> Result<BTreeMap<String, String>, Error> {
    check::request("", |request| request.list("tags", Some(added), 0..=MOST))?;
    let mut tags = present.clone();
    tags.extend(added.iter().map(|tag| (tag.key.clone(), tag.value.clone())));
    if tags.len() > MOST {
        let message = format!(
            "{} tags are more than the {MOST} a resource can have",
            tags.len()
        );
        return Err(Error::new(ErrorKind::TooManyTags, message));
    }
    Ok(tags)
}

/// A resource's tags without these keys; a key it does not have is no error `[?]`.
pub fn remove(
    present: &BTreeMap<String, String>,
    keys: &[String],
) -> Result<BTreeMap<String, String>, Error> {
    check::request("", |request| {
        request.count("tagKeys", Some(keys), 0..=MOST);
        request.each("tagKeys", Some(keys), |at, key| at.text_here(key, 1..=128));
    })?;
    let mut tags = present.clone();
    tags.retain(|key, _| !keys.contains(key));
    Ok(tags)
}

impl Check for Tag {
    fn check(&self, at: &mut Checker) {
        at.text("key", Some(&self.key), 1..=128);
        at.text("value", Some(&self.value), 0..=256);
        let start = self.key.get(..4).unwrap_or_default();
        if start.eq_ignore_ascii_case("aws:") {
            at.inside("key")
                .refuse_text(&self.key, "is reserved, as all keys that begin with aws:");
        }
    }
}
