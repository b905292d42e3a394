//! The signature itself: four derivations from the secret to a key for one day, one region and one
//! service, and that key's code of the signed text.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// The part of a credential that narrows a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) day: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// What each scope ends in.
pub(crate) const TERMINATOR: &str = "aws4_request";

impl Scope {
    pub(crate) fn signature(&self, secret: &Secret, signed_text: &str) -> String {
        let day = code(&[b"AWS4", secret.as_bytes()].concat(), &self.day);
        let region = code(&day, &self.region);
        let service = code(&region, &self.service);
        let key = code(&service, TERMINATOR);
        hex(&code(&key, signed_text))
    }

    pub(crate) fn written(&self) -> String {
        let Self {
            day,
            region,
            service,
        } = self;
        format!("{day}/{region}/{service}/{TERMINATOR}")
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn code(key: &[u8], text: &str) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut code = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    code.update(text.as_bytes());
    code.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}
