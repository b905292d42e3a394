//! Label selectors.

use crate::tree::Node;

/// Whether a selector selects something with these labels; one that is not there selects nothing, an empty
/// one everything.
pub(super) fn selects(selector: Option<&Node>, labels: Option<&Node>) -> bool {
    let Some(selector) = selector else {
        return false;
    };
    let label = |name: &str| labels?.text_at(name);
    let wanted = selector.get("matchLabels").map_or(&[][..], Node::members);
    let expressions = selector
        .get("matchExpressions")
        .map_or(&[][..], Node::items);
    let all_equal = wanted
        .iter()
        .all(|(name, value)| value.as_text().is_some() && label(name) == value.as_text());
    all_equal
        && expressions
            .iter()
            .all(|expression| holds(expression, label))
}

fn holds<'a>(expression: &Node, label: impl Fn(&str) -> Option<&'a str>) -> bool {
    let value = label(expression.text_at("key").unwrap_or_default());
    let values = expression.get("values").map_or(&[][..], Node::items);
    let is_listed = || value.is_some() && values.iter().any(|listed| listed.as_text() == value);
    match expression.text_at("operator") {
        Some("In") => is_listed(),
        Some("NotIn") => !is_listed(),
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        _ => false,
    }
}
