//! From a snapshot of the mesh to what one node sees of it, with every App Mesh default resolved.
//!
//! Facts and defaults follow the App Mesh user guide and the configuration its proxies were sent; each
//! default stands once, here. A reference that leads nowhere (a backend that does not exist yet) leads to
//! nothing in the view; the rest of the view is complete.

mod clusters;
mod gateway;
mod matching;
mod node;
mod policies;
mod services;
mod tls;

pub use tls::discovery_names;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use model::{Kind, ResourceId, Snapshot};
use serde::{Deserialize, Serialize};

use crate::{NodeView, ProxyVersion};

/// Where a proxy binds what App Mesh leaves to the machine it runs on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// The address of every listener.
    pub address: IpAddr,
    /// Where the node's own calls leave; none where it makes none through this proxy.
    pub egress_port: Option<u16>,
    /// The address for those calls, if not that of the other listeners.
    pub egress_address: Option<IpAddr>,
    /// Where calls to the node arrive if it has one listener, and `ingress_ports` does not name it.
    pub ingress_port: Option<u16>,
    /// Where calls to the node arrive, by the port of the node's listener. A listener that is not named
    /// here has no ingress: its callers reach the application itself.
    pub ingress_ports: BTreeMap<u16, u16>,
    /// The application's ports by those of the node's listeners, where they differ.
    pub application_ports: BTreeMap<u16, u16>,
    /// Other ports for a virtual gateway's listeners than their own.
    pub gateway_ports: BTreeMap<u16, u16>,
    #[serde(default)]
    pub proxy_protocol: ProxyProtocol,
}

/// Where the PROXY protocol is spoken, of which App Mesh knows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProxyProtocol {
    /// The ports of the node's or gateway's listeners whose clients come through a relay that sends it.
    pub expected_on: BTreeSet<u16>,
    /// The virtual nodes whose endpoints expect it, and in which version.
    pub sent_to: BTreeMap<String, ProxyVersion>,
}

impl Binding {
    /// As App Mesh's sidecar: everything on all addresses, ingress at 15000, egress at 15001.
    pub fn sidecar() -> Self {
        Self {
            address: Ipv4Addr::UNSPECIFIED.into(),
            egress_port: Some(15001),
            egress_address: None,
            ingress_port: Some(15000),
            ingress_ports: BTreeMap::new(),
            application_ports: BTreeMap::new(),
            gateway_ports: BTreeMap::new(),
            proxy_protocol: ProxyProtocol::default(),
        }
    }

    /// On loopback only, nothing bound but what a virtual gateway's listeners say.
    pub fn loopback() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            egress_port: None,
            egress_address: None,
            ingress_port: None,
            ingress_ports: BTreeMap::new(),
            application_ports: BTreeMap::new(),
            gateway_ports: BTreeMap::new(),
            proxy_protocol: ProxyProtocol::default(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no {0} in the mesh: create it first")]
    Missing(ResourceId),
    #[error("{0} is neither a virtual node nor a virtual gateway, so no proxy can stand for it")]
    NoProxy(ResourceId),
}

/// What `node` sees of its mesh.
pub fn compile(
    snapshot: &Snapshot,
    node: &ResourceId,
    binding: &Binding,
) -> Result<NodeView, Error> {
    let missing = || Error::Missing(node.clone());
    match node.kind() {
        Kind::VirtualNode => {
            let spec = snapshot
                .virtual_node(&node.mesh, node.name())
                .ok_or_else(missing)?;
            Ok(node::compile(snapshot, node, spec, binding))
        }
        Kind::VirtualGateway => {
            let spec = snapshot
                .virtual_gateway(&node.mesh, node.name())
                .ok_or_else(missing)?;
            Ok(gateway::compile(snapshot, node, spec, binding))
        }
        _ => Err(Error::NoProxy(node.clone())),
    }
}

/// The model's checked port numbers, as sockets have them.
fn port(number: i32) -> u16 {
    u16::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests;
