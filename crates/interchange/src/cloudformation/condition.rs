//! Conditions: which of a template's resources and values are there.

use super::evaluate::{Outcome, Problem, Template};
use crate::tree::{Node, Value};
use crate::typed;

impl Template<'_> {
    /// The condition of this name.
    pub(super) fn condition(&self, name: &str, line: usize) -> Outcome<bool> {
        match self.root.at(&["Conditions", name]) {
            Some(node) => self.holds(node),
            None => {
                let name = typed::shortened(name);
                Err(Problem::new(line, format!("no condition is called {name}")))
            }
        }
    }

    fn holds(&self, node: &Node) -> Outcome<bool> {
        self.inside(node.line, || {
            let [(function, argument)] = node.members() else {
                return Err(Problem::new(node.line, "is no condition"));
            };
            match (function.as_str(), argument.items()) {
                ("Condition", _) => {
                    self.condition(argument.as_text().unwrap_or_default(), node.line)
                }
                ("Fn::Equals", [one, other]) => {
                    let (one, other) = (self.value(one)?, self.value(other)?);
                    Ok(are_equal(one.as_ref(), other.as_ref()))
                }
                ("Fn::Not", [condition]) => Ok(!self.holds(condition)?),
                ("Fn::And", conditions) if !conditions.is_empty() => {
                    let mut all = true;
                    for condition in conditions {
                        all = all && self.holds(condition)?;
                    }
                    Ok(all)
                }
                ("Fn::Or", conditions) if !conditions.is_empty() => {
                    let mut any = false;
                    for condition in conditions {
                        any = any || self.holds(condition)?;
                    }
                    Ok(any)
                }
                (function, _) => {
                    let reason = format!("{} is no condition", typed::shortened(function));
                    Err(Problem::new(node.line, reason))
                }
            }
        })
    }
}

/// Wherever they stand in the text.
fn are_equal(one: Option<&Node>, other: Option<&Node>) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return one.is_none() && other.is_none();
    };
    match (&one.value, &other.value) {
        (Value::Scalar(one), Value::Scalar(other)) => one.text == other.text,
        (Value::List(ones), Value::List(others)) => {
            let mut pairs = ones.iter().zip(others);
            ones.len() == others.len() && pairs.all(|(a, b)| are_equal(Some(a), Some(b)))
        }
        (Value::Null, Value::Null) => true,
        _ => false,
    }
}
