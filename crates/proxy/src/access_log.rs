//! Access logs, in the formats of App Mesh: a line for each request, written off the path of requests.
//!
//! A format is compiled when its view is applied, and refused there if it asks for what nobody knows. A
//! request on a listener with a log carries an [`Entry`], which collects what the format asks for and
//! becomes a line when it is dropped, however the request ended. Lines go to a buffer of the worker's,
//! buffers to the one thread that writes the file. Where the disk is slower than the traffic, lines are
//! lost and counted; requests never wait.

mod entry;
mod file;
mod flags;
mod format;
mod time;

pub(crate) use entry::{Entry, Log};
pub(crate) use file::Files;
pub(crate) use flags::Flags;
pub(crate) use format::Format;
