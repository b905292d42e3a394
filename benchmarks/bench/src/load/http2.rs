//! HTTP/2 as the load generator speaks it: framing of its own, requests and answers from a fixed handful of
//! header blocks. Understands all that a proxy may send, as far as lengths and flow control go.

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;

use super::client::Answer;
use super::transport::SERVER_NAME;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD: usize = 9;
/// The largest frame that every peer takes.
const FRAME_BODY: usize = 16_384;
/// What we let the other side send before we have to say anything.
const STREAM_WINDOW: u32 = 16 << 20;
const CONNECTION_WINDOW: u32 = 1 << 30;
const DEFAULT_WINDOW: i64 = 65_535;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;

struct Frame<'b> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'b [u8],
}

fn put_frame(into: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    into.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    into.extend_from_slice(&[kind, flags]);
    into.extend_from_slice(&stream.to_be_bytes());
    into.extend_from_slice(payload);
}

/// The first thing that either side says, but for the client's preface.
fn put_opening(into: &mut Vec<u8>) {
    let mut settings = Vec::new();
    for (name, value) in [
        (MAX_CONCURRENT_STREAMS, 1024),
        (INITIAL_WINDOW_SIZE, STREAM_WINDOW),
    ] {
        settings.extend_from_slice(&name.to_be_bytes());
        settings.extend_from_slice(&value.to_be_bytes());
    }
    put_frame(into, SETTINGS, 0, 0, &settings);
    put_frame(into, WINDOW_UPDATE, 0, 0, &CONNECTION_WINDOW.to_be_bytes());
}

/// Frames out of bytes that are cut anywhere.
#[derive(Default)]
struct Frames {
    partial: Vec<u8>,
}

impl Frames {
    fn take(
        &mut self,
        bytes: &[u8],
        mut act: impl FnMut(Frame<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut joined = std::mem::take(&mut self.partial);
        let mut left = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        while let Some((head, rest)) = left.split_at_checked(FRAME_HEAD) {
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let Some((payload, rest)) = rest.split_at_checked(length) else {
                break;
            };
            act(Frame {
                kind: head[3],
                flags: head[4],
                stream: u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]),
                payload,
            })?;
            left = rest;
        }
        self.partial = left.to_vec();
        Ok(())
    }
}

fn without_padding<'b>(frame: &Frame<'b>) -> io::Result<&'b [u8]> {
    if frame.flags & PADDED == 0 {
        return Ok(frame.payload);
    }
    let whole = frame
        .payload
        .split_first()
        .and_then(|(padding, rest)| rest.get(..rest.len().checked_sub(usize::from(*padding))?));
    whole.ok_or_else(|| io::Error::other("padding longer than its frame"))
}

fn number(payload: &[u8]) -> io::Result<u32> {
    let bytes = payload
        .first_chunk()
        .ok_or_else(|| io::Error::other("a frame too short"))?;
    Ok(u32::from_be_bytes(*bytes))
}

/// What both sides do with frames that belong to the connection. Answers go to `out`.
fn keep_house(frame: &Frame<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    match frame.kind {
        SETTINGS if frame.flags & ACK == 0 => put_frame(out, SETTINGS, ACK, 0, &[]),
        PING if frame.flags & ACK == 0 => put_frame(out, PING, ACK, 0, frame.payload),
        RST_STREAM => {
            let code = number(frame.payload)?;
            return Err(io::Error::other(format!(
                "a stream was reset with code {code}"
            )));
        }
        GOAWAY => {
            let code = number(frame.payload.get(4..).unwrap_or_default())?;
            return Err(io::Error::other(format!(
                "the connection was ended with code {code}"
            )));
        }
        _ => {}
    }
    Ok(())
}

/// The client's side of a connection.
pub(super) struct Requester {
    frames: Frames,
    /// What the next request says after `:authority`, which the other side knows after the first.
    opening: Option<Vec<u8>>,
    next_stream: u32,
    under_way: Vec<Receiving>,
    received: u32,
    pub(super) out: Vec<u8>,
}

