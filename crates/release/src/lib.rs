//! Releases: from a change of a service's source to a version that serves everything, or nothing.
//!
//! A [`Manifest`] says how a service is made and released. A release is a journal of [`journal::Event`]s;
//! folded they are its [`State`], from which the pure [`planner`] picks the next [`Step`], which the
//! [`Executor`] performs, idempotent and journalled. The mesh changes are ordinary App Mesh resources
//! ([`mesh`]); what lies outside the store is done by an [`Actuator`], so no concrete driver is known here.

pub mod actuator;
pub mod coverage;
pub mod executor;
pub mod id;
pub mod journal;
pub mod manifest;
pub mod mesh;
pub mod planner;
mod replay;
pub mod state;
#[cfg(test)]
mod testing;

pub use actuator::{Actuator, Fault};
pub use executor::Executor;
pub use id::ReleaseId;
pub use manifest::{Manifest, Policy};
pub use planner::{Plan, Step, World, plan};
pub use replay::{Decision, replay};
pub use state::State;
