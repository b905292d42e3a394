//! The items of a list, and a map that stands for a list of keys and values.

use serde::de::{DeserializeSeed, SeqAccess};

use super::{Mismatch, Reader};
use crate::tree::Node;

pub(super) struct Items<'a> {
    whole: Reader<'a>,
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'a> Items<'a> {
    pub(super) fn new(whole: Reader<'a>, items: &'a [Node]) -> Self {
        let items = items.iter().enumerate();
        Self { whole, items }
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mismatch> {
        let Some((index, item)) = self.items.next() else {
            return Ok(None);
        };
        item_at(index, self.whole.of(item), seed).map(Some)
    }
}

/// `{a: b}` as `[{key: a, value: b}]`.
pub(super) struct Pairs<'a> {
    whole: Reader<'a>,
    pairs: std::iter::Enumerate<std::slice::Iter<'a, (String, Node)>>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(whole: Reader<'a>, members: &'a [(String, Node)]) -> Self {
        let pairs = members.iter().enumerate();
        Self { whole, pairs }
    }
}

impl<'de> SeqAccess<'de> for Pairs<'_> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mismatch> {
        let Some((index, (key, value))) = self.pairs.next() else {
            return Ok(None);
        };
        let line = value.line;
        let key = ("key".to_owned(), Node::text(line, key));
        let pair = Node::map(line, vec![key, ("value".to_owned(), value.clone())]);
        let Reader {
            dialect,
            zero_is_absent,
            ..
        } = self.whole;
        let reader = Reader {
            node: &pair,
            dialect,
            zero_is_absent,
        };
        item_at(index, reader, seed).map(Some)
    }
}

fn item_at<'de, T: DeserializeSeed<'de>>(
    index: usize,
    reader: Reader<'_>,
    seed: T,
) -> Result<T::Value, Mismatch> {
    seed.deserialize(reader)
        .map_err(|mismatch| mismatch.under(&format!("[{index}]")).on(reader.node.line))
}
