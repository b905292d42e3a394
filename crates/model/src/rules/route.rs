//! Rules of routes.
//!
//! Accepted on purpose: weights of any positive sum (real routes sum to 3, 10, 100 or more), a weight
//! of zero beside others, a match that names nothing or only a port, the same node on several ports.

use super::{duration, listeners, request_match};
use crate::check::{self, Checker};
use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::spec::{
    Duration, GrpcRoute, HttpRoute, Protocol, RouteAction, RouteSpec, TcpRoute, WeightedTarget,
};

pub(super) fn check(spec: &RouteSpec, at: &mut Checker) {
    let names = ["httpRoute", "http2Route", "grpcRoute", "tcpRoute"];
    let present = [
        spec.http_route.is_some(),
        spec.http2_route.is_some(),
        spec.grpc_route.is_some(),
        spec.tcp_route.is_some(),
    ];
    request_match::exactly_one(at, names, present);
    if let Some(route) = &spec.http_route {
        check_http(route, &mut at.inside("httpRoute"));
    }
    if let Some(route) = &spec.http2_route {
        check_http(route, &mut at.inside("http2Route"));
    }
    if let Some(route) = &spec.grpc_route {
        check_grpc(route, &mut at.inside("grpcRoute"));
    }
    if let Some(route) = &spec.tcp_route {
        check_tcp(route, &mut at.inside("tcpRoute"));
    }
}

fn check_http(route: &HttpRoute, at: &mut Checker) {
    check_weights(&route.action, at);
    if let Some(policy) = &route.retry_policy {
        let some_event = policy.http_retry_events.is_some() || policy.tcp_retry_events.is_some();
        check_retries(some_event, &policy.per_retry_timeout, at);
    }
    if let Some(timeout) = &route.timeout {
        duration::check_http(&mut at.inside("timeout"), timeout);
    }
    let (matches, at) = (&route.matches, &mut at.inside("match"));
    request_match::check_path(at, matches.prefix.as_ref(), matches.path.as_ref());
    request_match::check_headers(at, "headers", matches.headers.as_deref());
    request_match::check_query_parameters(at, matches.query_parameters.as_deref());
}

fn check_grpc(route: &GrpcRoute, at: &mut Checker) {
    check_weights(&route.action, at);
    if let Some(policy) = &route.retry_policy {
        let some_event = policy.grpc_retry_events.is_some()
            || policy.http_retry_events.is_some()
            || policy.tcp_retry_events.is_some();
        check_retries(some_event, &policy.per_retry_timeout, at);
    }
    if let Some(timeout) = &route.timeout {
        duration::check_http(&mut at.inside("timeout"), timeout);
    }
    let (matches, at) = (&route.matches, &mut at.inside("match"));
    if matches.method_name.is_some() && matches.service_name.is_none() {
        at.inside("serviceName")
            .refuse("is required beside a method name"); // [M]
    }
    request_match::check_headers(at, "metadata", matches.metadata.as_deref());
}

fn check_tcp(route: &TcpRoute, at: &mut Checker) {
    check_weights(&route.action, at);
    if let Some(timeout) = &route.timeout {
        duration::check_tcp(&mut at.inside("timeout"), timeout);
    }
}

/// `[?]` Envoy refuses a total weight of zero, and a split to nobody has no other meaning: whoever wants
/// no traffic deletes the route.
fn check_weights(action: &RouteAction, at: &mut Checker) {
    let targets = &action.weighted_targets;
    if !targets.is_empty() && targets.iter().all(|target| target.weight == 0) {
        at.inside("action.weightedTargets")
            .refuse("has a total weight of zero, a target needs a weight");
    }
}

/// A retry policy names something to retry on `[M]`.
fn check_retries(some_event: bool, per_retry_timeout: &Duration, at: &mut Checker) {
    let at = &mut at.inside("retryPolicy");
    if !some_event {
        at.refuse("needs at least one retry event");
    }
    duration::check(&mut at.inside("perRetryTimeout"), per_retry_timeout);
}

pub(super) fn references(
    snapshot: &Snapshot,
    mesh: &str,
    router: &str,
    spec: &RouteSpec,
) -> Result<(), Error> {
    let Some(protocol) = spec.protocol() else {
        return Ok(());
    };
    check::request(&format!("spec.{protocol}Route"), |at| {
        if let Some(found) = snapshot.virtual_router(mesh, router) {
            let owner = format!("virtual router {router}");
            let (ports, at) = (found.port_mappings(), &mut at.inside("match"));
            listeners::agree(at, &owner, &ports, spec.match_port(), protocol);
        }
        at.each(
            "action.weightedTargets",
            Some(spec.targets()),
            |at, target| {
                agrees_with_node(snapshot, mesh, target, protocol, at);
            },
        );
    })
}

fn agrees_with_node(
    snapshot: &Snapshot,
    mesh: &str,
    target: &WeightedTarget,
    protocol: Protocol,
    at: &mut Checker,
) {
    let name = &target.virtual_node;
    let Some(node) = snapshot.virtual_node(mesh, name) else {
        return;
    };
    let (ports, owner) = (node.port_mappings(), format!("virtual node {name}"));
    if ports.is_empty() {
        // [?] App Mesh used to blackhole what it could not deliver.
        at.refuse(format!("cannot be reached, {owner} has no listener"));
    } else {
        listeners::agree(at, &owner, &ports, target.port, protocol);
    }
}
