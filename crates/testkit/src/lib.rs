//! What tests of several crates need: servers to stand behind a proxy, clients and load in front of it.
//!
//! Dev-dependency only. Everything listens on loopback, on a port the system chooses, and stops when
//! dropped.

pub mod backend;
pub mod load;
pub mod python;
pub mod raw;
mod wait;

pub use backend::Backend;
pub use load::{Load, Report};
pub use wait::{DEADLINE, until, within};
