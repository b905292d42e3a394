//! Truth values as YAML 1.1 has them, which CloudFormation reads.

use crate::tree::{Node, Scalar, Value};

/// Writes every truth value as `true` or `false`: that is the text which `!Equals` and `!Ref` have of it.
pub(super) fn canonicalise(node: &mut Node) {
    match &mut node.value {
        Value::Null => {}
        Value::Scalar(scalar) => {
            if let Some(text) = canonical(scalar) {
                scalar.text = text.to_owned();
            }
        }
        Value::List(items) => items.iter_mut().for_each(canonicalise),
        Value::Map(members) => members
            .iter_mut()
            .for_each(|(_, member)| canonicalise(member)),
    }
}

fn canonical(scalar: &Scalar) -> Option<&'static str> {
    match scalar.text.as_str() {
        _ if scalar.quoted => None,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some("true"),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some("false"),
        _ => None,
    }
}
