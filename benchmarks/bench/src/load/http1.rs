//! HTTP/1.1 as the load generator speaks it: requests without bodies, one under way on a connection;
//! answers with a `Content-Length`.

use std::io;
use std::rc::Rc;

use super::client::Answer;
use super::transport::SERVER_NAME;

pub(super) fn request(path: &str) -> Rc<[u8]> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {SERVER_NAME}\r\nUser-Agent: serin-bench\r\nAccept: */*\r\n\r\n"
    )
    .into_bytes()
    .into()
}

/// What an upstream answers with, whole.
pub(super) fn response(letter: u8, length: usize) -> Rc<[u8]> {
    let mut bytes = format!(
        "HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    bytes.resize(bytes.len() + length, letter);
    bytes.into()
}

/// Reads one answer after the other.
#[derive(Default)]
pub(super) struct Answers {
    /// A head that is not whole yet.
    head: Vec<u8>,
    body: Option<Body>,
}

struct Body {
    status: u16,
    letter: Option<u8>,
    length: usize,
    left: usize,
}

impl Answers {
    pub(super) fn take(&mut self, mut bytes: &[u8], answers: &mut Vec<Answer>) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.body.is_none() {
                let Some(read) = self.take_head(bytes)? else {
                    return Ok(());
                };
                bytes = &bytes[read..];
            }
            let Some(body) = &mut self.body else {
                return Ok(());
            };
            let here = body.left.min(bytes.len());
            body.letter = body.letter.or(bytes[..here].first().copied());
            body.left -= here;
            bytes = &bytes[here..];
            if body.left == 0 {
                answers.push(Answer {
                    stream: 0,
                    status: body.status,
                    letter: body.letter,
                    length: body.length,
                });
                self.body = None;
            }
        }
        Ok(())
    }

    /// How many of the bytes belong to the head, if it is whole now.
    fn take_head(&mut self, bytes: &[u8]) -> io::Result<Option<usize>> {
        let before = self.head.len();
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut response = httparse::Response::new(&mut fields);
        if before > 0 {
            self.head.extend_from_slice(bytes);
        }
        let head = if before > 0 { &self.head[..] } else { bytes };
        let parsed = response.parse(head).map_err(io::Error::other)?;
        let httparse::Status::Complete(end) = parsed else {
            if before == 0 {
                self.head.extend_from_slice(bytes);
            }
            return Ok(None);
        };
        let length = response
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case("content-length"))
            .and_then(|field| std::str::from_utf8(field.value).ok()?.parse().ok())
            .ok_or_else(|| io::Error::other("an answer without a length"))?;
        self.body = Some(Body {
            status: response.code.unwrap_or_default(),
            letter: None,
            length,
            left: length,
        });
        self.head.clear();
        Ok(Some(end - before))
    }
}

/// Counts requests in what a proxy sends to an upstream.
#[derive(Default)]
pub(super) struct Requests {
    /// How much of the empty line that ends a head has been seen.
    matched: usize,
}

const END: &[u8; 4] = b"\r\n\r\n";

impl Requests {
    pub(super) fn count(&mut self, mut bytes: &[u8]) -> usize {
        let mut requests = 0;
        while self.matched > 0 && !bytes.is_empty() {
            self.matched = match (bytes[0] == END[self.matched], bytes[0] == b'\r') {
                (true, _) => self.matched + 1,
                (false, true) => 1,
                (false, false) => 0,
            };
            bytes = &bytes[1..];
            if self.matched == END.len() {
                self.matched = 0;
                requests += 1;
            }
        }
        let mut rest = bytes;
        while let Some(at) = memchr::memmem::find(rest, END) {
            requests += 1;
            rest = &rest[at + END.len()..];
        }
        if !rest.is_empty() {
            self.matched = (1..END.len())
                .rev()
                .find(|&length| rest.ends_with(&END[..length]))
                .unwrap_or(0);
        }
        requests
    }
}

#[cfg(test)]
mod tests {
    use super::Requests;

    #[test]
    fn requests_are_counted_wherever_they_are_cut() {
        let bytes = b"GET / HTTP/1.1\r\nA: b\r\n\r\nGET /\r\r\n\r\n\r\n\r\n";
        let whole = Requests::default().count(bytes);
        assert_eq!(whole, 3);
        for cut in 0..bytes.len() {
            for end in cut..bytes.len() {
                let mut requests = Requests::default();
                let parts = [&bytes[..cut], &bytes[cut..end], &bytes[end..]];
                let counted: usize = parts.iter().map(|part| requests.count(part)).sum();
                assert_eq!(counted, whole, "cut at {cut} and {end}");
            }
        }
    }
}
