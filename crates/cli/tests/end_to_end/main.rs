//! The real binary with real compilers, proxies and tasks, on loopback, with the example's twin in Rust.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod demo;
mod identities;
mod killed;
mod leak;
mod load;
mod mesh;
mod serin;
mod serve;
mod sidecar;
mod steering;
