//! The only place that asks what time it is; everything else is told.

use std::time::Duration;

use tokio::time::Instant;

/// Stands for "never" where a sum would overflow.
const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Follows tokio's clock, so that a test may pause it.
pub(super) fn now() -> Instant {
    Instant::now()
}

/// `start + delay` for a delay of any length.
pub(super) fn after(start: Instant, delay: Duration) -> Instant {
    start + delay.min(FAR)
}
