//! `serin import` and `serin export` against a real server: one shop, written down in four forms.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod exporting;
mod importing;
mod server;
