//! What of a view this proxy cannot carry yet, and why: refused one by one, so that the rest goes on.

use view::{Cluster, Discovery, Entry, Listener, Protocol, TlsMode};

/// Why requests cannot be sent there.
pub(super) fn of_cluster(cluster: &Cluster) -> Option<String> {
    if !matches!(cluster.protocol, Protocol::Http | Protocol::Tcp) {
        return Some(not_yet(name(cluster.protocol)));
    }
    if cluster.tls.as_ref().is_some_and(|tls| tls.enforce) {
        return Some(not_yet("TLS"));
    }
    // Another check in its place would call endpoints healthy, or ill, that are not.
    let check = cluster.health_check.as_ref()?.protocol;
    let is_known = matches!(check, Protocol::Http | Protocol::Tcp);
    (!is_known).then(|| not_yet(&format!("health checks over {}", name(check))))
}

/// Why nothing can be let in there.
pub(super) fn of_listener(listener: &Listener) -> Option<String> {
    match (listener.protocol, &listener.entry) {
        (Protocol::Http, _) | (Protocol::Tcp, Entry::Ingress { .. } | Entry::Service { .. }) => {}
        (Protocol::Tcp, Entry::Egress { .. } | Entry::Gateway { .. }) => {
            return Some("a TCP connection names no service to route it to".to_owned());
        }
        (protocol, _) => return Some(not_yet(name(protocol))),
    }
    let tls = listener.tls.as_ref();
    tls.is_some_and(|tls| tls.mode == TlsMode::Strict)
        .then(|| not_yet("TLS"))
}

/// The cluster as one that nobody is sent to and that costs nothing.
pub(super) fn without_endpoints(cluster: &Cluster) -> Cluster {
    Cluster {
        discovery: Discovery::Static { endpoints: vec![] },
        health_check: None,
        outlier_detection: None,
        ..cluster.clone()
    }
}

fn not_yet(what: &str) -> String {
    format!("this proxy does not support {what} yet")
}

fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http => "HTTP/1.1",
        Protocol::Http2 => "HTTP/2",
        Protocol::Grpc => "gRPC",
        Protocol::Tcp => "TCP",
    }
}
