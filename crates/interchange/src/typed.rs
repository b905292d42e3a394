//! From a tree to a type of the model, in a format's own dialect.
//!
//! The model's types know their members, unions and scalars; a [`Dialect`] says how a format spells them.
//! So no format has a table of the service model's shapes: whatever the model can say can be read from
//! each of them, and nothing else.

mod choice;
mod dialect;
mod list;
mod map;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};

pub(crate) use dialect::{CLOUDFORMATION, COMMAND_LINE, Dialect, KUBERNETES, TERRAFORM};

use crate::tree::{Node, Scalar, Value};
use choice::Choice;
use list::{Items, Pairs};
use map::Members;

/// What a tree has where the type has something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", self.prefix())]
pub(crate) struct Mismatch {
    /// `listeners[0].portMapping`, as the model spells it.
    pub(crate) path: String,
    /// Of the text; 0 until it is known.
    pub(crate) line: usize,
    pub(crate) reason: String,
}

/// Reads `node`, which is called `name`.
pub(crate) fn read<T: DeserializeOwned>(
    node: &Node,
    dialect: Dialect,
    name: &str,
) -> Result<T, Mismatch> {
    let reader = Reader {
        node,
        dialect,
        zero_is_absent: false,
    };
    T::deserialize(reader).map_err(|mismatch| mismatch.under(name).on(node.line))
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    node: &'a Node,
    dialect: Dialect,
    /// Where the dialect writes 0 for a number that is not there.
    zero_is_absent: bool,
}

impl Mismatch {
    fn new(reason: impl Into<String>) -> Self {
        Self {
            path: String::new(),
            line: 0,
            reason: reason.into(),
        }
    }

    pub(crate) fn at(line: usize, reason: impl Into<String>) -> Self {
        Self::new(reason).on(line)
    }

    fn under(mut self, parent: &str) -> Self {
        if !self.path.is_empty() && !self.path.starts_with('[') {
            self.path.insert(0, '.');
        }
        self.path.insert_str(0, parent);
        self
    }

    /// Keeps the innermost line.
    fn on(mut self, line: usize) -> Self {
        if self.line == 0 {
            self.line = line;
        }
        self
    }

    fn prefix(&self) -> String {
        match self.path.is_empty() {
            true => String::new(),
            false => format!("{}: ", self.path),
        }
    }
}

impl serde::de::Error for Mismatch {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new("is required").under(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new("is given twice").under(field)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let reason = match expected {
            [] => "is unknown, no member is allowed here".to_owned(),
            _ => format!("is unknown, members here are {}", expected.join(", ")),
        };
        Self::new(reason).under(&shortened(field))
    }
}

impl<'a> Reader<'a> {
    fn refuse<T>(&self, rule: &str) -> Result<T, Mismatch> {
        let found = match &self.node.value {
            Value::Null => "nothing".to_owned(),
            Value::Scalar(scalar) if scalar.quoted => format!("\"{}\"", shortened(&scalar.text)),
            Value::Scalar(scalar) => shortened(&scalar.text),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        };
        Err(Mismatch::new(format!("{found} {rule}")).on(self.node.line))
    }

    fn of(self, node: &'a Node) -> Self {
        Self { node, ..self }
    }

    fn scalar(&self, rule: &str) -> Result<&'a Scalar, Mismatch> {
        match &self.node.value {
            Value::Scalar(scalar) => Ok(scalar),
            _ => self.refuse(rule),
        }
    }

    fn integer(&self) -> Result<i64, Mismatch> {
        let rule = "is not an integer of 64 bits";
        let scalar = self.scalar(rule)?;
        if scalar.quoted && !self.dialect.converts_scalars {
            return self.refuse(rule);
        }
        integer(&scalar.text).map_or_else(|| self.refuse(rule), Ok)
    }

    /// The map meant where a dialect writes a list of one block.
    fn block(self) -> Result<Reader<'a>, Mismatch> {
        match &self.node.value {
            Value::List(items) if self.dialect.blocks => match items.as_slice() {
                [] => Ok(self),
                [block] => Ok(self.of(block)),
                _ => self.refuse("has several blocks where one is meant"),
            },
            _ => Ok(self),
        }
    }
}

/// Decimal digits, or a number that happens to have no fraction.
fn integer(text: &str) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.parse().ok().or_else(|| {
        let number: f64 = digits.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
    })
}

/// `infinity` and `nan` are names, whatever Rust makes of them.
fn is_number(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok()
}

fn truth(scalar: &Scalar) -> Option<bool> {
    match scalar.text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        // YAML 1.1, as CloudFormation and Kubernetes read it.
        "yes" | "on" if !scalar.quoted => Some(true),
        "no" | "off" if !scalar.quoted => Some(false),
        _ => None,
    }
}

/// What a message shows of a text from outside.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Scalar(scalar) => visitor.visit_str(&scalar.text),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let rule = "is neither true nor false";
        let scalar = self.scalar(rule)?;
        match truth(scalar) {
            Some(value) if self.dialect.converts_scalars || !scalar.quoted => {
                visitor.visit_bool(value)
            }
            _ => self.refuse(rule),
        }
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match i32::try_from(self.integer()?) {
            Ok(value) => visitor.visit_i32(value),
            Err(_) => self.refuse("is not an integer of 32 bits"),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_i64(self.integer()?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let rule = "is not a string";
        let scalar = self.scalar(rule)?;
        let is_other = !scalar.quoted && (is_number(&scalar.text) || truth(scalar).is_some());
        match is_other && !self.dialect.converts_scalars {
            true => self.refuse(rule),
            false => visitor.visit_str(&scalar.text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.dialect.is_absent(self.node, self.zero_is_absent) {
            true => visitor.visit_none(),
            false => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match &self.node.value {
            Value::List(items) => visitor.visit_seq(Items::new(self, items)),
            Value::Map(members) if self.dialect.blocks => {
                visitor.visit_seq(Pairs::new(self, members))
            }
            _ => self.refuse("is not a list"),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        self.deserialize_struct("", &[], visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let block = self.block()?;
        match &block.node.value {
            Value::Map(members) => visitor.visit_map(Members::new(block, members, fields)),
            Value::Null | Value::List(_) if self.dialect.blocks => {
                visitor.visit_map(Members::new(block, &[], fields))
            }
            _ => block.refuse("is not a map"),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let block = self.block()?;
        let choice = match &block.node.value {
            Value::Scalar(scalar) => match variants.iter().find(|name| **name == scalar.text) {
                Some(name) => Choice {
                    whole: block,
                    name,
                    content: None,
                },
                None => return block.refuse(&format!("is none of {}", variants.join(", "))),
            },
            Value::Map(members) => block.only_member(members, variants)?,
            _ => return block.refuse(&format!("is no choice of {}", variants.join(", "))),
        };
        visitor.visit_enum(choice)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct newtype_struct
        tuple tuple_struct identifier ignored_any
    }
}

fn named(name: &str) -> StrDeserializer<'_, Mismatch> {
    name.into_deserializer()
}
