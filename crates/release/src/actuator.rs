//! What the executor needs done outside the store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::ReleaseId;
use crate::journal::{Request, Version};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Builds versions and runs their tasks. Every call is idempotent: an executor that was killed repeats it.
pub trait Actuator: Send + Sync + fmt::Debug {
    /// Makes the version that the request describes.
    fn build<'a>(
        &'a self,
        id: &'a ReleaseId,
        request: &'a Request,
    ) -> BoxFuture<'a, Result<Version, Fault>>;

    /// Starts a version's tasks; returns once that is durable, not once they are healthy.
    fn start_tasks<'a>(
        &'a self,
        service: &'a str,
        version: &'a Version,
        count: u32,
    ) -> BoxFuture<'a, Result<(), Fault>>;

    /// Stops a version's tasks and forgets them.
    fn retire<'a>(
        &'a self,
        service: &'a str,
        version: &'a Version,
    ) -> BoxFuture<'a, Result<(), Fault>>;
}

/// Why a call failed, and whether to try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The same call would fail again: the version cannot be had.
    #[error("{0}")]
    Permanent(String),
    /// The world may be different in a moment.
    #[error("{0}")]
    Transient(String),
}
