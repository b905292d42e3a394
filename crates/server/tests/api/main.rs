//! A server without a manifest, asked over real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod clients;
mod server;
mod signer;
mod stop;
mod tls;
mod without_manifest;
