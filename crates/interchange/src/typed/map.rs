//! The members of a map, under the names the model has for them.

use serde::de::{DeserializeSeed, MapAccess};

use super::{Mismatch, Reader, named};
use crate::tree::Node;

pub(super) struct Members<'a> {
    whole: Reader<'a>,
    members: std::slice::Iter<'a, (String, Node)>,
    fields: &'static [&'static str],
    current: Option<(&'a str, &'a Node)>,
}

impl<'a> Members<'a> {
    pub(super) fn new(
        whole: Reader<'a>,
        members: &'a [(String, Node)],
        fields: &'static [&'static str],
    ) -> Self {
        Self {
            whole,
            members: members.iter(),
            fields,
            current: None,
        }
    }
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        let dialect = self.whole.dialect;
        for (key, node) in self.members.by_ref() {
            let member = dialect.member(key, self.fields);
            if member.is_none() && dialect.may_skip(node) {
                continue;
            }
            let name = member.unwrap_or(key);
            self.current = Some((name, node));
            let key = seed.deserialize(named(name));
            return key.map(Some).map_err(|mismatch| mismatch.on(node.line));
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Mismatch> {
        let Some((name, node)) = self.current else {
            return Err(Mismatch::new("a value was asked for before its name"));
        };
        let reader = Reader {
            node,
            dialect: self.whole.dialect,
            // A duration of 0 is one: it switches a limit off.
            zero_is_absent: name != "value",
        };
        seed.deserialize(reader)
            .map_err(|mismatch| mismatch.under(name).on(node.line))
    }
}
