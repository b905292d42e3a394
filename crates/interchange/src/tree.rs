//! A text as a tree whose nodes know their lines, whichever syntax it was written in.
//!
//! Scalars stay text: what `80`, `"80"` or `yes` means depends on what is asked for, and only the reader
//! of a type knows that. Input comes from outside, so depth and size are bounded while a tree grows.

pub(crate) mod json;
pub(crate) mod yaml;

/// Deeper nesting is refused; a mesh needs some twenty levels.
const DEEPEST: usize = 64;

/// Nodes that YAML's aliases may copy: few lines can name one node very often.
const MOST_COPIES: usize = 200_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Scalar(Scalar),
    List(Vec<Node>),
    /// In the order of the text; a key may stand twice.
    Map(Vec<(String, Node)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    /// Certainly a string; else it may be a number or a truth value as well.
    pub(crate) quoted: bool,
}

/// A text that is no tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) line: usize,
    pub(crate) reason: String,
}

/// Reads all documents of a text: JSON, one value after the other, or YAML. A document that is malformed
/// spoils no other.
pub(crate) fn parse(text: &str) -> (Vec<Node>, Vec<Malformed>) {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with(['{', '[']) {
        return yaml::parse(text);
    }
    match json::parse(text) {
        Ok(documents) => (documents, Vec::new()),
        // YAML may begin with a brace as well, but then it is no JSON.
        Err(malformed) => match yaml::parse(text) {
            (documents, none) if none.is_empty() => (documents, none),
            _ => (Vec::new(), vec![malformed]),
        },
    }
}

impl Node {
    pub(crate) fn text(line: usize, text: impl Into<String>) -> Self {
        let text = text.into();
        let value = Value::Scalar(Scalar { text, quoted: true });
        Self { line, value }
    }

    pub(crate) fn list(line: usize, items: Vec<Self>) -> Self {
        let value = Value::List(items);
        Self { line, value }
    }

    pub(crate) fn map(line: usize, members: Vec<(String, Self)>) -> Self {
        let value = Value::Map(members);
        Self { line, value }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// The member of this name that is not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let found = self.members().iter().rev().find(|(key, _)| key == name);
        found.map(|(_, node)| node).filter(|node| !node.is_null())
    }

    /// Follows members inwards.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    pub(crate) fn members(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Map(members) => members,
            _ => &[],
        }
    }

    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The text of a member.
    pub(crate) fn text_at(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_text()
    }

    pub(crate) fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }
}
