//! Listeners of nodes and gateways, and the times that routes share with them.

use model::spec::*;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::{at_least_one, free_text, port, tls};

pub(super) fn of_node() -> BoxedStrategy<Listener> {
    (
        port_mapping(),
        of(health_check(protocol())),
        of(prop_oneof![http_pools(), tcp_pool()]),
        of(outlier_detection()),
        of(listener_timeout()),
        of(tls::of_listener()),
    )
        .prop_map(
            |(port_mapping, health_check, connection_pool, outlier_detection, timeout, tls)| {
                Listener {
                    port_mapping,
                    health_check,
                    connection_pool,
                    outlier_detection,
                    timeout,
                    tls,
                }
            },
        )
        .boxed()
}

pub(super) fn of_gateway() -> BoxedStrategy<VirtualGatewayListener> {
    let mapping = (port(), gateway_protocol());
    let mapping = mapping.prop_map(|(port, protocol)| PortMapping { port, protocol });
    (
        mapping,
        of(health_check(gateway_protocol())),
        of(http_pools()),
        of(tls::of_listener()),
    )
        .prop_map(
            |(port_mapping, health_check, connection_pool, tls)| VirtualGatewayListener {
                port_mapping,
                health_check,
                connection_pool,
                tls,
            },
        )
        .boxed()
}

pub(super) fn port_mapping() -> impl Strategy<Value = PortMapping> {
    (port(), protocol()).prop_map(|(port, protocol)| PortMapping { port, protocol })
}

pub(super) fn duration() -> impl Strategy<Value = Duration> {
    let unit = select(vec![DurationUnit::Seconds, DurationUnit::Milliseconds]);
    let value = prop_oneof![Just(0), Just(i64::MAX), 0..=600_000_i64];
    (of(unit), of(value)).prop_map(|(unit, value)| Duration { unit, value })
}

pub(super) fn http_timeout() -> impl Strategy<Value = HttpTimeout> {
    (of(duration()), of(duration()))
        .prop_map(|(idle, per_request)| HttpTimeout { idle, per_request })
}

pub(super) fn tcp_timeout() -> impl Strategy<Value = TcpTimeout> {
    of(duration()).prop_map(|idle| TcpTimeout { idle })
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop_oneof![gateway_protocol(), Just(Protocol::Tcp)]
}

fn gateway_protocol() -> impl Strategy<Value = Protocol> {
    select(vec![Protocol::Http, Protocol::Http2, Protocol::Grpc])
}

fn health_check(
    protocol: impl Strategy<Value = Protocol> + 'static,
) -> BoxedStrategy<HealthCheckPolicy> {
    (
        protocol,
        5_000..=300_000_i64,
        2_000..=60_000_i64,
        2..=10,
        2..=10,
        of(free_text()),
        of(port()),
    )
        .prop_map(
            |(protocol, interval, timeout, healthy_threshold, unhealthy_threshold, path, port)| {
                HealthCheckPolicy {
                    protocol,
                    interval_millis: interval,
                    timeout_millis: timeout,
                    healthy_threshold,
                    unhealthy_threshold,
                    path,
                    port,
                }
            },
        )
        .boxed()
}

fn http_pools() -> impl Strategy<Value = ConnectionPool> {
    let http = (at_least_one(), of(at_least_one()));
    let http = http.prop_map(|(max_connections, max_pending_requests)| {
        ConnectionPool::Http(HttpConnectionPool {
            max_connections,
            max_pending_requests,
        })
    });
    let requests = || at_least_one().prop_map(|max_requests| RequestPool { max_requests });
    prop_oneof![
        http,
        requests().prop_map(ConnectionPool::Http2),
        requests().prop_map(ConnectionPool::Grpc),
    ]
}

fn tcp_pool() -> impl Strategy<Value = ConnectionPool> {
    at_least_one()
        .prop_map(|max_connections| ConnectionPool::Tcp(TcpConnectionPool { max_connections }))
}

fn outlier_detection() -> BoxedStrategy<OutlierDetection> {
    (1..=i64::MAX, duration(), duration(), 0..=100)
        .prop_map(
            |(max_server_errors, interval, base_ejection_duration, max_ejection_percent)| {
                OutlierDetection {
                    max_server_errors,
                    interval,
                    base_ejection_duration,
                    max_ejection_percent,
                }
            },
        )
        .boxed()
}

fn listener_timeout() -> BoxedStrategy<ListenerTimeout> {
    prop_oneof![
        http_timeout().prop_map(ListenerTimeout::Http),
        http_timeout().prop_map(ListenerTimeout::Http2),
        http_timeout().prop_map(ListenerTimeout::Grpc),
        tcp_timeout().prop_map(ListenerTimeout::Tcp),
    ]
    .boxed()
}
