//! A request's body: a JSON object whose members are known.
//!
//! What is wrong here is a `BadRequestException`. AWS's own front ends answer `SerializationException` to
//! a body that cannot be parsed, but that error is in no service model, so no client has a class for it.

use std::collections::BTreeMap;

use model::tags::{self, Tag};
use model::{Error, Kind, Spec, Violation, check, read};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

#[derive(Debug)]
pub(crate) struct Body(Map<String, Value>);

impl Body {
    /// Reads an object that has none but these members; no body at all is an object without any.
    pub(crate) fn read(bytes: &[u8], members: &[&'static str]) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        let object = match serde_json::from_slice(bytes) {
            Ok(Value::Object(object)) => object,
            Ok(other) => {
                return Err(Violation::new("body", "is not a JSON object")
                    .of(other)
                    .into());
            }
            Err(error) => {
                return Err(Violation::new("body", format!("is not JSON: {error}")).into());
            }
        };
        let unknown = object
            .keys()
            .filter(|name| !members.contains(&name.as_str()));
        let unknown: Vec<Violation> = unknown
            .map(|name| Violation::unknown_member(name, members))
            .collect();
        if !unknown.is_empty() {
            return Err(Error::bad_request(unknown));
        }
        Ok(Self(object))
    }

    /// The member, which may be missing; `null` is the same as missing.
    pub(crate) fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => Ok(Some(read::read(value, name)?)),
        }
    }

    pub(crate) fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        let value = self.optional(name)?;
        value.ok_or_else(|| Violation::new(name, "is required").into())
    }

    /// The spec. Only a mesh can do without one, and then has an empty one: an update replaces the whole
    /// spec, so that an update without one takes back what the old one said.
    pub(crate) fn spec(&self, kind: Kind) -> Result<Spec, Error> {
        match self.0.get("spec") {
            None | Some(Value::Null) if kind == Kind::Mesh => {
                Spec::parse(kind, &Value::Object(Map::new()))
            }
            None | Some(Value::Null) => Err(Violation::new("spec", "is required").into()),
            Some(spec) => Spec::parse(kind, spec),
        }
    }

    /// The tags of a new resource.
    pub(crate) fn tags(&self) -> Result<BTreeMap<String, String>, Error> {
        let given: Option<Vec<Tag>> = self.optional("tags")?;
        tags::add(&BTreeMap::new(), &given.unwrap_or_default())
    }

    /// The caller's token: up to 36 letters, digits, hyphens and underscores. An empty one, as the CLI's
    /// skeletons have it, is none.
    pub(crate) fn client_token(&self) -> Result<Option<String>, Error> {
        let token: Option<String> = self.optional("clientToken")?;
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        check::request("clientToken", |at| {
            at.text_here(&token, 1..=36);
            if !token.bytes().all(is_allowed) {
                at.refuse_text(&token, "has characters other than A-Z, a-z, 0-9, - and _");
            }
        })?;
        Ok(Some(token))
    }
}
