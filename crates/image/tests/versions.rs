//! Versions, from the outside: how they are made, and what is left when making them is interrupted.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may fail by panicking"
)]

#[path = "versions/interrupted.rs"]
mod interrupted;
#[path = "versions/making.rs"]
mod making;
#[path = "versions/tagging.rs"]
mod tagging;
#[path = "versions/workplace.rs"]
mod workplace;
