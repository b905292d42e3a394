//! Routes.

use model::spec::*;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::listener::{duration, http_timeout, tcp_timeout};
use super::{free_text, port, request_match, text};

pub(super) fn spec() -> impl Strategy<Value = RouteSpec> {
    (of(0..=1000), of(http()), of(http()), of(grpc()), of(tcp())).prop_map(
        |(priority, http_route, http2_route, grpc_route, tcp_route)| RouteSpec {
            priority,
            http_route,
            http2_route,
            grpc_route,
            tcp_route,
        },
    )
}

fn http() -> BoxedStrategy<HttpRoute> {
    let matches = (
        of(free_text()),
        of(request_match::path()),
        of(request_match::method()),
        of(select(vec![HttpScheme::Http, HttpScheme::Https])),
        of(port()),
        of(request_match::headers()),
        of(request_match::query_parameters()),
    );
    let matches = matches.prop_map(
        |(prefix, path, method, scheme, port, headers, query_parameters)| HttpRouteMatch {
            prefix,
            path,
            method,
            scheme,
            port,
            headers,
            query_parameters,
        },
    );
    (action(), matches, of(http_retries()), of(http_timeout()))
        .prop_map(|(action, matches, retry_policy, timeout)| HttpRoute {
            action,
            matches,
            retry_policy,
            timeout,
        })
        .boxed()
}

fn grpc() -> BoxedStrategy<GrpcRoute> {
    let matches = (
        of(free_text()),
        of(text(50)),
        of(port()),
        of(request_match::headers()),
    );
    let matches = matches.prop_map(
        |(service_name, method_name, port, metadata)| GrpcRouteMatch {
            service_name,
            method_name,
            port,
            metadata,
        },
    );
    (action(), matches, of(grpc_retries()), of(http_timeout()))
        .prop_map(|(action, matches, retry_policy, timeout)| GrpcRoute {
            action,
            matches,
            retry_policy,
            timeout,
        })
        .boxed()
}

fn tcp() -> BoxedStrategy<TcpRoute> {
    let matches = of(port()).prop_map(|port| TcpRouteMatch { port });
    (action(), of(matches), of(tcp_timeout()))
        .prop_map(|(action, matches, timeout)| TcpRoute {
            action,
            matches,
            timeout,
        })
        .boxed()
}

fn action() -> BoxedStrategy<RouteAction> {
    let target = (text(255), 0..=100, of(port()));
    let target = target.prop_map(|(virtual_node, weight, port)| WeightedTarget {
        virtual_node,
        weight,
        port,
    });
    vec(target, 1..=10)
        .prop_map(|weighted_targets| RouteAction { weighted_targets })
        .boxed()
}

fn http_retries() -> BoxedStrategy<HttpRetryPolicy> {
    (
        0..=i64::MAX,
        duration(),
        of(http_events()),
        of(tcp_events()),
    )
        .prop_map(
            |(max_retries, per_retry_timeout, http_retry_events, tcp_retry_events)| {
                HttpRetryPolicy {
                    max_retries,
                    per_retry_timeout,
                    http_retry_events,
                    tcp_retry_events,
                }
            },
        )
        .boxed()
}

fn grpc_retries() -> BoxedStrategy<GrpcRetryPolicy> {
    let event = select(vec![
        GrpcRetryEvent::Cancelled,
        GrpcRetryEvent::DeadlineExceeded,
        GrpcRetryEvent::Internal,
        GrpcRetryEvent::ResourceExhausted,
        GrpcRetryEvent::Unavailable,
    ]);
    (http_retries(), of(vec(event, 1..=5)))
        .prop_map(|(http, grpc_retry_events)| GrpcRetryPolicy {
            max_retries: http.max_retries,
            per_retry_timeout: http.per_retry_timeout,
            grpc_retry_events,
            http_retry_events: http.http_retry_events,
            tcp_retry_events: http.tcp_retry_events,
        })
        .boxed()
}

fn http_events() -> impl Strategy<Value = Vec<HttpRetryEvent>> {
    let event = select(vec![
        HttpRetryEvent::ServerError,
        HttpRetryEvent::GatewayError,
        HttpRetryEvent::ClientError,
        HttpRetryEvent::StreamError,
    ]);
    vec(event, 1..=25)
}

fn tcp_events() -> impl Strategy<Value = Vec<TcpRetryEvent>> {
    Just(vec![TcpRetryEvent::ConnectionError])
}
