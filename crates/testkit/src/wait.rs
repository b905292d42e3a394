//! Waiting for a condition instead of sleeping and hoping.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// Long enough for a loaded machine, short enough for a person.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Asks again and again until `condition` holds; panics with `what` if it never does.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// Awaits `future`; panics with `what` if it takes longer than the deadline.
#[expect(clippy::panic, reason = "this is how a test fails")]
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("took too long: {what}"),
    }
}
