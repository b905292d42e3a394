//! Meshes in the forms people keep them: CloudFormation templates, Kubernetes resources, JSON of the
//! `aws` command line, Terraform state. Pure: text in, resources with their places out, and back.
//!
//! Each text is read into a tree whose nodes know their lines; what a tree is shows from its content, and
//! each format has a module of its own. Whatever cannot be read is refused by itself, with its place and
//! the reason, and the rest goes on. Whether the resources make a possible mesh is not asked here: that
//! depends on the mesh they are put into.

mod cloudformation;
mod command_line;
mod document;
mod kubernetes;
mod options;
mod parts;
mod read;
mod terraform;
mod tree;
mod typed;

pub use document::{Document, History, Note, Place, Reading, Refusal};
pub use options::Options;
pub use read::{Source, read};

/// Writes resources in a form that [`read()`] takes back.
pub mod write {
    pub use crate::cloudformation::write::template as cloudformation;
    pub use crate::command_line::write::export as command_line;
}
