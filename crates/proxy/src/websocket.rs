//! The WebSocket handshake where versions differ: HTTP/1.1 wants a proof (RFC 6455 section 4) that HTTP/2
//! has no place for (RFC 8441 section 5.1), so that this side asks for it, or gives it, itself.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(crate) const KEY: &str = "sec-websocket-key";

/// The standard's own.
const SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A key for a service of HTTP/1.1; nobody looks at its answer, as the client asked without one.
pub(crate) fn key(rng: &mut fastrand::Rng) -> String {
    let mut key = [0; 16];
    rng.fill(&mut key);
    STANDARD.encode(key)
}

/// What a client of HTTP/1.1 that sent `key` must be answered.
pub(crate) fn accept(key: &str) -> String {
    let salted = [key, SALT].concat();
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, salted.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_rfc_6455() {
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn a_key_is_sixteen_bytes() {
        let key = key(&mut fastrand::Rng::with_seed(1));
        assert_eq!(STANDARD.decode(key).unwrap().len(), 16);
    }
}
