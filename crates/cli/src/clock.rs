//! The only place of this crate that asks what time it is.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the module named `clock`"
)]

use std::time::Instant;

use jiff::Timestamp;

pub fn now() -> Instant {
    Instant::now()
}

pub fn today() -> Timestamp {
    std::time::SystemTime::now()
        .try_into()
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
