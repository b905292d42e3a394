//! Retries, time-outs, limits and access logs, with the defaults that App Mesh applied without showing them.

use std::time::Duration;

use model::spec::{
    self, ConnectionPool, GrpcRetryEvent, HttpRetryEvent, HttpTimeout, ListenerTimeout, Logging,
    LoggingFormat, RouteSpec, TcpRetryEvent, TcpTimeout,
};

use crate::{AccessLog, AccessLogFormat, PoolLimits, RetryOn, RetryPolicy, Timeouts};

/// "If a timeout is not specified, 15 seconds" (user guide, routes).
const REQUEST: Duration = Duration::from_secs(15);
/// The user guide's default for HTTP; other pages say there is none.
const IDLE: Duration = Duration::from_secs(300);
/// Envoy's default for TCP.
const TCP_IDLE: Duration = Duration::from_secs(3600);
/// Envoy's default back-off between tries, which App Mesh left as it is.
const BACKOFF_BASE: Duration = Duration::from_millis(25);
const BACKOFF_MAX: Duration = Duration::from_millis(250);

/// What a route without a policy gets: two retries on connection trouble, gRPC `unavailable` and 503.
pub(super) fn default_retry() -> RetryPolicy {
    RetryPolicy {
        max_retries: 2,
        per_try_timeout: None,
        on: RetryOn {
            connect_failure: true,
            reset: true,
            refused_stream: true,
            status_codes: vec![503],
            grpc_status: vec![GRPC_UNAVAILABLE],
        },
        backoff_base: BACKOFF_BASE,
        backoff_max: BACKOFF_MAX,
    }
}

/// A route's retries; TCP routes have none.
pub(super) fn retry(spec: &RouteSpec) -> Option<RetryPolicy> {
    if let Some(http) = spec.http_route.as_ref().or(spec.http2_route.as_ref()) {
        return Some(
            http.retry_policy
                .as_ref()
                .map_or_else(default_retry, |policy| {
                    explicit_retry(
                        policy.max_retries,
                        &policy.per_retry_timeout,
                        policy.http_retry_events.as_deref(),
                        policy.tcp_retry_events.as_deref(),
                        None,
                    )
                }),
        );
    }
    let grpc = spec.grpc_route.as_ref()?;
    Some(
        grpc.retry_policy
            .as_ref()
            .map_or_else(default_retry, |policy| {
                explicit_retry(
                    policy.max_retries,
                    &policy.per_retry_timeout,
                    policy.http_retry_events.as_deref(),
                    policy.tcp_retry_events.as_deref(),
                    policy.grpc_retry_events.as_deref(),
                )
            }),
    )
}

/// A route's own policy; App Mesh always added `reset` to it.
fn explicit_retry(
    max_retries: i64,
    per_try: &spec::Duration,
    http: Option<&[HttpRetryEvent]>,
    tcp: Option<&[TcpRetryEvent]>,
    grpc: Option<&[GrpcRetryEvent]>,
) -> RetryPolicy {
    let http = http.unwrap_or_default();
    RetryPolicy {
        max_retries: u32::try_from(max_retries).unwrap_or(u32::MAX),
        per_try_timeout: per_try.to_std().filter(|limit| !limit.is_zero()),
        on: RetryOn {
            connect_failure: tcp
                .unwrap_or_default()
                .contains(&TcpRetryEvent::ConnectionError),
            reset: true,
            refused_stream: http.contains(&HttpRetryEvent::StreamError),
            status_codes: http
                .iter()
                .flat_map(|event| status_codes(*event))
                .copied()
                .collect(),
            grpc_status: grpc
                .unwrap_or_default()
                .iter()
                .map(|event| grpc_status(*event))
                .collect(),
        },
        backoff_base: BACKOFF_BASE,
        backoff_max: BACKOFF_MAX,
    }
}

fn status_codes(event: HttpRetryEvent) -> &'static [u16] {
    match event {
        HttpRetryEvent::ServerError => &[500, 501, 502, 503, 504, 505, 506, 507, 508, 510, 511],
        HttpRetryEvent::GatewayError => &[502, 503, 504],
        HttpRetryEvent::ClientError => &[409],
        HttpRetryEvent::StreamError => &[],
    }
}

