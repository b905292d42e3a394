//! Listeners of nodes, routers and gateways: what they agree on, and which of them a port means.

use std::collections::BTreeSet;

use crate::check::Checker;
use crate::spec::{ConnectionPool, HealthCheckPolicy, PortMapping, Protocol};

/// `[?]` Two listeners cannot share a socket; the error is better here than in the proxy.
pub(super) fn distinct_ports(at: &mut Checker, mappings: &[PortMapping]) {
    let mut seen = BTreeSet::new();
    for (index, mapping) in mappings.iter().enumerate() {
        if !seen.insert(mapping.port) {
            at.inside(&format!("listeners[{index}].portMapping.port"))
                .refuse_value(mapping.port, "is the port of an earlier listener");
        }
    }
}

/// The health check goes to the listener's own port `[M]`, at a path that can be asked for `[?]`; checks
/// by TCP and gRPC ignore the path `[G]`.
pub(super) fn check_health(at: &mut Checker, mapping: &PortMapping, health: &HealthCheckPolicy) {
    if let Some(port) = health.port.filter(|port| *port != mapping.port) {
        let rule = format!("is not the listener's port {}", mapping.port);
        at.inside("port").refuse_value(port, rule);
    }
    if let (Some(path), Protocol::Http | Protocol::Http2) = (&health.path, health.protocol)
        && !path.starts_with('/')
    {
        at.inside("path").refuse_text(path, "does not start with /");
    }
}

/// A connection pool is of the listener's protocol `[M]`.
pub(super) fn check_pool(at: &mut Checker, mapping: &PortMapping, pool: &ConnectionPool) {
    let protocol = match pool {
        ConnectionPool::Http(_) => Protocol::Http,
        ConnectionPool::Http2(_) => Protocol::Http2,
        ConnectionPool::Grpc(_) => Protocol::Grpc,
        ConnectionPool::Tcp(_) => Protocol::Tcp,
    };
    is_for(&mut at.inside(protocol.name()), mapping, protocol);
}

/// Refuses a union's member that is for another protocol than the listener speaks.
pub(super) fn is_for(at: &mut Checker, mapping: &PortMapping, protocol: Protocol) {
    if protocol != mapping.protocol {
        let spoken = mapping.protocol;
        at.refuse(format!("is not for a listener that speaks {spoken}"));
    }
}

/// The listener that is meant: the one on `port`, or the only one `[G]`.
///
/// Nothing when that is undecided, which is refused unless there is no listener at all.
pub(super) fn meant(
    at: &mut Checker,
    owner: &str,
    listeners: &[PortMapping],
    port: Option<i32>,
) -> Option<PortMapping> {
    let Some(port) = port else {
        if listeners.len() > 1 {
            let rule = format!("is required where {owner} has several listeners");
            at.inside("port").refuse(rule);
            return None;
        }
        return listeners.first().copied();
    };
    let found = listeners.iter().find(|listener| listener.port == port);
    if found.is_none() {
        let rule = format!("is no listener of {owner}");
        at.inside("port").refuse_value(port, rule);
    }
    found.copied()
}

/// Refuses a reference for another protocol than the listener that is meant speaks `[G]`.
pub(super) fn agree(
    at: &mut Checker,
    owner: &str,
    listeners: &[PortMapping],
    port: Option<i32>,
    protocol: Protocol,
) {
    let Some(listener) = meant(at, owner, listeners, port) else {
        return;
    };
    if listener.protocol != protocol {
        let (spoken, port) = (listener.protocol, listener.port);
        at.refuse(format!(
            "is for {protocol}, but {owner} speaks {spoken} on port {port}"
        ));
    }
}
