//! The daemon: a control plane, and with a manifest one mesh on one machine.
//!
//! [`Daemon`] puts the rooms together: the store and its journal, and for the services of a manifest a
//! [`workload`]: the data plane and the views it is fed, the driver that runs tasks, and an engine that takes
//! each release from request to end. People and programs reach it through the [`api`] only: the App Mesh
//! API for resources, the release API for services.

mod access;
mod acm;
mod actuator;
mod ambient;
pub mod api;
mod authorities;
pub mod configuration;
mod daemon;
mod engine;
mod feed;
mod identities;
mod layout;
mod listener;
mod metrics;
mod ports;
mod presence;
mod proxies;
mod registry;
mod steering;
mod throttle;
mod traffic;
mod workload;

pub use acm::{AcmFile, AcmFiles};
pub use authorities::IdentityError;
pub use configuration::{Configuration, ConfigurationError};
pub use daemon::{Daemon, Error, Options, check};
pub use layout::Layout;
pub use presence::Presence;
