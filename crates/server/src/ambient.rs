//! The server's clock and its source of unique ids.

use std::time::{SystemTime, UNIX_EPOCH};

use model::Timestamp;
use model::draft::Author;
use release::executor::Ambient;

use crate::configuration::Account;

#[derive(Debug)]
pub(crate) struct SystemAmbient {
    /// Owns what releases make.
    pub(crate) account: Account,
}

impl Ambient for SystemAmbient {
    fn now(&self) -> Timestamp {
        now()
    }

    fn author(&self) -> Author {
        Author {
            account: self.account.to_string(),
            now: now(),
            uid,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the server asks for the time"
)]
pub(crate) fn system_now() -> SystemTime {
    SystemTime::now()
}

pub(crate) fn now() -> Timestamp {
    let since_epoch = system_now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// A random UUID (RFC 9562, version 4).
pub(crate) fn uid() -> String {
    let bits = (fastrand::u128(..) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_uid_is_a_version_4_uuid() {
        for _ in 0..100 {
            let uid = super::uid();
            assert_eq!(uid.len(), 36);
            assert_eq!(&uid[14..15], "4");
            assert!("89ab".contains(&uid[19..20]), "{uid}");
        }
    }
}
