//! Dynamic references: `{{resolve:...}}` in a text, which CloudFormation looks up when it makes a stack.

use super::evaluate::{Outcome, Problem, Template};
use crate::tree::Node;
use crate::typed::shortened;

const OPENING: &str = "{{resolve:";
const CLOSING: &str = "}}";

/// The scalar with what the options say in the place of its dynamic references.
pub(super) fn resolve(template: &Template<'_>, node: Node) -> Outcome<Node> {
    match node.as_text() {
        Some(text) if text.contains(OPENING) => {
            let text = substitute(template, text, node.line)?;
            Ok(Node::text(node.line, text))
        }
        _ => Ok(node),
    }
}

fn substitute(template: &Template<'_>, text: &str, line: usize) -> Outcome<String> {
    let mut substituted = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(OPENING) {
        // One that is not closed may be a part that is joined with others.
        let Some(length) = rest[start..].find(CLOSING) else {
            break;
        };
        let end = start + length + CLOSING.len();
        substituted += &rest[..start];
        substituted += look_up(template, &rest[start..end], line)?;
        substituted = template.bounded(substituted, line)?;
        rest = &rest[end..];
    }
    substituted += rest;
    template.bounded(substituted, line)
}

fn look_up<'a>(template: &Template<'a>, reference: &str, line: usize) -> Outcome<&'a str> {
    match template.world.options.values.get(reference) {
        Some(value) => Ok(value),
        None => {
            let reason = format!(
                "{} is looked up when the stack is made",
                shortened(reference)
            );
            let hint = format!("give it with --value '{reference}=VALUE'");
            Err(Problem::new(line, reason).hint(hint))
        }
    }
}
