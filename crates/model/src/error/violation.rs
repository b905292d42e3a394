//! One broken rule: where, what stood there, and what is allowed.

use std::fmt;

use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{path}: {}{rule}", self.shown())]
pub struct Violation {
    /// `spec.httpRoute.action.weightedTargets[0].weight`
    pub path: String,
    /// The value as JSON, shortened; absent where something is missing or the value is the whole.
    pub value: Option<String>,
    /// Continues the sentence: `is out of range, allowed are 0 to 100`.
    pub rule: String,
}

impl Violation {
    pub fn new(path: impl Into<String>, rule: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            value: None,
            rule: rule.into(),
        }
    }

    /// A member that the object does not have.
    pub fn unknown_member(name: &str, known: &[&str]) -> Self {
        let rule = match known {
            [] => "is unknown, no member is allowed here".to_owned(),
            _ => format!("is unknown, members here are {}", known.join(", ")),
        };
        Self::new(shortened(name), rule)
    }

    #[must_use]
    pub fn of(self, value: impl fmt::Display) -> Self {
        Self {
            value: Some(shortened(&value.to_string())),
            ..self
        }
    }

    /// The same violation seen from an object or a list that holds it.
    #[must_use]
    pub(crate) fn under(mut self, parent: &str) -> Self {
        if !self.path.is_empty() && !self.path.starts_with('[') {
            self.path.insert(0, '.');
        }
        self.path.insert_str(0, parent);
        self
    }

    fn shown(&self) -> String {
        match &self.value {
            Some(value) => format!("{value} "),
            None => String::new(),
        }
    }
}

/// What a message shows of a caller's text: more would add nothing but length.
fn shortened(value: &str) -> String {
    match value.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &value[..end]),
        None => value.to_owned(),
    }
}
