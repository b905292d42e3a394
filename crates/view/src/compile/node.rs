//! A virtual node's view: its listeners lead to the local application, its egress to its backends.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use model::spec::{self, Backend, EgressFilterType, VirtualNodeSpec};
use model::{ResourceId, Snapshot};

use super::clusters::{self, Clusters};
use super::services::Services;
use super::{Binding, policies, port, tls};
use crate::{Entry, IpPreference, Listener, NodeView, PoolLimits, Protocol, Timeouts, Unmatched};

pub(super) fn compile(
    snapshot: &Snapshot,
    node: &ResourceId,
    spec: &VirtualNodeSpec,
    binding: &Binding,
) -> NodeView {
    let mut clusters = Clusters::new(snapshot, &node.mesh, binding);
    let mut listeners = Vec::new();
    for listener in spec.listeners() {
        let listener_port = port(listener.port_mapping.port);
        let only = binding.ingress_port.filter(|_| spec.listeners().len() == 1);
        let named = binding.ingress_ports.get(&listener_port).copied();
        if let Some(bind_port) = named.or(only) {
            let application_port = binding.application_ports.get(&listener_port);
            let application = SocketAddr::new(
                local_application(spec),
                application_port.copied().unwrap_or(listener_port),
            );
            let cluster = clusters.add_local(node.name(), listener, application);
            listeners.push(ingress(
                spec,
                listener,
                cluster,
                SocketAddr::new(binding.address, bind_port),
                binding.proxy_protocol.expected_on.contains(&listener_port),
            ));
        }
    }
    let mut services = Services::new(snapshot, &node.mesh);
    if let Some(egress_port) = binding.egress_port {
        let mut hosts = Vec::new();
        let mut tcp = Vec::new();
        for Backend::VirtualService(backend) in spec.backends() {
            let policy = backend.client_policy.as_ref().or(spec
                .backend_defaults
                .as_ref()
                .and_then(|defaults| defaults.client_policy.as_ref()));
            let name = &backend.virtual_service_name;
            hosts.extend(services.add_hosts(&mut clusters, name, policy));
            for (port, service) in services.add_tcp(&mut clusters, name, policy) {
                tcp.push(tcp_egress(name, port, service, binding));
            }
        }
        listeners.push(egress(
            snapshot,
            node,
            spec,
            hosts,
            SocketAddr::new(
                binding.egress_address.unwrap_or(binding.address),
                egress_port,
            ),
        ));
        listeners.extend(tcp);
    }
    NodeView {
        node: node.path(),
        revision: snapshot.revision(),
        listeners,
        services: services.finish(),
        clusters: clusters.finish(),
    }
}

fn ingress(
    spec: &VirtualNodeSpec,
    listener: &spec::Listener,
    cluster: usize,
    bind: SocketAddr,
    expects_proxy_header: bool,
) -> Listener {
    Listener {
        name: format!("lds_ingress_{}_{}", bind.ip(), bind.port()),
        bind,
        protocol: clusters::protocol(listener.port_mapping.protocol),
        entry: Entry::Ingress { cluster },
        timeouts: policies::listener_timeouts(
            listener.timeout.as_ref(),
            listener.port_mapping.protocol,
        ),
        limits: policies::limits(listener.connection_pool.as_ref()),
        expects_proxy_header,
        tls: listener.tls.as_ref().and_then(tls::listener),
        access_log: policies::access_log(spec.logging.as_ref()),
    }
}

fn egress(
    snapshot: &Snapshot,
    node: &ResourceId,
    spec: &VirtualNodeSpec,
    hosts: Vec<crate::ServiceHost>,
    bind: SocketAddr,
) -> Listener {
    let filter = snapshot
        .mesh(&node.mesh)
        .and_then(|mesh| mesh.egress_filter.as_ref())
        .map_or(EgressFilterType::DropAll, |egress| egress.filter);
    Listener {
        name: format!("lds_egress_{}_{}", bind.ip(), bind.port()),
        bind,
        protocol: Protocol::Http,
        entry: Entry::Egress {
            hosts,
            unmatched: match filter {
                EgressFilterType::AllowAll => Unmatched::Forward,
                EgressFilterType::DropAll => Unmatched::Refuse,
            },
        },
        // Routes bring their own time-outs, and App Mesh puts no limit on the caller's side.
        timeouts: Timeouts::default(),
        limits: PoolLimits::default(),
        expects_proxy_header: false,
        tls: None,
        access_log: policies::access_log(spec.logging.as_ref()),
    }
}

/// App Mesh's proxies told TCP services apart by the port that a redirected packet had been sent to. Here
/// the caller connects to the listener of the service it means, on loopback, where any free port will do:
/// the service's own may be taken by another service, or by the application itself.
fn tcp_egress(name: &str, port: u16, service: usize, binding: &Binding) -> Listener {
    let loopback: std::net::IpAddr = match binding.address.is_ipv4() {
        true => Ipv4Addr::LOCALHOST.into(),
        false => Ipv6Addr::LOCALHOST.into(),
    };
    Listener {
        name: format!("lds_egress_{name}_{port}"),
        bind: SocketAddr::new(loopback, 0),
        protocol: Protocol::Tcp,
        entry: Entry::Service { service },
        timeouts: Timeouts::default(),
        limits: PoolLimits::default(),
        expects_proxy_header: false,
        tls: None,
        access_log: None,
    }
}

/// Where the application beside the proxy listens: IPv6 where the node prefers it.
fn local_application(spec: &VirtualNodeSpec) -> std::net::IpAddr {
    match clusters::ip_preference_of(spec) {
        IpPreference::V6Only | IpPreference::V6Preferred => Ipv6Addr::LOCALHOST.into(),
        IpPreference::Unset | IpPreference::V4Only | IpPreference::V4Preferred => {
            Ipv4Addr::LOCALHOST.into()
        }
    }
}
