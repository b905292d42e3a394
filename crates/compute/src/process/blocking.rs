//! Work that waits for the disk or reads all of `/proc`, off the runtime's own threads.

use std::io;

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await?
}
