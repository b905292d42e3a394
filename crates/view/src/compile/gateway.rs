//! A virtual gateway's view: gateway routes in match order, each with what it rewrites.

use std::net::SocketAddr;

use model::spec::{
    DefaultRewrite, GatewayRouteSpec, HostnameMatch, HostnameRewrite, HttpGatewayRoute, Spec,
    VirtualGatewayListener, VirtualGatewaySpec,
};
use model::{ResourceId, Snapshot};

use super::clusters::{self, Clusters};
use super::matching::{self, Order};
use super::services::Services;
use super::{Binding, policies, port, tls};
use crate::{
    Entry, GatewayRoute, HostMatch, Listener, NodeView, PathMatch, PathRewrite, RequestMatch,
    Rewrite, Timeouts,
};

pub(super) fn compile(
    snapshot: &Snapshot,
    gateway: &ResourceId,
    spec: &VirtualGatewaySpec,
    binding: &Binding,
) -> NodeView {
    let mut clusters = Clusters::new(snapshot, &gateway.mesh, binding);
    let mut services = Services::new(snapshot, &gateway.mesh);
    let policy = spec
        .backend_defaults
        .as_ref()
        .and_then(|defaults| defaults.client_policy.as_ref());
    let listeners = spec
        .listeners
        .iter()
        .map(|listener| {
            let listener_port = port(listener.port_mapping.port);
            let routes = routes_for(snapshot, gateway, listener, |target, target_port| {
                services.add(&mut clusters, target, target_port, policy)
            });
            let bind_port = binding
                .gateway_ports
                .get(&listener_port)
                .copied()
                .unwrap_or(listener_port);
            let bind = SocketAddr::new(binding.address, bind_port);
            Listener {
                name: format!("lds_ingress_{}_{}", bind.ip(), listener_port),
                bind,
                protocol: clusters::protocol(listener.port_mapping.protocol),
                entry: Entry::Gateway { routes },
                timeouts: Timeouts::default(),
                limits: policies::limits(listener.connection_pool.as_ref()),
                expects_proxy_header: binding.proxy_protocol.expected_on.contains(&listener_port),
                tls: listener.tls.as_ref().and_then(tls::listener),
                access_log: policies::access_log(spec.logging.as_ref()),
            }
        })
        .collect();
    NodeView {
        node: gateway.path(),
        revision: snapshot.revision(),
        listeners,
        services: services.finish(),
        clusters: clusters.finish(),
    }
}

/// The routes of one listener, first match first.
fn routes_for(
    snapshot: &Snapshot,
    gateway: &ResourceId,
    listener: &VirtualGatewayListener,
    mut service_of: impl FnMut(&str, Option<u16>) -> Option<usize>,
) -> Vec<GatewayRoute> {
    let mut routes: Vec<(Order, GatewayRoute)> = Vec::new();
    for resource in snapshot.gateway_routes(&gateway.mesh, gateway.name()) {
        let Spec::GatewayRoute(spec) = &resource.spec else {
            continue;
        };
        let other_port = spec
            .match_port()
            .is_some_and(|port| port != listener.port_mapping.port);
        if other_port || spec.protocol() != Some(listener.port_mapping.protocol) {
            continue;
        }
        let Some(target) = spec.target() else {
            continue;
        };
        let target_name = &target.virtual_service.virtual_service_name;
        let Some(service) = service_of(target_name, target.port.map(port)) else {
            continue;
        };
        let route = GatewayRoute {
            name: resource.id.path(),
            hostname: hostname(spec).and_then(host_match),
            matches: matching::gateway_route(spec),
            rewrite: rewrite(spec, target_name),
            service,
        };
        let order = Order::of(spec.priority, &route.matches, resource.id.name());
        routes.extend(
            by_segment(route)
                .into_iter()
                .map(|route| (order.clone(), route)),
        );
    }
    routes.sort_by(|(one, _), (other, _)| one.cmp(other));
    routes.into_iter().map(|(_, route)| route).collect()
}

/// App Mesh sends `/x` that is rewritten as two routes, `/x/` and `/x`, so that `/x/y` does not become `//y`.
fn by_segment(route: GatewayRoute) -> Vec<GatewayRoute> {
    match (&route.matches.path, &route.rewrite.path) {
        (PathMatch::Prefix(prefix), PathRewrite::Prefix { from, to }) if !prefix.ends_with('/') => {
            let segment = format!("{prefix}/");
            let within = GatewayRoute {
                matches: RequestMatch {
                    path: PathMatch::Prefix(segment),
                    ..route.matches.clone()
                },
                rewrite: Rewrite {
                    path: PathRewrite::Prefix {
                        from: format!("{from}/"),
                        to: to.clone(),
                    },
                    ..route.rewrite.clone()
                },
                ..route.clone()
            };
            vec![within, route]
        }
        _ => vec![route],
    }
}

fn hostname(spec: &GatewayRouteSpec) -> Option<&HostnameMatch> {
    match (http(spec), &spec.grpc_route) {
        (Some(route), _) => route.matches.hostname.as_ref(),
        (None, Some(route)) => route.matches.hostname.as_ref(),
        (None, None) => None,
    }
}

fn host_match(hostname: &HostnameMatch) -> Option<HostMatch> {
    let exact = hostname
        .exact
        .as_ref()
        .map(|host| HostMatch::Exact(host.to_ascii_lowercase()));
    exact.or_else(|| {
        Some(HostMatch::Suffix(
            hostname.suffix.as_ref()?.to_ascii_lowercase(),
        ))
    })
}

fn rewrite(spec: &GatewayRouteSpec, target: &str) -> Rewrite {
    let hostname = match (http(spec), &spec.grpc_route) {
        (Some(route), _) => route
            .action
            .rewrite
            .as_ref()
            .and_then(|rewrite| rewrite.hostname.as_ref()),
        (None, Some(route)) => route
            .action
            .rewrite
            .as_ref()
            .and_then(|rewrite| rewrite.hostname.as_ref()),
        (None, None) => None,
    };
    Rewrite {
        host: (!keeps_host(hostname)).then(|| target.to_owned()),
        path: http(spec).map_or(PathRewrite::Keep, path_rewrite),
    }
}

fn keeps_host(hostname: Option<&HostnameRewrite>) -> bool {
    hostname.and_then(|hostname| hostname.default_target_hostname) == Some(DefaultRewrite::Disabled)
}

/// A matched prefix becomes `/` unless the route says otherwise; exact and regex paths stay as they are.
fn path_rewrite(route: &HttpGatewayRoute) -> PathRewrite {
    let rewrite = route.action.rewrite.as_ref();
    if let Some(exact) = rewrite.and_then(|rewrite| rewrite.path.as_ref()?.exact.as_ref()) {
        return PathRewrite::Exact(exact.clone());
    }
    let Some(from) = route
        .matches
        .prefix
        .as_ref()
        .filter(|prefix| prefix.as_str() != "/")
    else {
        return PathRewrite::Keep;
    };
    let prefix = rewrite.and_then(|rewrite| rewrite.prefix.as_ref());
    if prefix.and_then(|prefix| prefix.default_prefix) == Some(DefaultRewrite::Disabled) {
        return PathRewrite::Keep;
    }
    PathRewrite::Prefix {
        from: from.clone(),
        to: prefix
            .and_then(|prefix| prefix.value.clone())
            .unwrap_or_else(|| "/".to_owned()),
    }
}

fn http(spec: &GatewayRouteSpec) -> Option<&HttpGatewayRoute> {
    spec.http_route.as_ref().or(spec.http2_route.as_ref())
}
