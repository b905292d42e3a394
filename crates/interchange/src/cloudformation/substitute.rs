//! `Fn::Sub`: texts with `${...}` in them.

use super::evaluate::{Outcome, Problem, Template};
use crate::tree::Node;
use crate::typed;

pub(super) fn evaluate(template: &Template<'_>, argument: &Node, line: usize) -> Outcome<String> {
    let (text, variables) = match argument.items() {
        [] => (argument, None),
        [text] => (text, None),
        [text, variables] => (text, Some(variables)),
        _ => return Err(Problem::new(line, "Fn::Sub takes a text and a map")),
    };
    let Some(text) = text.as_text() else {
        return Err(Problem::new(line, "Fn::Sub takes a text"));
    };
    let mut substituted = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        substituted += before;
        let Some((name, after)) = after.split_once('}') else {
            return Err(Problem::new(line, "`${` is not closed in Fn::Sub"));
        };
        match name.strip_prefix('!') {
            Some(literal) => substituted += &format!("${{{literal}}}"),
            None => substituted += &variable(template, name.trim(), variables, line)?,
        }
        substituted = template.bounded(substituted, line)?;
        rest = after;
    }
    substituted += rest;
    template.bounded(substituted, line)
}

fn variable(
    template: &Template<'_>,
    name: &str,
    variables: Option<&Node>,
    line: usize,
) -> Outcome<String> {
    if let Some(value) = variables.and_then(|variables| variables.get(name)) {
        return template.text(value);
    }
    let value = match name.split_once('.') {
        Some((resource, attribute)) => Some(template.attribute(resource, attribute, line)?),
        None => template.reference(name, line)?,
    };
    match value.as_ref().and_then(Node::as_text) {
        Some(text) => Ok(text.to_owned()),
        None => {
            let name = typed::shortened(name);
            Err(Problem::new(line, format!("`${{{name}}}` is no text")))
        }
    }
}
