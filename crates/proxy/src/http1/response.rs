//! A response's head: parsed where it lies, as strictly as a request's.

use httparse::{Header, Status};

use super::fields::{self, Fields, Lines};
use super::{Body, MAX_HEAD, Malformed};

#[derive(Debug)]
pub(crate) struct ResponseHead<'h, 'b> {
    /// From the status line to the empty line.
    pub(crate) bytes: &'b [u8],
    pub(crate) status: u16,
    pub(crate) is_11: bool,
    pub(crate) lines: &'h [Header<'b>],
    pub(crate) fields: Fields,
    pub(crate) body: Body,
}

/// `None` until the whole head is there. `to_head`: the request was `HEAD`, so no body follows.
pub(crate) fn parse<'h, 'b>(
    input: &'b [u8],
    to_head: bool,
    lines: &'h mut Lines<'b>,
) -> Result<Option<ResponseHead<'h, 'b>>, Malformed> {
    if matches!(input.first(), Some(b'\r' | b'\n')) {
        return Err(Malformed::LineEnd);
    }
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let length = match config.parse_response_with_uninit_headers(&mut response, input, lines)? {
        Status::Complete(length) if length <= MAX_HEAD => length,
        Status::Partial if input.len() <= MAX_HEAD => return Ok(None),
        _ => return Err(Malformed::HeadTooLarge),
    };
    let (Some(status), Some(version)) = (response.code, response.version) else {
        return Ok(None);
    };
    if status < 100 {
        return Err(Malformed::Syntax(httparse::Error::Status));
    }
    let lines: &'h [Header<'b>] = response.headers;
    let bytes = &input[..length];
    fields::check_line_ends(bytes, lines)?;
    let is_11 = version == 1;
    let fields = Fields::read(lines)?;
    let body = body(status, is_11, to_head, &fields)?;
    Ok(Some(ResponseHead {
        bytes,
        status,
        is_11,
        lines,
        fields,
        body,
    }))
}

/// RFC 9112 section 6.3.
fn body(status: u16, is_11: bool, to_head: bool, fields: &Fields) -> Result<Body, Malformed> {
    let never_has_one = matches!(status, 100..=199 | 204);
    if fields.is_chunked() && (never_has_one || !is_11) {
        return Err(Malformed::TransferEncodingMisplaced);
    }
    if never_has_one && fields.content_length.is_some_and(|length| length > 0) {
        return Err(Malformed::ContentLengthMisplaced);
    }
    if never_has_one || status == 304 || to_head {
        return Ok(Body::EMPTY);
    }
    Ok(match fields.content_length {
        _ if fields.is_chunked() => Body::chunked(),
        Some(length) => Body::Length(length),
        None => Body::UntilClose,
    })
}

impl ResponseHead<'_, '_> {
    /// Whether the head can go on as it is, but for `additions`.
    pub(crate) fn is_clean(&self) -> bool {
        self.is_11 && self.fields.dropped == 0
    }

    /// Appends the head as the client gets it: this hop's lines left out, `additions` added, and with
    /// its chunks undone (`unchunked`) no longer called chunked.
    pub(crate) fn rewrite(&self, additions: &[&str], unchunked: bool, out: &mut Vec<u8>) {
        let lines_start = self.lines.first().map_or(self.bytes.len() - 2, |line| {
            fields::start_of(line, self.bytes)
        });
        out.extend_from_slice(b"HTTP/1.1");
        out.extend_from_slice(&self.bytes[b"HTTP/1.1".len()..lines_start]);
        let mut dropped = self.fields.dropped;
        if let (true, Some(line)) = (unchunked, self.fields.transfer_encoding) {
            dropped |= 1 << line;
        }
        fields::copy_kept(self.bytes, self.lines, dropped, out);
        for addition in additions {
            out.extend_from_slice(addition.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    /// What follows is a tunnel's (RFC 9112 section 6.3), whatever the head says of a body.
    pub(crate) fn begin_tunnel(&mut self) {
        self.fields.drop_framing(self.lines);
        self.body = Body::EMPTY;
    }

    /// Whether a proxy on the way refused the request for want of room: trying again would make it worse.
    pub(crate) fn says_overloaded(&self) -> bool {
        self.lines
            .iter()
            .any(|line| line.name.eq_ignore_ascii_case("x-envoy-overloaded"))
    }

    /// An interim response; the final one is still to come.
    pub(crate) fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// Whether the server will take another request on this connection.
    pub(crate) fn keeps_alive(&self) -> bool {
        !self.fields.close
            && (self.is_11 || self.fields.keep_alive)
            && self.body != Body::UntilClose
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(head: &str, to_head: bool) -> Result<Option<(u16, Body, bool)>, Malformed> {
        let mut lines = fields::no_lines();
        let head = parse(head.as_bytes(), to_head, &mut lines)?;
        Ok(head.map(|head| (head.status, head.body, head.keeps_alive())))
    }

    #[test]
    fn a_body_is_framed_as_rfc_9112_says() {
        let chunked = Body::chunked();
        for (head, to_head, expected) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
                false,
                (200, Body::Length(3), true),
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
                true,
                (200, Body::EMPTY, true),
            ),
            (
                "HTTP/1.1 200\r\ntransfer-encoding: Chunked\r\n\r\n",
                false,
                (200, chunked, true),
            ),
            (
                "HTTP/1.1 200 OK\r\n\r\n",
                false,
                (200, Body::UntilClose, false),
            ),
            (
                "HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n",
                false,
                (304, Body::EMPTY, true),
            ),
            ("HTTP/1.1 204 N\r\n\r\n", false, (204, Body::EMPTY, true)),
            (
                "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n",
                false,
                (103, Body::EMPTY, true),
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n",
                false,
                (200, Body::Length(3), false),
            ),
            (
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n",
                false,
                (200, Body::Length(3), true),
            ),
            (
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n",
                false,
                (200, Body::Length(3), false),
            ),
        ] {
            assert_eq!(framing(head, to_head), Ok(Some(expected)), "{head:?}");
        }
    }

    #[test]
    fn ambiguous_framing_is_refused() {
        for (head, why) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                Malformed::FramedTwice,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
                Malformed::ContentLengthRepeated,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n",
                Malformed::ContentLength,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                Malformed::TransferEncoding,
            ),
            (
                "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                Malformed::TransferEncodingMisplaced,
            ),
            (
                "HTTP/1.1 204 N\r\nTransfer-Encoding: chunked\r\n\r\n",
                Malformed::TransferEncodingMisplaced,
            ),
            (
                "HTTP/1.1 204 N\r\nContent-Length: 3\r\n\r\n",
                Malformed::ContentLengthMisplaced,
            ),
            (
                "HTTP/1.1 200 OK\nContent-Length: 3\r\n\r\n",
                Malformed::LineEnd,
            ),
            (
                "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 3\r\n\r\n",
                Malformed::LineEnd,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\n",
                Malformed::LineEnd,
            ),
            ("\r\nHTTP/1.1 200 OK\r\n\r\n", Malformed::LineEnd),
            ("HTTP/2.0 200 OK\r\n\r\n", Malformed::Version),
            (
                "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
                Malformed::Syntax(httparse::Error::HeaderName),
            ),
            (
                "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
                Malformed::Syntax(httparse::Error::HeaderName),
            ),
            (
                "HTTP/1.1 099 OK\r\n\r\n",
                Malformed::Syntax(httparse::Error::Status),
            ),
        ] {
            assert_eq!(framing(head, false), Err(why), "{head:?}");
        }
    }
}
