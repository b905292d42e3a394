//! What must hold for any bytes at all: for fuzzers, and for property tests near the parsers.
//!
//! Not part of the interface. The invariants: where reads are cut changes nothing, and a head that is
//! sent on means to the next hop what it meant here, with nothing left that was for this hop.
#![expect(
    clippy::panic,
    reason = "a broken invariant is what a fuzzer looks for"
)]

use std::time::{Duration, SystemTime};

use crate::access_log;
use crate::http1::chunked::Chunked;
use crate::http1::fields::no_lines;
use crate::http1::{Body, Malformed, Trailers, may_be_a_trailer, request, response};
use crate::http2;
use crate::proxy_protocol;
use crate::route::path;

pub fn request_head(bytes: &[u8]) {
    let mut lines = no_lines();
    let whole = request::parse(bytes, &mut lines);
    for cut in [
        bytes.len() / 3,
        bytes.len() / 2,
        bytes.len().saturating_sub(1),
    ] {
        let mut lines = no_lines();
        match (request::parse(&bytes[..cut], &mut lines), &whole) {
            (Ok(None), _) | (Err(_), Err(_)) => {}
            (Ok(Some(early)), Ok(Some(whole))) => assert_eq!(early.length, whole.length),
            (early, whole) => panic!("{early:?} at {cut}, but {whole:?}"),
        }
    }
    let Ok(Some(head)) = whole else { return };
    let mut next_hop = Vec::new();
    head.rewrite(
        &path::normalize(&head.target.path_and_query),
        None,
        &mut next_hop,
    );
    let mut lines = no_lines();
    match request::parse(&next_hop, &mut lines) {
        Ok(Some(again)) => {
            assert_eq!((again.method, again.body()), (head.method, head.body()));
            assert_eq!(again.length, next_hop.len());
            assert_eq!(again.target.authority, head.target.authority);
            assert_eq!(again.fields.websocket, head.fields.websocket);
            assert!(again.fields.dropped == 0 || again.fields.websocket);
        }
        other => panic!(
            "{other:?} of what was sent on: {:?}",
            String::from_utf8_lossy(&next_hop)
        ),
    }
}

pub fn response_head(bytes: &[u8]) {
    let mut lines = no_lines();
    let Ok(Some(head)) = response::parse(bytes, false, &mut lines) else {
        return;
    };
    let mut to_client = Vec::new();
    head.rewrite(&[], false, &mut to_client);
    let mut lines = no_lines();
    match response::parse(&to_client, false, &mut lines) {
        Ok(Some(again)) => {
            assert_eq!(again.status, head.status);
            assert_eq!(again.body, head.body);
            assert_eq!(again.bytes.len(), to_client.len());
            assert!(again.is_clean());
        }
        other => panic!(
            "{other:?} of what was sent on: {:?}",
            String::from_utf8_lossy(&to_client)
        ),
    }
}

