//! The parts of a resource that every format has, each in its own dialect.

use std::collections::BTreeMap;

use model::tags::Tag;
use model::{Kind, Spec, Timestamp};

use crate::tree::Node;
use crate::typed::{self, Dialect, Mismatch};

/// A spec of this kind, in any format's dialect.
pub(crate) fn spec(kind: Kind, node: &Node, dialect: Dialect) -> Result<Spec, Mismatch> {
    let name = "spec";
    Ok(match kind {
        Kind::Mesh => Spec::Mesh(typed::read(node, dialect, name)?),
        Kind::VirtualNode => Spec::VirtualNode(typed::read(node, dialect, name)?),
        Kind::VirtualRouter => Spec::VirtualRouter(typed::read(node, dialect, name)?),
        Kind::VirtualService => Spec::VirtualService(typed::read(node, dialect, name)?),
        Kind::VirtualGateway => Spec::VirtualGateway(typed::read(node, dialect, name)?),
        Kind::Route => Spec::Route(typed::read(node, dialect, name)?),
        Kind::GatewayRoute => Spec::GatewayRoute(typed::read(node, dialect, name)?),
    })
}

/// A list of keys and values.
pub(crate) fn tags(node: &Node, dialect: Dialect) -> Result<BTreeMap<String, String>, Mismatch> {
    let tags: Vec<Tag> = typed::read(node, dialect, "tags")?;
    let mut values = BTreeMap::new();
    for Tag { key, value } in tags {
        if values.contains_key(&key) {
            let reason = format!("tags: {} is given twice", typed::shortened(&key));
            return Err(Mismatch::at(node.line, reason));
        }
        values.insert(key, value);
    }
    Ok(values)
}

/// Seconds since the epoch, as the API has them, or a date and time, as command lines print them.
pub(crate) fn time(node: &Node) -> Result<Timestamp, Mismatch> {
    let text = node.as_text().unwrap_or_default();
    let seconds = text.parse().ok().or_else(|| {
        let time: jiff::Timestamp = text.parse().ok()?;
        Some(time.as_millisecond() as f64 / 1000.0)
    });
    seconds
        .and_then(|seconds: f64| Timestamp::try_from(seconds).ok())
        .ok_or_else(|| {
            let text = typed::shortened(text);
            Mismatch::at(node.line, format!("`{text}` is no time"))
        })
}
