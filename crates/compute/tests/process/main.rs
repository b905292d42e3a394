//! The process driver with real processes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "what goes wrong here is to fail the test"
)]

mod failing;
mod harness;
mod random;
mod reaping;
mod running;
mod server_crash;
mod stopping;
mod usage;
