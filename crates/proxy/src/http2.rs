//! HTTP/2 on both sides (RFC 9113), on the `h2` crate; nothing else in the proxy knows that crate's limits.
//!
//! A client's connection is one task and each of its streams another, all on one thread. A request is
//! said again as an HTTP/1.1 head and goes the way of all others; what cannot be said so is refused.
//! Every limit here bounds what a hostile peer can make this side keep or do.

mod channel;
pub(crate) mod request;
mod rewound;
mod server;
mod stream;

use std::time::Duration;

pub(crate) use channel::{Channels, Lease};
pub(crate) use server::serve;

/// What a client that speaks HTTP/2 from the start sends first (RFC 9113 section 3.4), as far as it is
/// a head that HTTP/1.1 would refuse.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// Streams that a peer may have open at once on one connection.
const MAX_STREAMS: u32 = 256;
/// How much of one body may be on its way to this side.
const STREAM_WINDOW: u32 = 256 * 1024;
/// How much of all bodies of a connection may be: bounds what a connection makes this side keep.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What DATA frames that wait here unread may cost beside their content, for each byte of the connection's
/// window, at 256 bytes for a frame: small ones fill no window, and each is kept on its own. Frames of 52 bytes
/// and more never come to it, so that whoever sends messages piece by piece may be kept waiting by the other
/// side. More ends the connection.
const SMALL_FRAMES: usize = 4;
/// How much of one body may wait in this side for the peer to take it.
const SEND_BUFFER: usize = 128 * 1024;
/// How large a head may be once it is unpacked; as for HTTP/1.1.
const MAX_HEADER_LIST: u32 = crate::http1::MAX_HEAD as u32;
/// Streams that the peer opened and reset before they were looked at. More end the connection.
const MAX_UNSEEN_RESETS: usize = 20;
/// Streams that this side reset for the peer's errors. More end the connection.
const MAX_ERRORS: usize = 256;
/// Reset streams that are remembered, as frames for them may still be under way, and for how long.
const MAX_REMEMBERED_RESETS: usize = 64;
const REMEMBERS_RESETS: Duration = Duration::from_secs(1);

pub(crate) fn is_preface(input: &[u8]) -> bool {
    input.starts_with(PREFACE)
}

/// Whether more has to come to tell.
pub(crate) fn may_become_preface(input: &[u8]) -> bool {
    input.len() < PREFACE.len() && PREFACE.starts_with(input)
}
