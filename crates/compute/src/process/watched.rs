//! Waits for the end of a process without a thread: its handle becomes readable then, and stays so.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::identity;

#[derive(Debug)]
pub(super) struct Watched {
    handle: AsyncFd<OwnedFd>,
}

impl Watched {
    /// Must be called within a runtime.
    #[expect(
        deprecated,
        reason = "what replaces it is unsafe for the sake of types that do not own their descriptor; \
                  this one does"
    )]
    pub(super) fn new(handle: OwnedFd) -> io::Result<Self> {
        let handle = AsyncFd::with_interest(handle, Interest::READABLE)?;
        Ok(Self { handle })
    }

    pub(super) async fn ended(&self) {
        if self.handle.readable().await.is_err() {
            // The runtime is shutting down; whoever waits here is about to be dropped.
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        identity::has_ended(self.handle.get_ref())
    }
}
