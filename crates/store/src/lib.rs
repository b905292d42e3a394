//! Where the mesh is kept: resources with revisions, and a journal beside them.
//!
//! A [`Change`] is all or nothing: what it expects is checked, its resources are written and its journal records are
//! appended in one step, so that a release can record "share set" in the very commit that sets the share. Everyone who
//! watches is told the new [`Snapshot`](model::Snapshot). What a change does may also be decided by a function of the
//! very state that it is made on, see [`Change::decided_by`].
//!
//! Two stores share one set of rules (`State::apply`): [`Embedded`] keeps a file and has it on disk before it answers,
//! [`Memory`] keeps nothing. [`Archive`] carries a whole store from one to the other, or to a file of JSON lines.

mod archive;
mod change;
mod decide;
mod embedded;
mod error;
mod memory;
mod published;
mod record;
mod state;
mod store;
mod token;

pub use archive::{Archive, ArchiveError};
pub use change::{Append, Change, Committed, Durability, Effect, Entry, Expect, Write};
pub use decide::Decide;
pub use embedded::{Embedded, OpenError};
pub use error::{Conflict, Error};
pub use memory::Memory;
pub use store::{BoxFuture, Store};
pub use token::{Fingerprint, IdempotencyToken};
