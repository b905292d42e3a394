//! The trailer section of a chunked body: gathered as it comes, passed on without what may not be there.
//!
//! The chunks before it pass as they came. A section is short and rare, so it waits for its end, whole
//! lines are chosen from it, and what is left goes out as one piece.

/// Fields whose meaning must be known before the content (RFC 9110 section 6.5.1): whoever merged one
/// from behind it would frame, direct, authorise or read another message than the proxy did.
const MISPLACED: [&str; 37] = [
    // Framing, and this hop's own.
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    // Routing.
    "host",
    // Controls and conditions of a request.
    "cache-control",
    "expect",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "pragma",
    "range",
    // Who asks.
    "authorization",
    "cookie",
    "proxy-authenticate",
    "proxy-authorization",
    "set-cookie",
    "www-authenticate",
    // Controls of a response.
    "age",
    "date",
    "expires",
    "location",
    "retry-after",
    "vary",
    "warning",
    // How to read the content.
    "content-encoding",
    "content-language",
    "content-location",
    "content-range",
    "content-type",
];

/// In any case of letters, as HTTP/1.1 has them.
pub(crate) fn may_be_a_trailer(name: &[u8]) -> bool {
    !MISPLACED
        .iter()
        .any(|misplaced| name.eq_ignore_ascii_case(misplaced.as_bytes()))
}

/// As much of a section as has come, without the empty line that ends it.
#[derive(Debug, Default)]
pub(crate) struct Trailers(Vec<u8>);

impl Trailers {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// The section as the next hop gets it, to the empty line. `chunked` has found every line to be a
    /// name, a colon, a value and CR LF.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let section = self.take();
        let mut kept = Vec::with_capacity(section.len() + 2);
        for line in section.split_inclusive(|&byte| byte == b'\n') {
            let name = line.split(|&byte| byte == b':').next().unwrap_or(line);
            if may_be_a_trailer(name) {
                kept.extend_from_slice(line);
            }
        }
        kept.extend_from_slice(b"\r\n");
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_had_to_come_first_are_left_out_and_the_others_stay_as_they_were() {
        let mut trailers = Trailers(
            b"X-Sum: 1:2\r\nContent-Length: 5\r\nhost:a\r\nGRPC-Status:0 \r\nTransfer-Encoding:\r\n"
                .to_vec(),
        );
        assert_eq!(trailers.finish(), b"X-Sum: 1:2\r\nGRPC-Status:0 \r\n\r\n");
        assert!(trailers.is_empty());
    }
}
