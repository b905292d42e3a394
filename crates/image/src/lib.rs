//! From a source change to something a driver can run.
//!
//! A [`Recipe`] names a source directory, patch files, a build command and a tag. [`Images`] reads
//! the source as a [`tree::Tree`], applies the patches as `git apply` would ([`patch`]), builds the
//! result in a private copy and keeps what it produced under the digest of its content. A tag such
//! as `vanilla` or `epoch` points at such a digest.
//!
//! The user's source directory is only ever read, and nothing half-made is ever visible: a version
//! appears by one rename, or not at all.

mod clock;
pub mod digest;
mod disk;
pub mod images;
pub mod name;
pub mod patch;
pub mod pattern;
pub mod recipe;
mod run;
pub mod tree;

pub use digest::Digest;
pub use disk::DiskError;
pub use images::{Built, ImageError, Images, Planned, Version};
pub use name::Name;
pub use patch::DiffStat;
pub use recipe::{BuildCommand, Recipe};
pub use run::BuildError;
