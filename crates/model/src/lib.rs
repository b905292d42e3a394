//! The App Mesh resource model: what a mesh is made of, and which meshes are possible.
//!
//! [`spec`] holds the shapes of the public service model, [`id`] their names and ARNs, [`resource`] a
//! stored resource, [`snapshot`] a whole state of the world. Everything here is pure: the same input
//! gives the same answer, and nothing touches a clock, a file or a socket.

pub mod check;
pub mod draft;
pub mod error;
pub mod expression;
pub mod id;
pub mod read;
pub mod resource;
pub mod rules;
pub mod share;
pub mod snapshot;
pub mod spec;
pub mod tags;

pub use error::{Error, ErrorKind, Violation};
pub use id::{Arn, Kind, LocalId, ResourceId};
pub use resource::{Metadata, Resource, Timestamp};
pub use share::{Share, Shares};
pub use snapshot::Snapshot;
pub use spec::Spec;
