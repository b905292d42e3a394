//! What any store must do, and what the embedded one must survive.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and a child process tells its parent on standard output"
)]

mod agreement;
mod archives;
mod concurrency;
mod crash;
mod decisions;
mod failures;
mod fixture;
mod formats;
mod idempotency;
