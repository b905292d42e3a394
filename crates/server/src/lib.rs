//! The daemon: one mesh of one manifest on one machine.
//!
//! [`Daemon`] puts the rooms together: the store and its journal, the data plane and the views it is fed,
//! the driver that runs tasks, and an engine that takes each release from request to end. People and
//! programs reach it through the release API ([`api`]) only.

mod actuator;
mod ambient;
pub mod api;
mod daemon;
mod engine;
mod feed;
mod layout;
mod ports;
mod presence;
mod registry;
mod traffic;

pub use daemon::{Daemon, Error, Options};
pub use layout::Layout;
pub use presence::Presence;
