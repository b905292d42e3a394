//! HTTP/1.1 on the wire: heads, framing and bodies, strict enough that no two readers can disagree.
//!
//! Everything here is pure: bytes in, facts or a refusal out. A message whose end could be read in two
//! ways is refused, never repaired, because a repaired one is how requests are smuggled.

pub(crate) mod body;
pub(crate) mod chunked;
pub(crate) mod fields;
pub(crate) mod malformed;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod trailers;

pub(crate) use body::{Body, Passed};
pub(crate) use malformed::Malformed;
pub(crate) use trailers::{Trailers, may_be_a_trailer};

/// How large a head may be; Envoy's default.
pub(crate) const MAX_HEAD: usize = 60 * 1024;
/// How long a request line may be; twice what RFC 9112 asks everybody to support.
pub(crate) const MAX_REQUEST_LINE: usize = 16 * 1024;
/// How many header lines a head may have; Envoy's default.
pub(crate) const MAX_HEADERS: usize = 100;
