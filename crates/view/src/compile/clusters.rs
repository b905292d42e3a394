//! Clusters: how the endpoints of a virtual node's listener are found, checked and spoken to.

use std::net::SocketAddr;
use std::time::Duration;

use model::Snapshot;
use model::spec::{
    self, ClientPolicy, DnsResponseType, HealthCheckPolicy, ServiceDiscovery, VirtualNodeSpec,
};

use super::{Binding, port, tls};
use crate::{
    ClientTls, Cluster, Discovery, DnsResponse, Endpoint, HealthCheck, IpPreference,
    OutlierDetection, Protocol,
};

/// What App Mesh gave its proxies to reach another node, and to reach the application beside them.
const CONNECT: Duration = Duration::from_secs(1);
const CONNECT_LOCAL: Duration = Duration::from_millis(250);

/// The clusters of one view, each once.
pub(super) struct Clusters<'s> {
    snapshot: &'s Snapshot,
    mesh: &'s str,
    binding: &'s Binding,
    /// With the listener port that each stands for.
    clusters: Vec<(u16, Cluster)>,
}

impl<'s> Clusters<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, mesh: &'s str, binding: &'s Binding) -> Self {
        Self {
            snapshot,
            mesh,
            binding,
            clusters: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Vec<Cluster> {
        self.clusters
            .into_iter()
            .map(|(_, cluster)| cluster)
            .collect()
    }

    pub(super) fn protocol(&self, cluster: usize) -> Protocol {
        self.clusters[cluster].1.protocol
    }

    /// The listener of `node` on `port`, its only one unless named; `None` where there is no such listener.
    pub(super) fn add(
        &mut self,
        node: &str,
        port: Option<u16>,
        policy: Option<&ClientPolicy>,
    ) -> Option<usize> {
        let spec = self.snapshot.virtual_node(self.mesh, node)?;
        let listener = match port {
            None => spec.listeners().first()?,
            // A router may listen on another port than its only target: then the target's is meant.
            Some(_) if spec.listeners().len() == 1 => spec.listeners().first()?,
            Some(port) => spec
                .listeners()
                .iter()
                .find(|listener| super::port(listener.port_mapping.port) == port)?,
        };
        let port = super::port(listener.port_mapping.port);
        let tls = tls::client(spec, listener, policy, port);
        let same = |(other_port, other): &(u16, Cluster)| {
            *other_port == port && other.virtual_node == node && other.tls == tls
        };
        if let Some(index) = self.clusters.iter().position(same) {
            return Some(index);
        }
        let cluster = self.cluster(node, spec, listener, tls);
        self.clusters.push((port, cluster));
        Some(self.clusters.len() - 1)
    }

    /// The application beside a node's proxy.
    pub(super) fn add_local(
        &mut self,
        node: &str,
        listener: &spec::Listener,
        address: SocketAddr,
    ) -> usize {
        let port = port(listener.port_mapping.port);
        let protocol = protocol(listener.port_mapping.protocol);
        self.clusters.push((
            port,
            Cluster {
                name: format!(
                    "cds_ingress_{}_{node}_{}_{port}",
                    self.mesh,
                    name_of(protocol)
                ),
                virtual_node: node.to_owned(),
                protocol,
                discovery: Discovery::Static {
                    endpoints: vec![Endpoint {
                        id: address.to_string(),
                        address,
                        zone: None,
                    }],
                },
                connect_timeout: CONNECT_LOCAL,
                // Health is checked by the node's callers.
                health_check: None,
                outlier_detection: None,
                sends_proxy_header: None,
                tls: None,
            },
        ));
        self.clusters.len() - 1
    }

    fn cluster(
        &self,
        node: &str,
        spec: &VirtualNodeSpec,
        listener: &spec::Listener,
        tls: Option<ClientTls>,
    ) -> Cluster {
        let port = port(listener.port_mapping.port);
        let protocol = protocol(listener.port_mapping.protocol);
        let plain = format!(
            "cds_egress_{}_{node}_{}_{port}",
            self.mesh,
            name_of(protocol)
        );
        // Backends with client policies of their own need clusters, and so names, of their own.
        let twins = self
            .clusters
            .iter()
            .filter(|(_, other)| other.name.starts_with(&plain))
            .count();
        Cluster {
            name: if twins == 0 {
                plain
            } else {
                format!("{plain}_{}", twins + 1)
            },
            virtual_node: node.to_owned(),
            protocol,
            discovery: discovery(spec, port, self.mesh_preference()),
            connect_timeout: CONNECT,
            health_check: listener.health_check.as_ref().map(health_check),
            outlier_detection: listener
                .outlier_detection
                .as_ref()
                .and_then(outlier_detection),
            sends_proxy_header: self.binding.proxy_protocol.sent_to.get(node).copied(),
            tls,
        }
    }

    fn mesh_preference(&self) -> IpPreference {
        let mesh = self
            .snapshot
            .mesh(self.mesh)
            .and_then(|mesh| mesh.service_discovery.as_ref());
        ip_preference(mesh.and_then(|discovery| discovery.ip_preference))
    }
}

