//! Strict reading of JSON: a value becomes a type, or a violation that names its field.
//!
//! Serde's own JSON reader is lenient where the service model is not (it takes a list for a struct and
//! `{"http": null}` for the text `"http"`) and tells neither the path of a missing or unknown member
//! nor which members a union has. This reader takes exactly the service model's JSON. As everywhere in
//! AWS's JSON, `null` means absent.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::{Map, Value};

use crate::error::Violation;

/// Reads `value`, which stands at `path` of its request.
pub fn read<T: DeserializeOwned>(value: &Value, path: &str) -> Result<T, Violation> {
    T::deserialize(Reader(value)).map_err(|violation| violation.under(path))
}

#[derive(Clone, Copy)]
struct Reader<'a>(&'a Value);

impl<'a> Reader<'a> {
    fn refuse<T>(self, rule: impl Into<String>) -> Result<T, Violation> {
        Err(Violation::new("", rule).of(self.0))
    }

    fn integer(self) -> Result<i64, Violation> {
        self.0
            .as_i64()
            .map_or_else(|| self.refuse("is not an integer of 64 bits"), Ok)
    }

    fn object(self) -> Result<&'a Map<String, Value>, Violation> {
        self.0
            .as_object()
            .map_or_else(|| self.refuse("is not an object"), Ok)
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Violation;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Violation> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(_) => self.deserialize_bool(visitor),
            Value::Number(_) => self.deserialize_i64(visitor),
            Value::String(_) => self.deserialize_string(visitor),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Violation> {
        match self.0 {
            Value::Bool(value) => visitor.visit_bool(*value),
            _ => self.refuse("is neither true nor false"),
        }
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Violation> {
        match i32::try_from(self.integer()?) {
            Ok(value) => visitor.visit_i32(value),
            Err(_) => self.refuse("is not an integer of 32 bits"),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Violation> {
        visitor.visit_i64(self.integer()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Violation> {
        match self.0 {
            Value::String(value) => visitor.visit_borrowed_str(value),
            _ => self.refuse("is not a string"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Violation> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Violation> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Violation> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(List(items.iter().enumerate())),
            _ => self.refuse("is not a list"),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Violation> {
        let members = self.object()?.iter();
        visitor.visit_map(Object {
            members,
            current: None,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Violation> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Violation> {
        let (name, content) = match self.0 {
            Value::String(name) if variants.contains(&name.as_str()) => (name, None),
            Value::Object(members) => only_member(members, variants)?,
            Value::String(_) => return self.refuse(format!("is none of {}", variants.join(", "))),
            _ => return self.refuse(format!("is no choice of {}", variants.join(", "))),
        };
        visitor.visit_enum(Choice {
            whole: self,
            name,
            content,
        })
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct newtype_struct
        tuple tuple_struct identifier ignored_any
    }
}

/// The member of a union, and its value.
fn only_member<'a>(
    members: &'a Map<String, Value>,
    variants: &[&str],
) -> Result<(&'a String, Option<&'a Value>), Violation> {
    let mut present = members.iter().filter(|(_, value)| !value.is_null());
    match (present.next(), present.next()) {
        (Some((name, value)), None) if variants.contains(&name.as_str()) => Ok((name, Some(value))),
        (Some((name, _)), None) => Err(Violation::unknown_member(name, variants)),
        _ => Err(Violation::new(
            "",
            format!("needs exactly one of {}", variants.join(", ")),
        )),
    }
}

struct List<I>(I);

impl<'de, I: Iterator<Item = (usize, &'de Value)>> SeqAccess<'de> for List<I> {
    type Error = Violation;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Violation> {
        let Some((index, item)) = self.0.next() else {
            return Ok(None);
        };
        seed.deserialize(Reader(item))
            .map(Some)
            .map_err(|violation| violation.under(&format!("[{index}]")))
    }
}

struct Object<'de, I> {
    members: I,
    current: Option<(&'de String, &'de Value)>,
}

impl<'de, I: Iterator<Item = (&'de String, &'de Value)>> MapAccess<'de> for Object<'de, I> {
    type Error = Violation;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Violation> {
        self.current = self.members.next();
        match self.current {
            // An unknown member's violation already carries its name.
            Some((name, _)) => seed.deserialize(named(name)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Violation> {
        let Some((name, value)) = self.current else {
            return Err(Violation::custom("a value was asked for before its name"));
        };
        seed.deserialize(Reader(value))
            .map_err(|violation| violation.under(name))
    }
}

fn named(name: &str) -> StrDeserializer<'_, Violation> {
    name.into_deserializer()
}

struct Choice<'de> {
    whole: Reader<'de>,
    name: &'de str,
    /// What a union's member holds; an enumeration's text holds nothing.
    content: Option<&'de Value>,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Violation;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Violation> {
        Ok((seed.deserialize(named(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = Violation;

    fn unit_variant(self) -> Result<(), Violation> {
        match self.content {
            None => Ok(()),
            Some(_) => self.whole.refuse("is not a string"),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Violation> {
        match self.content {
            Some(value) => seed
                .deserialize(Reader(value))
                .map_err(|violation| violation.under(self.name)),
            None => self.whole.refuse("is not an object"),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Violation> {
        self.whole.refuse("stands where the model has no tuple")
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Violation> {
        self.whole.refuse("stands where the model has no struct")
    }
}

impl Error for Violation {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Violation::new("", message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Violation::new(field, "is required")
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Violation::unknown_member(field, expected)
    }
}
