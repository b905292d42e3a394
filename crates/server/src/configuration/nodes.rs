//! Keys that name virtual nodes and gateways, and which of them name none.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::fmt;

use model::{Kind, ResourceId};
use serde::{Deserialize, Deserializer, de};

use super::Configuration;

/// The path of a virtual node or gateway: `mesh/M/virtualNode/N`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodePath(String);

impl Borrow<str> for NodePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NodePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse::<ResourceId>() {
            Ok(id) if is_node(&id) => Ok(Self(text)),
            _ => Err(de::Error::custom(format!(
                "`{}` is no node: write mesh/M/virtualNode/N or mesh/M/virtualGateway/G",
                text.escape_debug()
            ))),
        }
    }
}

fn is_node(id: &ResourceId) -> bool {
    matches!(id.kind(), Kind::VirtualNode | Kind::VirtualGateway)
}

/// So many are named to who has misspelt one.
const MOST_NAMED: usize = 12;

impl Configuration {
    /// The keys that name a node which the mesh does not have, in words. They are no mistake where the node
    /// comes later, as a version's does with its release.
    pub fn strangers<'r>(&self, resources: impl Iterator<Item = &'r ResourceId>) -> Vec<String> {
        let nodes: BTreeSet<String> = resources
            .filter(|id| is_node(id))
            .map(ResourceId::path)
            .collect();
        let tokens = self.proxy_tokens.keys().map(|node| ("proxyTokens", node));
        let spoken = self.proxy.proxy_protocol.keys();
        let spoken = spoken.map(|node| ("proxy.proxyProtocol", node));
        let strange = tokens
            .chain(spoken)
            .filter(|(_, node)| !nodes.contains(&node.0));
        strange
            .map(|(key, node)| format!("{key}: there is no {node} now; {}", named(&nodes)))
            .collect()
    }
}

fn named(nodes: &BTreeSet<String>) -> String {
    let first: Vec<&str> = nodes.iter().take(MOST_NAMED).map(String::as_str).collect();
    match (first.len(), nodes.len() - first.len()) {
        (0, _) => "there are no nodes yet".to_owned(),
        (_, 0) => format!("there are {}", first.join(", ")),
        (_, more) => format!("there are {} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_is_not_there_is_told_with_those_that_are() {
        let text = "
proxyTokens:
  mesh/m/virtualNode/a: { variable: A }
  mesh/m/virtualNode/b: { variable: B }
proxy: { proxyProtocol: { mesh/m/virtualGateway/x: {} } }
";
        let configuration = Configuration::parse(text).unwrap();
        let there = ["mesh/m", "mesh/m/virtualNode/a", "mesh/m/virtualGateway/g"];
        let there = there.map(|path| path.parse().unwrap());
        assert_eq!(
            configuration.strangers(there.iter()),
            [
                "proxyTokens: there is no mesh/m/virtualNode/b now; \
                 there are mesh/m/virtualGateway/g, mesh/m/virtualNode/a",
                "proxy.proxyProtocol: there is no mesh/m/virtualGateway/x now; \
                 there are mesh/m/virtualGateway/g, mesh/m/virtualNode/a",
            ]
        );
    }
}
