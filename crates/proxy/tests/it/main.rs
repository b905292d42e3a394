//! The data plane from outside: real sockets in front of it and behind it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access_logs;
mod assignment;
mod bodies;
mod changes;
mod checks;
mod crowds;
mod desync;
mod discovery;
mod draining;
mod failures;
mod grpc;
mod http;
mod http2;
mod http2_abuse;
mod http2_conformance;
mod http2_moving;
mod http2_peers;
mod http2_raw;
mod http2_smuggling;
mod mesh;
mod http2_refusals;
mod mirroring;
mod names;
mod http2_websockets;
mod observations;
mod outliers;
mod overload;
mod pools;
mod proxy_headers;
mod refusals;
mod routing;
mod smuggling;
mod tcp;
mod tls;
mod trailers;