/// A node without service discovery has no endpoints that others could reach.
fn discovery(spec: &VirtualNodeSpec, port: u16, mesh: IpPreference) -> Discovery {
    let preference = |own| match ip_preference(own) {
        IpPreference::Unset => mesh,
        own => own,
    };
    match &spec.service_discovery {
        None => Discovery::Static {
            endpoints: Vec::new(),
        },
        Some(ServiceDiscovery::Dns(dns)) => Discovery::Dns {
            hostname: dns.hostname.clone(),
            port,
            response: match dns.response_type {
                Some(DnsResponseType::Endpoints) => DnsResponse::Strict,
                Some(DnsResponseType::LoadBalancer) | None => DnsResponse::Logical,
            },
            ip_preference: preference(dns.ip_preference),
        },
        Some(ServiceDiscovery::AwsCloudMap(map)) => Discovery::CloudMap {
            namespace: map.namespace_name.clone(),
            service: map.service_name.clone(),
            attributes: map
                .attributes
                .iter()
                .flatten()
                .map(|attribute| (attribute.key.clone(), attribute.value.clone()))
                .collect(),
            port,
            ip_preference: preference(map.ip_preference),
        },
    }
}

/// What a node itself prefers.
pub(super) fn ip_preference_of(spec: &VirtualNodeSpec) -> IpPreference {
    ip_preference(match &spec.service_discovery {
        Some(ServiceDiscovery::Dns(dns)) => dns.ip_preference,
        Some(ServiceDiscovery::AwsCloudMap(map)) => map.ip_preference,
        None => None,
    })
}

fn ip_preference(preference: Option<spec::IpPreference>) -> IpPreference {
    match preference {
        None => IpPreference::Unset,
        Some(spec::IpPreference::Ipv4Only) => IpPreference::V4Only,
        Some(spec::IpPreference::Ipv6Only) => IpPreference::V6Only,
        Some(spec::IpPreference::Ipv4Preferred) => IpPreference::V4Preferred,
        Some(spec::IpPreference::Ipv6Preferred) => IpPreference::V6Preferred,
    }
}

fn health_check(policy: &HealthCheckPolicy) -> HealthCheck {
    let milliseconds = |value: i64| Duration::from_millis(u64::try_from(value).unwrap_or_default());
    HealthCheck {
        protocol: protocol(policy.protocol),
        path: policy.path.clone().unwrap_or_else(|| "/".to_owned()),
        port: policy.port.map(port),
        interval: milliseconds(policy.interval_millis),
        timeout: milliseconds(policy.timeout_millis),
        healthy_threshold: u32::try_from(policy.healthy_threshold).unwrap_or(1),
        unhealthy_threshold: u32::try_from(policy.unhealthy_threshold).unwrap_or(1),
    }
}

/// None where a time is zero: the service model allows it, Envoy does not, and nothing would be ejected.
fn outlier_detection(policy: &spec::OutlierDetection) -> Option<OutlierDetection> {
    let time = |time: &spec::Duration| time.to_std().filter(|time| !time.is_zero());
    Some(OutlierDetection {
        consecutive_server_errors: u32::try_from(policy.max_server_errors).unwrap_or(u32::MAX),
        interval: time(&policy.interval)?,
        base_ejection: time(&policy.base_ejection_duration)?,
        max_ejection_percent: u8::try_from(policy.max_ejection_percent).unwrap_or(100),
    })
}

pub(super) fn protocol(protocol: spec::Protocol) -> Protocol {
    match protocol {
        spec::Protocol::Http => Protocol::Http,
        spec::Protocol::Http2 => Protocol::Http2,
        spec::Protocol::Grpc => Protocol::Grpc,
        spec::Protocol::Tcp => Protocol::Tcp,
    }
}

fn name_of(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http => "http",
        Protocol::Http2 => "http2",
        Protocol::Grpc => "grpc",
        Protocol::Tcp => "tcp",
    }
}
