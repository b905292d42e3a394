//! An HTTP/1.1 side of a translation: a socket whose body is read out of its framing, and framed anew.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::frame::{Broken, Duplex, Frame};
use crate::http1::{Body, Malformed, Trailers, may_be_a_trailer};
use crate::socket::Socket;
use crate::worker::Worker;

/// How much is read at once, and how much is gathered for one write.
const WINDOW: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Http1<'s> {
    pub(super) socket: &'s mut Socket,
    pub(super) worker: Rc<Worker>,
    pub(super) incoming: Body,
    /// The trailer section, as far as it has come.
    pub(super) trailers: Trailers,
    pub(super) outgoing: Outgoing,
    /// What is sent has no other end.
    pub(super) ends_with_connection: bool,
    /// What is sent has no body: data would be read as the next head.
    pub(super) takes_no_data: bool,
    /// To be sent.
    pub(super) output: Vec<u8>,
    closes: bool,
}

/// How a body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outgoing {
    /// By its length, which the head said, or by the connection's end.
    Plain,
    Chunked,
    /// Not at all, and its end is the end of this direction.
    Tunnel,
}

impl<'s> Http1<'s> {
    pub(super) fn new(
        socket: &'s mut Socket,
        worker: &Rc<Worker>,
        incoming: Body,
        outgoing: Outgoing,
    ) -> Self {
        Self {
            socket,
            worker: Rc::clone(worker),
            incoming,
            trailers: Trailers::default(),
            outgoing,
            ends_with_connection: false,
            takes_no_data: false,
            output: worker.buffer(),
            closes: false,
        }
    }

    /// From here on bytes have no meaning.
    pub(super) fn become_tunnel(&mut self) {
        self.incoming = Body::UntilClose;
        self.outgoing = Outgoing::Tunnel;
    }

    /// What of `bytes` belongs to the body, as a piece of it, and how many bytes that took.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<(Option<Frame>, usize), Broken> {
        let (data, used) =
            decode(&mut self.incoming, &mut self.trailers, bytes).map_err(Broken::Malformed)?;
        Ok(((!data.is_empty()).then(|| Frame::Data(data)), used))
    }
}

/// Reads a piece of a body out of its framing.
pub(super) fn decode(
    body: &mut Body,
    trailers: &mut Trailers,
    bytes: &[u8],
) -> Result<(Bytes, usize), Malformed> {
    let mut data = Vec::new();
    let mut whole = Bytes::new();
    let used = match body {
        Body::Chunked(chunked) => chunked.decode_with_trailers(
            bytes,
            |piece| data.extend_from_slice(piece),
            |at| trailers.push(bytes[at]),
        )?,
        other => other.decode(bytes, |piece| whole = Bytes::copy_from_slice(piece))?,
    };
    if whole.is_empty() {
        whole = data.into();
    }
    Ok((whole, used))
}

/// A body that has come whole, out of its framing: its data and its trailers.
pub(crate) fn unframed(
    mut body: Body,
    bytes: &[u8],
) -> Result<(Bytes, Option<HeaderMap>), Malformed> {
    let mut section = Trailers::default();
    let (data, _) = decode(&mut body, &mut section, bytes)?;
    let trailers = match parse_trailers(section.take())? {
        Some(Frame::Trailers(trailers)) => Some(trailers),
        _ => None,
    };
    Ok((data, trailers))
}

impl Drop for Http1<'_> {
    fn drop(&mut self) {
        self.worker.recycle(std::mem::take(&mut self.output));
    }
}

impl Duplex for Http1<'_> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, Broken>> {
        let worker = Rc::clone(&self.worker);
        loop {
            if self.incoming.is_done() {
                let section = self.trailers.take();
                return Poll::Ready(parse_trailers(section).map_err(Broken::Malformed));
            }
            let mut scratch = worker.scratch.borrow_mut();
            let read = match ready!(self.socket.poll_next(cx, &mut scratch[..WINDOW])) {
                Ok(0) if self.incoming == Body::UntilClose => {
                    self.incoming = Body::EMPTY;
                    continue;
                }
                Ok(0) | Err(_) => return Poll::Ready(Err(Broken::Gone)),
                Ok(read) => read,
            };
            let (frame, used) = self.decode(&scratch[..read])?;
            self.socket.unread(&scratch[used..read]);
            if frame.is_some() {
                return Poll::Ready(Ok(frame));
            }
        }
    }

    fn release(&mut self, _bytes: usize) {}

    fn is_ended(&self) -> bool {
        self.incoming.is_done() && self.trailers.is_empty()
    }

    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<Result<usize, Broken>> {
        if self.output.len() >= WINDOW || self.socket.has_unsent() {
            ready!(self.poll_flush(cx))?;
        }
        Poll::Ready(Ok(wanted))
    }

    fn send_data(&mut self, data: Bytes, is_last: bool) -> Result<(), Broken> {
        if self.takes_no_data && !data.is_empty() {
            return Err(Broken::Malformed(Malformed::BodyMisplaced));
        }
        if self.outgoing == Outgoing::Chunked && !data.is_empty() {
            let size = format!("{:x}\r\n", data.len());
            self.output.extend_from_slice(size.as_bytes());
            self.output.extend_from_slice(&data);
            self.output.extend_from_slice(b"\r\n");
        } else {
            self.output.extend_from_slice(&data);
        }
        if is_last { self.end() } else { Ok(()) }
    }

    fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), Broken> {
        if self.outgoing == Outgoing::Chunked {
            self.output.extend_from_slice(b"0\r\n");
            for (name, value) in &trailers {
                if may_be_a_trailer(name.as_str().as_bytes()) {
                    write_line(name.as_str(), value.as_bytes(), &mut self.output);
                }
            }
            self.output.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Broken> {
        match self.outgoing {
            Outgoing::Plain => {}
            Outgoing::Chunked => self.output.extend_from_slice(b"0\r\n\r\n"),
            Outgoing::Tunnel => self.closes = true,
        }
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if !self.output.is_empty() {
            let sent = self.socket.send(cx, &self.output);
            self.output.clear();
            sent.map_err(|_| Broken::Gone)?;
        }
        ready!(self.socket.poll_flush(cx)).map_err(|_| Broken::Gone)?;
        if self.closes {
            ready!(self.socket.poll_shutdown(cx)).map_err(|_| Broken::Gone)?;
        }
        Poll::Ready(Ok(()))
    }
}

pub(super) fn write_line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A chunked body's trailer section, without its last empty line.
fn parse_trailers(mut section: Vec<u8>) -> Result<Option<Frame>, Malformed> {
    if section.is_empty() {
        return Ok(None);
    }
    section.extend_from_slice(b"\r\n");
    let mut lines = [httparse::EMPTY_HEADER; crate::http1::MAX_HEADERS];
    let parsed = httparse::parse_headers(&section, &mut lines)?;
    let httparse::Status::Complete((_, lines)) = parsed else {
        return Err(Malformed::Trailers);
    };
    let mut trailers = HeaderMap::with_capacity(lines.len());
    for line in lines {
        let (name, value) = field(line).ok_or(Malformed::Trailers)?;
        if may_be_a_trailer(name.as_str().as_bytes()) {
            trailers.append(name, value);
        }
    }
    Ok((!trailers.is_empty()).then_some(Frame::Trailers(trailers)))
}

/// A line of a head as HTTP/2 has it, if it can be one.
pub(crate) fn field(line: &httparse::Header<'_>) -> Option<(HeaderName, HeaderValue)> {
    let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
    let value = HeaderValue::from_bytes(line.value).ok()?;
    Some((name, value))
}