struct Receiving {
    stream: u32,
    status: u16,
    letter: Option<u8>,
    length: usize,
}

impl Requester {
    pub(super) fn new() -> Self {
        let mut opening = PREFACE.to_vec();
        put_opening(&mut opening);
        Self {
            frames: Frames::default(),
            opening: Some(opening),
            next_stream: 1,
            under_way: Vec::new(),
            received: 0,
            out: Vec::new(),
        }
    }

    /// Puts a request into `out` and returns its stream.
    pub(super) fn request(&mut self, path: &str, is_secure: bool) -> u32 {
        // `:method: GET`, then `:scheme`, from the static table.
        let mut block = vec![0x82, if is_secure { 0x87 } else { 0x86 }];
        if path == "/" {
            block.push(0x84);
        } else {
            block.extend_from_slice(&[0x04, path.len() as u8]);
            block.extend_from_slice(path.as_bytes());
        }
        match self.opening.take() {
            Some(opening) => {
                self.out.extend_from_slice(&opening);
                // `:authority`, `user-agent` and `accept`, to be remembered as 64, 63 and 62.
                for (name, value) in [(0x41, SERVER_NAME), (0x7a, "serin-bench"), (0x53, "*/*")] {
                    block.extend_from_slice(&[name, value.len() as u8]);
                    block.extend_from_slice(value.as_bytes());
                }
            }
            None => block.extend_from_slice(&[0x80 | 64, 0x80 | 63, 0x80 | 62]),
        }
        let stream = self.next_stream;
        self.next_stream += 2;
        put_frame(
            &mut self.out,
            HEADERS,
            END_STREAM | END_HEADERS,
            stream,
            &block,
        );
        self.under_way.push(Receiving {
            stream,
            status: 0,
            letter: None,
            length: 0,
        });
        stream
    }

    pub(super) fn take(&mut self, bytes: &[u8], answers: &mut Vec<Answer>) -> io::Result<()> {
        let Self {
            frames,
            under_way,
            received,
            out,
            ..
        } = self;
        frames.take(bytes, |frame| {
            keep_house(&frame, out)?;
            if !matches!(frame.kind, DATA | HEADERS) {
                return Ok(());
            }
            let at = under_way
                .iter()
                .position(|receiving| receiving.stream == frame.stream)
                .ok_or_else(|| io::Error::other("an answer to no request"))?;
            let receiving = &mut under_way[at];
            let payload = without_padding(&frame)?;
            if frame.kind == DATA {
                receiving.letter = receiving.letter.or(payload.first().copied());
                receiving.length += payload.len();
                *received += frame.payload.len() as u32;
                if *received > CONNECTION_WINDOW / 2 {
                    put_frame(out, WINDOW_UPDATE, 0, 0, &received.to_be_bytes());
                    *received = 0;
                }
            } else if receiving.status == 0 {
                receiving.status = status(&frame, payload);
            }
            if frame.flags & END_STREAM != 0 {
                let Receiving {
                    stream,
                    status,
                    letter,
                    length,
                } = under_way.swap_remove(at);
                answers.push(Answer {
                    stream,
                    status,
                    letter,
                    length,
                });
            }
            Ok(())
        })
    }
}

/// Of an answer that begins as all do here: with `:status: 200` from the static table, after updates of
/// the dynamic table's size at most. Anything else is 0, a failure.
fn status(frame: &Frame<'_>, payload: &[u8]) -> u16 {
    let priority = if frame.flags & PRIORITY == 0 { 0 } else { 5 };
    let mut block = payload.get(priority..).unwrap_or_default();
    while let [first, rest @ ..] = block {
        if first >> 5 != 0b001 {
            break;
        }
        block = if first & 0x1f == 0x1f {
            let more = rest.iter().take_while(|byte| **byte & 0x80 != 0).count();
            rest.get(more + 1..).unwrap_or_default()
        } else {
            rest
        };
    }
    if block.first() == Some(&0x88) { 200 } else { 0 }
}

