//! What must hold for any bytes at all: for fuzzers, and for property tests near the parsers.
//!
//! Not part of the interface. The invariants: where reads are cut changes nothing, and a head that is
//! sent on means to the next hop what it meant here, with nothing left that was for this hop.
#![expect(
    clippy::panic,
    reason = "a broken invariant is what a fuzzer looks for"
)]

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
}

/// Either refused at any length, or complete at its own length and at no shorter one.
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
