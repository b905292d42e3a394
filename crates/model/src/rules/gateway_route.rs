//! Rules of gateway routes.

use super::{listeners, request_match};
use crate::check::{self, Checker};
use crate::error::Error;
use crate::snapshot::Snapshot;
use crate::spec::{
    GatewayRouteSpec, GatewayRouteTarget, GrpcGatewayRoute, HostnameMatch, HttpGatewayRoute,
    HttpGatewayRouteRewrite, PrefixRewrite, Spec,
};

/// Paths and gRPC services that App Mesh keeps for itself `[G]`.
const RESERVED_PATHS: [&str; 2] = ["/aws-appmesh", "/aws-app-mesh"];
const RESERVED_SERVICES: [&str; 2] = ["aws.appmesh", "aws.app-mesh"];

pub(super) fn check(spec: &GatewayRouteSpec, at: &mut Checker) {
    let names = ["httpRoute", "http2Route", "grpcRoute"];
    let present = [
        spec.http_route.is_some(),
        spec.http2_route.is_some(),
        spec.grpc_route.is_some(),
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
}

fn check_http(route: &HttpGatewayRoute, at: &mut Checker) {
    let matches = &route.matches;
    if let Some(rewrite) = &route.action.rewrite {
        check_rewrite(
            rewrite,
            matches.path.is_some(),
            &mut at.inside("action.rewrite"),
        );
    }
    let at = &mut at.inside("match");
    request_match::check_path(at, matches.prefix.as_ref(), matches.path.as_ref());
    request_match::check_headers(at, "headers", matches.headers.as_deref());
    request_match::check_query_parameters(at, matches.query_parameters.as_deref());
    check_hostname(at, matches.hostname.as_ref());
    refuse_reserved(
        &mut at.inside("prefix"),
        matches.prefix.as_ref(),
        RESERVED_PATHS,
    );
    let exact = matches.path.as_ref().and_then(|path| path.exact.as_ref());
    refuse_reserved(&mut at.inside("path.exact"), exact, RESERVED_PATHS);
}

fn check_grpc(route: &GrpcGatewayRoute, at: &mut Checker) {
    let (matches, at) = (&route.matches, &mut at.inside("match"));
    request_match::check_headers(at, "metadata", matches.metadata.as_deref());
    check_hostname(at, matches.hostname.as_ref());
    let service = matches.service_name.as_ref();
    refuse_reserved(&mut at.inside("serviceName"), service, RESERVED_SERVICES);
}

/// One criterion, and not none `[K]`.
fn check_hostname(at: &mut Checker, hostname: Option<&HostnameMatch>) {
    if let Some(hostname) = hostname {
        let present = [hostname.exact.is_some(), hostname.suffix.is_some()];
        request_match::exactly_one(&mut at.inside("hostname"), ["exact", "suffix"], present);
    }
}

fn refuse_reserved(at: &mut Checker, value: Option<&String>, reserved: [&str; 2]) {
    let is_reserved = |value: &&String| reserved.iter().any(|start| value.starts_with(start));
    if let Some(value) = value.filter(is_reserved) {
        at.refuse_text(value, "is reserved for App Mesh itself");
    }
}

fn check_rewrite(rewrite: &HttpGatewayRouteRewrite, matches_path: bool, at: &mut Checker) {
    if let Some(path) = &rewrite.path {
        let at = &mut at.inside("path");
        if rewrite.prefix.is_some() {
            at.refuse("excludes a prefix");
        }
        request_match::absolute(&mut at.inside("exact"), path.exact.as_ref());
    }
    if let Some(prefix) = &rewrite.prefix {
        check_prefix_rewrite(prefix, matches_path, &mut at.inside("prefix"));
    }
}

fn check_prefix_rewrite(prefix: &PrefixRewrite, matches_path: bool, at: &mut Checker) {
    if matches_path {
        at.refuse("needs a match by prefix"); // [?] Nothing was matched that it could replace.
    }
    let Some(value) = &prefix.value else { return };
    let at = &mut at.inside("value");
    if prefix.default_prefix.is_some() {
        at.refuse("excludes a default prefix");
    }
    if !value.starts_with('/') || !value.ends_with('/') {
        at.refuse_text(value, "does not start and end with /");
    }
}

pub(super) fn references(
    snapshot: &Snapshot,
    mesh: &str,
    gateway: &str,
    spec: &GatewayRouteSpec,
) -> Result<(), Error> {
    let (Some(protocol), Some(target)) = (spec.protocol(), spec.target()) else {
        return Ok(());
    };
    check::request(&format!("spec.{protocol}Route"), |at| {
        if let Some(found) = snapshot.virtual_gateway(mesh, gateway) {
            let owner = format!("virtual gateway {gateway}");
            let (ports, at) = (found.port_mappings(), &mut at.inside("match"));
            listeners::agree(at, &owner, &ports, spec.match_port(), protocol);
        }
        has_port(snapshot, mesh, target, &mut at.inside("action.target"));
    })
}

/// The target's port is one of those on which the service's provider answers.
fn has_port(snapshot: &Snapshot, mesh: &str, target: &GatewayRouteTarget, at: &mut Checker) {
    let service = &target.virtual_service.virtual_service_name;
    let provider = snapshot
        .virtual_service(mesh, service)
        .and_then(|spec| spec.provider_id(mesh))
        .and_then(|provider| snapshot.get(&provider));
    let ports = match provider.map(|provider| &provider.spec) {
        Some(Spec::VirtualNode(node)) => node.port_mappings(),
        Some(Spec::VirtualRouter(router)) => router.port_mappings(),
        // Nobody answers for the service yet, so any port may be meant.
        _ => return,
    };
    listeners::meant(
        at,
        &format!("virtual service {service}"),
        &ports,
        target.port,
    );
}
