//! Values of a template: trees without functions.
//!
//! A template comes from outside: references may go in circles, and few lines may describe an endless
//! text. So depth, steps and the length of texts are bounded.

use std::cell::Cell;

use super::{dynamic, function};
use crate::options::Options;
use crate::read::Tree;
use crate::tree::{Node, Value};
use crate::typed::{self, Mismatch};

/// References and nested values on the way to one value.
const DEEPEST: usize = 160;

/// Values looked at while all templates are read.
const MOST_STEPS: usize = 20_000_000;

/// Bytes of one text; the longest member of the service model has 1024 characters.
const LONGEST_TEXT: usize = 16 * 1024;

/// Why a value cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

pub(super) type Outcome<T> = Result<T, Problem>;

/// All templates that are read together.
pub(super) struct World<'a> {
    pub(super) trees: &'a [Tree],
    pub(super) options: &'a Options,
    depth: Cell<usize>,
    steps: Cell<usize>,
}

/// One template among them.
#[derive(Clone, Copy)]
pub(super) struct Template<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) root: &'a Node,
}

impl Problem {
    pub(super) fn new(line: usize, reason: impl Into<String>) -> Self {
        Self {
            line,
            reason: reason.into(),
            hint: None,
        }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl From<Mismatch> for Problem {
    fn from(mismatch: Mismatch) -> Self {
        Self::new(mismatch.line, mismatch.to_string())
    }
}

impl<'a> World<'a> {
    pub(super) fn new(trees: &'a [Tree], options: &'a Options) -> Self {
        Self {
            trees,
            options,
            depth: Cell::new(0),
            steps: Cell::new(0),
        }
    }

    pub(super) fn template(&'a self, tree: &'a Tree) -> Template<'a> {
        Template {
            world: self,
            root: &tree.root,
        }
    }
}

impl Template<'_> {
    /// The node without its functions; none where `AWS::NoValue` takes it away.
    pub(super) fn value(&self, node: &Node) -> Outcome<Option<Node>> {
        self.inside(node.line, || match &node.value {
            Value::Null => Ok(Some(node.clone())),
            Value::Scalar(_) => dynamic::resolve(self, node.clone()).map(Some),
            Value::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.extend(self.value(item)?);
                }
                Ok(Some(Node::list(node.line, values)))
            }
            Value::Map(members) => match function::call(members) {
                Some((name, argument)) => {
                    let value = function::evaluate(self, name, argument, node.line)?;
                    // A function may have put a dynamic reference together.
                    value.map(|value| dynamic::resolve(self, value)).transpose()
                }
                None => {
                    let mut values = Vec::with_capacity(members.len());
                    for (name, member) in members {
                        let value = self.value(member)?;
                        values.extend(value.map(|value| (name.clone(), value)));
                    }
                    Ok(Some(Node::map(node.line, values)))
                }
            },
        })
    }

    /// The text that a node stands for.
    pub(super) fn text(&self, node: &Node) -> Outcome<String> {
        let value = self.value(node)?;
        match value.as_ref().and_then(Node::as_text) {
            Some(text) => self.bounded(text.to_owned(), node.line),
            None => Err(Problem::new(node.line, "is no text")),
        }
    }

    /// A text that was put together.
    pub(super) fn bounded(&self, text: String, line: usize) -> Outcome<String> {
        match text.len() > LONGEST_TEXT {
            true => {
                let reason = format!(
                    "`{}` goes on for more than {LONGEST_TEXT} bytes",
                    typed::shortened(&text)
                );
                Err(Problem::new(line, reason))
            }
            false => Ok(text),
        }
    }

    /// Takes one step, one level further in.
    pub(super) fn inside<T>(&self, line: usize, step: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let World { depth, steps, .. } = self.world;
        if depth.get() == DEEPEST {
            return Err(Problem::new(line, "refers to itself, or too far"));
        }
        if steps.get() == MOST_STEPS {
            let reason = format!("takes more than {MOST_STEPS} steps to evaluate");
            return Err(Problem::new(line, reason));
        }
        depth.set(depth.get() + 1);
        steps.set(steps.get() + 1);
        let outcome = step();
        depth.set(depth.get() - 1);
        outcome
    }
}
