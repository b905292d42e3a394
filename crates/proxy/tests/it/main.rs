//! The data plane from outside: real sockets in front of it and behind it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod assignment;
mod bodies;
mod changes;
mod discovery;
mod draining;
mod failures;
mod http;
mod http2;
mod http2_peers;
mod mesh;
mod observations;
mod outliers;
mod pools;
mod refusals;
mod routing;
mod smuggling;
mod tcp;
mod tls;
