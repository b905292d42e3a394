//! The one place of this crate that asks for the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a sidecar asks for the time of day"
)]
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