/// An upstream's side of a connection.
pub(super) struct Responder {
    preface_left: usize,
    frames: Frames,
    head: Vec<u8>,
    body: Rc<[u8]>,
    /// Streams with an answer to come, and how much of it is sent.
    waiting: VecDeque<Sending>,
    connection_window: i64,
    stream_window: i64,
    pub(super) out: Vec<u8>,
}

struct Sending {
    stream: u32,
    sent: usize,
    window: i64,
    has_head: bool,
}

impl Responder {
    pub(super) fn new(body: Rc<[u8]>) -> Self {
        let length = body.len().to_string();
        // `:status: 200`, `server`, `content-type` and `content-length`, none to be remembered.
        let mut head = vec![0x88];
        for (name, value) in [
            (54 - 15, "bench"),
            (31 - 15, "text/plain"),
            (28 - 15, &length),
        ] {
            head.extend_from_slice(&[0x0f, name, value.len() as u8]);
            head.extend_from_slice(value.as_bytes());
        }
        let mut out = Vec::new();
        put_opening(&mut out);
        Self {
            preface_left: PREFACE.len(),
            frames: Frames::default(),
            head,
            body,
            waiting: VecDeque::new(),
            connection_window: DEFAULT_WINDOW,
            stream_window: DEFAULT_WINDOW,
            out,
        }
    }

    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let skipped = self.preface_left.min(bytes.len());
        self.preface_left -= skipped;
        let Self {
            frames,
            waiting,
            connection_window,
            stream_window,
            out,
            ..
        } = self;
        frames.take(&bytes[skipped..], |frame| {
            match frame.kind {
                // A proxy may give up streams, and ends connections as it likes.
                RST_STREAM => waiting.retain(|sending| sending.stream != frame.stream),
                GOAWAY => {}
                _ => keep_house(&frame, out)?,
            }
            match frame.kind {
                SETTINGS => {
                    for setting in frame.payload.chunks_exact(6) {
                        if setting[..2] == INITIAL_WINDOW_SIZE.to_be_bytes() {
                            let window = i64::from(number(&setting[2..])?);
                            for sending in waiting.iter_mut() {
                                sending.window += window - *stream_window;
                            }
                            *stream_window = window;
                        }
                    }
                }
                WINDOW_UPDATE => {
                    let more = i64::from(number(frame.payload)? & 0x7fff_ffff);
                    let stream = waiting
                        .iter_mut()
                        .find(|sending| sending.stream == frame.stream);
                    match stream {
                        Some(sending) => sending.window += more,
                        None if frame.stream == 0 => *connection_window += more,
                        None => {}
                    }
                }
                DATA | HEADERS if frame.flags & END_STREAM != 0 => waiting.push_back(Sending {
                    stream: frame.stream,
                    sent: 0,
                    window: *stream_window,
                    has_head: false,
                }),
                _ => {}
            }
            Ok(())
        })?;
        self.answer();
        Ok(())
    }

    /// Puts into `out` what the windows let through.
    fn answer(&mut self) {
        let mut at = 0;
        while at < self.waiting.len() {
            let sending = &mut self.waiting[at];
            if !sending.has_head {
                put_frame(
                    &mut self.out,
                    HEADERS,
                    END_HEADERS,
                    sending.stream,
                    &self.head,
                );
                sending.has_head = true;
            }
            loop {
                let left = self.body.len() - sending.sent;
                let window = self.connection_window.min(sending.window).max(0) as usize;
                let here = left.min(FRAME_BODY).min(window);
                if here == 0 && left > 0 {
                    break;
                }
                let flags = if here == left { END_STREAM } else { 0 };
                let part = &self.body[sending.sent..sending.sent + here];
                put_frame(&mut self.out, DATA, flags, sending.stream, part);
                sending.sent += here;
                sending.window -= here as i64;
                self.connection_window -= here as i64;
                if here == left {
                    break;
                }
            }
            if sending.sent == self.body.len() {
                self.waiting.remove(at);
            } else {
                at += 1;
            }
        }
    }
}