/// The first byte says how long the pieces are that the rest comes in.
pub fn chunked_body(bytes: &[u8]) {
    let Some((&piece, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = decode(std::iter::once(bytes));
    assert_eq!(whole, decode(bytes.chunks(usize::from(piece).max(1))));
    let passed_on = pass(std::iter::once(bytes));
    assert_eq!(
        passed_on,
        pass(bytes.chunks(usize::from(piece).max(1))),
        "what goes on depends on how it came"
    );
    let (Ok(passed_on), Ok((data, _, true))) = (passed_on, whole) else {
        return;
    };
    let mut section = Vec::new();
    let mut again = Vec::new();
    let used = Chunked::new().decode_with_trailers(
        &passed_on,
        |piece| again.extend_from_slice(piece),
        |at| section.push(passed_on[at]),
    );
    assert_eq!((used, again), (Ok(passed_on.len()), data));
    for line in section.split(|&byte| byte == b'\n') {
        assert!(may_be_a_trailer(
            line.split(|&byte| byte == b':').next().unwrap_or(line)
        ));
    }
}

/// What the next hop gets of a chunked body.
fn pass<'b>(pieces: impl Iterator<Item = &'b [u8]>) -> Result<Vec<u8>, Malformed> {
    let (mut body, mut trailers) = (Body::chunked(), Trailers::default());
    let mut out = Vec::new();
    for piece in pieces {
        let passed = body.pass(piece, None, &mut trailers)?;
        out.extend_from_slice(&piece[..passed.as_is]);
        out.extend_from_slice(&passed.trailers);
        if passed.used < piece.len() {
            break;
        }
    }
    Ok(out)
}

/// Either refused at any length, or complete at its own length and at no shorter one.
pub fn proxy_header(bytes: &[u8]) {
    let whole = proxy_protocol::parse(bytes);
    if let Ok(Some((_, length))) = whole {
        assert!(length <= bytes.len());
        assert_eq!(proxy_protocol::parse(&bytes[..length]), whole);
        assert_eq!(proxy_protocol::parse(&bytes[..length - 1]), Ok(None));
    }
    for cut in 0..bytes.len().min(64) {
        match (proxy_protocol::parse(&bytes[..cut]), whole) {
            (Ok(None), _) => {}
            (early, whole) => assert_eq!(early, whole, "at {cut}"),
        }
    }
}

/// Idempotent, and never with less or more of a query than there was.
pub fn path_normalize(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    let normal = path::normalize(text);
    let query = |text: &str| text.split_once('?').map(|(_, query)| query.to_owned());
    assert_eq!(path::normalize(&normal), normal);
    assert_eq!(query(&normal), query(text));
}

/// A format is refused, or writes bounded lines.
pub fn access_log_format(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(format) = access_log::Format::compile(&view::AccessLogFormat::Text(text.to_owned())) {
        let line = format.times(SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123));
        assert!(line.len() <= 300 * text.len(), "{} bytes", line.len());
    }
}

/// A request of HTTP/2, said in HTTP/1.1, is that request and nothing beside it. The lines are its method,
/// its target, its authority and its fields; the first byte says whether a body follows.
pub fn http2_request_head(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else {
        return;
    };
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (method, target, authority) = (next(), next(), next());
    let uri = http::Uri::builder()
        .scheme("http")
        .authority(authority)
        .path_and_query(target)
        .build();
    let request = http::Request::builder()
        .method(method)
        .uri(uri.unwrap_or_default());
    let request = lines.fold(request, |request, line| {
        let (name, value) = line.split_at(line.iter().position(|&byte| byte == b'=').unwrap_or(0));
        request.header(name, value.get(1..).unwrap_or_default())
    });
    let Ok(request) = request.body(()) else {
        return;
    };
    let (parts, ()) = request.into_parts();
    let is_whole = first & 1 == 0;
    let mut head = Vec::new();
    if http2::request::write_head(&parts, is_whole, None, &mut head).is_err() {
        return;
    }
    let mut lines = no_lines();
    // What HTTP/1.1 cannot say is refused by the same parser.
    let Ok(Some(again)) = request::parse(&head, &mut lines) else {
        return;
    };
    assert_eq!(again.length, head.len());
    assert_eq!(again.method, parts.method.as_str());
    assert_eq!(
        again.fields.is_chunked(),
        !is_whole && again.fields.content_length.is_none() && !again.is_connect()
    );
    for line in again.lines {
        let is_own = matches!(
            line.name,
            "host" | "cookie" | "content-length" | "transfer-encoding"
        );
        assert!(
            is_own
                || parts
                    .headers
                    .get_all(line.name)
                    .iter()
                    .any(|value| value.as_bytes() == line.value),
            "{line:?} in {:?}",
            String::from_utf8_lossy(&head)
        );
    }
}

/// The data, how many bytes were the body's, and whether it has ended.
pub(crate) fn decode<'b>(
    pieces: impl Iterator<Item = &'b [u8]>,
) -> Result<(Vec<u8>, usize, bool), Malformed> {
    let mut chunked = Chunked::new();
    let (mut data, mut used) = (Vec::new(), 0);
    for piece in pieces {
        let here = chunked.decode(piece, |bytes| data.extend_from_slice(bytes))?;
        used += here;
        if here < piece.len() {
            break;
        }
    }
    Ok((data, used, chunked.is_done()))
}
