//! Enumerations and unions: exactly one of several choices.

use serde::de::{DeserializeSeed, EnumAccess, Error as _, VariantAccess, Visitor};

use super::{Mismatch, Reader, named};
use crate::tree::Node;

/// One of an enumeration's or a union's choices.
pub(super) struct Choice<'a> {
    pub(super) whole: Reader<'a>,
    pub(super) name: &'static str,
    /// What a union's member holds; an enumeration's text holds nothing.
    pub(super) content: Option<Reader<'a>>,
}

impl<'a> Reader<'a> {
    pub(super) fn only_member(
        self,
        members: &'a [(String, Node)],
        variants: &'static [&'static str],
    ) -> Result<Choice<'a>, Mismatch> {
        let dialect = self.dialect;
        let mut present = members.iter().filter(|(name, node)| {
            !dialect.is_absent(node, true)
                && (dialect.member(name, variants).is_some() || !dialect.may_skip(node))
        });
        let (Some((name, node)), None) = (present.next(), present.next()) else {
            let reason = format!("needs exactly one of {}", variants.join(", "));
            return Err(Mismatch::new(reason).on(self.node.line));
        };
        match self.dialect.member(name, variants) {
            Some(variant) => Ok(Choice {
                whole: self,
                name: variant,
                content: Some(self.of(node)),
            }),
            None => Err(Mismatch::unknown_field(name, variants).on(node.line)),
        }
    }
}

impl<'de> EnumAccess<'de> for Choice<'_> {
    type Error = Mismatch;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Mismatch> {
        Ok((seed.deserialize(named(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'_> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        match self.content {
            None => Ok(()),
            Some(_) => self.whole.refuse("is not a string"),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mismatch> {
        match self.content {
            Some(reader) => seed
                .deserialize(reader)
                .map_err(|mismatch| mismatch.under(self.name).on(reader.node.line)),
            None => self.whole.refuse("is not a map"),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Mismatch> {
        self.whole.refuse("stands where the model has no tuple")
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Mismatch> {
        self.whole.refuse("stands where the model has no struct")
    }
}
