//! The one place of this crate that asks for the time: how long a build took is told to people, and
//! decides nothing.

use std::time::Instant;

/// The present instant.
#[expect(
    clippy::disallowed_methods,
    reason = "the only clock of this crate; nothing is decided by it"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
