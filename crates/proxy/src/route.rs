//! From a request to a split: what a view says, compiled once, tried for every request.

mod hosts;
mod index;
pub(crate) mod matcher;
pub(crate) mod path;
pub(crate) mod program;
mod unsupported;

pub(crate) use matcher::Asked;
pub(crate) use program::{Destination, Listener, Program};