const GRPC_UNAVAILABLE: u8 = 14;

/// Status codes of the gRPC specification.
fn grpc_status(event: GrpcRetryEvent) -> u8 {
    match event {
        GrpcRetryEvent::Cancelled => 1,
        GrpcRetryEvent::DeadlineExceeded => 4,
        GrpcRetryEvent::ResourceExhausted => 8,
        GrpcRetryEvent::Internal => 13,
        GrpcRetryEvent::Unavailable => GRPC_UNAVAILABLE,
    }
}

pub(super) fn default_timeouts() -> Timeouts {
    http_timeouts(None)
}

pub(super) fn route_timeouts(spec: &RouteSpec) -> Timeouts {
    let http = spec.http_route.as_ref().or(spec.http2_route.as_ref());
    match (http, &spec.grpc_route, &spec.tcp_route) {
        (Some(http), _, _) => http_timeouts(http.timeout.as_ref()),
        (None, Some(grpc), _) => http_timeouts(grpc.timeout.as_ref()),
        (None, None, Some(tcp)) => tcp_timeouts(tcp.timeout.as_ref()),
        (None, None, None) => default_timeouts(),
    }
}

pub(super) fn listener_timeouts(
    timeout: Option<&ListenerTimeout>,
    protocol: spec::Protocol,
) -> Timeouts {
    match (timeout, protocol) {
        (Some(ListenerTimeout::Tcp(timeout)), _) => tcp_timeouts(Some(timeout)),
        (
            Some(
                ListenerTimeout::Http(timeout)
                | ListenerTimeout::Http2(timeout)
                | ListenerTimeout::Grpc(timeout),
            ),
            _,
        ) => http_timeouts(Some(timeout)),
        (None, spec::Protocol::Tcp) => tcp_timeouts(None),
        (None, _) => http_timeouts(None),
    }
}

fn http_timeouts(timeout: Option<&HttpTimeout>) -> Timeouts {
    Timeouts {
        per_request: limit(
            timeout.and_then(|timeout| timeout.per_request.as_ref()),
            REQUEST,
        ),
        idle: limit(timeout.and_then(|timeout| timeout.idle.as_ref()), IDLE),
    }
}

fn tcp_timeouts(timeout: Option<&TcpTimeout>) -> Timeouts {
    Timeouts {
        per_request: None,
        idle: limit(timeout.and_then(|timeout| timeout.idle.as_ref()), TCP_IDLE),
    }
}

/// A given limit, or the default; zero switches it off.
fn limit(given: Option<&spec::Duration>, default: Duration) -> Option<Duration> {
    let limit = given.and_then(spec::Duration::to_std).unwrap_or(default);
    (!limit.is_zero()).then_some(limit)
}

pub(super) fn limits(pool: Option<&ConnectionPool>) -> PoolLimits {
    let number = |limit: i32| u32::try_from(limit).ok();
    match pool {
        None => PoolLimits::default(),
        Some(ConnectionPool::Http(pool)) => PoolLimits {
            max_connections: number(pool.max_connections),
            max_pending_requests: pool.max_pending_requests.and_then(number),
            max_requests: None,
        },
        Some(ConnectionPool::Http2(pool) | ConnectionPool::Grpc(pool)) => PoolLimits {
            max_requests: number(pool.max_requests),
            ..PoolLimits::default()
        },
        Some(ConnectionPool::Tcp(pool)) => PoolLimits {
            max_connections: number(pool.max_connections),
            ..PoolLimits::default()
        },
    }
}

pub(super) fn access_log(logging: Option<&Logging>) -> Option<AccessLog> {
    let spec::AccessLog::File(file) = logging?.access_log.as_ref()?;
    Some(AccessLog {
        path: file.path.clone(),
        format: match &file.format {
            None => AccessLogFormat::Default,
            Some(LoggingFormat::Text(text)) => AccessLogFormat::Text(text.clone()),
            Some(LoggingFormat::Json(members)) => AccessLogFormat::Json(
                members
                    .iter()
                    .map(|member| (member.key.clone(), member.value.clone()))
                    .collect(),
            ),
        },
    })
}
