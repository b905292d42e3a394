//! Gateway routes.

use model::spec::*;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::{free_text, port, request_match, text};

pub(super) fn spec() -> impl Strategy<Value = GatewayRouteSpec> {
    (of(0..=1000), of(http()), of(http()), of(grpc())).prop_map(
        |(priority, http_route, http2_route, grpc_route)| GatewayRouteSpec {
            priority,
            http_route,
            http2_route,
            grpc_route,
        },
    )
}

fn http() -> BoxedStrategy<HttpGatewayRoute> {
    let prefix = (of(default_rewrite()), of(text(255)));
    let prefix = prefix.prop_map(|(default_prefix, value)| PrefixRewrite {
        default_prefix,
        value,
    });
    let path = of(text(255)).prop_map(|exact| PathRewrite { exact });
    let rewrite = (of(prefix), of(path), of(hostname_rewrite()));
    let rewrite = rewrite.prop_map(|(prefix, path, hostname)| HttpGatewayRouteRewrite {
        prefix,
        path,
        hostname,
    });
    let action = (target(), of(rewrite));
    let action = action.prop_map(|(target, rewrite)| HttpGatewayRouteAction { target, rewrite });
    (action, http_match())
        .prop_map(|(action, matches)| HttpGatewayRoute { action, matches })
        .boxed()
}

fn http_match() -> BoxedStrategy<HttpGatewayRouteMatch> {
    (
        of(free_text()),
        of(request_match::path()),
        of(hostname()),
        of(request_match::method()),
        of(port()),
        of(request_match::headers()),
        of(request_match::query_parameters()),
    )
        .prop_map(
            |(prefix, path, hostname, method, port, headers, query_parameters)| {
                HttpGatewayRouteMatch {
                    prefix,
                    path,
                    hostname,
                    method,
                    port,
                    headers,
                    query_parameters,
                }
            },
        )
        .boxed()
}

fn grpc() -> BoxedStrategy<GrpcGatewayRoute> {
    let rewrite = of(hostname_rewrite()).prop_map(|hostname| GrpcGatewayRouteRewrite { hostname });
    let action = (target(), of(rewrite));
    let action = action.prop_map(|(target, rewrite)| GrpcGatewayRouteAction { target, rewrite });
    let matches = (
        of(free_text()),
        of(hostname()),
        of(port()),
        of(request_match::headers()),
    );
    let matches =
        matches.prop_map(
            |(service_name, hostname, port, metadata)| GrpcGatewayRouteMatch {
                service_name,
                hostname,
                port,
                metadata,
            },
        );
    (action, matches)
        .prop_map(|(action, matches)| GrpcGatewayRoute { action, matches })
        .boxed()
}

fn target() -> impl Strategy<Value = GatewayRouteTarget> {
    (text(255), of(port())).prop_map(|(virtual_service_name, port)| GatewayRouteTarget {
        virtual_service: GatewayRouteVirtualService {
            virtual_service_name,
        },
        port,
    })
}

fn hostname() -> impl Strategy<Value = HostnameMatch> {
    (of(text(253)), of(text(253))).prop_map(|(exact, suffix)| HostnameMatch { exact, suffix })
}

fn hostname_rewrite() -> impl Strategy<Value = HostnameRewrite> {
    of(default_rewrite()).prop_map(|default_target_hostname| HostnameRewrite {
        default_target_hostname,
    })
}

fn default_rewrite() -> impl Strategy<Value = DefaultRewrite> {
    select(vec![DefaultRewrite::Enabled, DefaultRewrite::Disabled])
}
