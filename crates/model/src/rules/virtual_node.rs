//! Rules of virtual nodes.

use std::collections::BTreeSet;

use super::{duration, listeners};
use crate::check::Checker;
use crate::spec::{
    Backend, Listener, ListenerTimeout, OutlierDetection, PortMapping, Protocol, VirtualNodeSpec,
};

pub(super) fn check(spec: &VirtualNodeSpec, at: &mut Checker) {
    // A node that takes traffic has to be found [M, K].
    if !spec.listeners().is_empty() && spec.service_discovery.is_none() {
        at.inside("serviceDiscovery")
            .refuse("is required beside a listener");
    }
    listeners::distinct_ports(at, &spec.port_mappings());
    at.each("listeners", Some(spec.listeners()), check_listener);
    distinct_backends(spec.backends(), at);
}

fn check_listener(at: &mut Checker, listener: &Listener) {
    let mapping = &listener.port_mapping;
    if let Some(health) = &listener.health_check {
        listeners::check_health(&mut at.inside("healthCheck"), mapping, health);
    }
    if let Some(pool) = &listener.connection_pool {
        listeners::check_pool(&mut at.inside("connectionPool"), mapping, pool);
    }
    if let Some(timeout) = &listener.timeout {
        check_timeout(&mut at.inside("timeout"), mapping, timeout);
    }
    if let Some(outliers) = &listener.outlier_detection {
        check_outliers(&mut at.inside("outlierDetection"), outliers);
    }
}

/// `[?]` As for connection pools: limits of a protocol that the listener does not speak limit nothing.
fn check_timeout(at: &mut Checker, mapping: &PortMapping, timeout: &ListenerTimeout) {
    let protocol = match timeout {
        ListenerTimeout::Http(_) => Protocol::Http,
        ListenerTimeout::Http2(_) => Protocol::Http2,
        ListenerTimeout::Grpc(_) => Protocol::Grpc,
        ListenerTimeout::Tcp(_) => Protocol::Tcp,
    };
    let at = &mut at.inside(protocol.name());
    listeners::is_for(at, mapping, protocol);
    match timeout {
        ListenerTimeout::Http(timeout)
        | ListenerTimeout::Http2(timeout)
        | ListenerTimeout::Grpc(timeout) => duration::check_http(at, timeout),
        ListenerTimeout::Tcp(timeout) => duration::check_tcp(at, timeout),
    }
}

fn check_outliers(at: &mut Checker, outliers: &OutlierDetection) {
    duration::check(&mut at.inside("interval"), &outliers.interval);
    let ejection = &outliers.base_ejection_duration;
    duration::check(&mut at.inside("baseEjectionDuration"), ejection);
}

/// The first App Mesh collapsed a backend named twice, the last one refused it, and so does `[K]`.
fn distinct_backends(backends: &[Backend], at: &mut Checker) {
    let mut seen = BTreeSet::new();
    at.each(
        "backends",
        Some(backends),
        |at, Backend::VirtualService(backend)| {
            let name = &backend.virtual_service_name;
            if !seen.insert(name.clone()) {
                at.inside("virtualService.virtualServiceName")
                    .refuse_text(name, "is already a backend");
            }
        },
    );
}
