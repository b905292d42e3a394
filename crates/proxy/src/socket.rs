//! One side of an exchange: a stream, what was read from it too early, and what it is still owed.
//!
//! Bytes live in the worker's scratch buffer while they are acted on; only what cannot be acted on at
//! once is copied here. Between requests both buffers are empty and own no memory.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::AsyncWrite;

use crate::bind;
use crate::stream::Stream;

#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
}

impl Socket {
    pub(crate) fn new(stream: Stream) -> Self {
        Self::with_unread(stream, Vec::new())
    }

    /// `input` was read from the stream already.
    pub(crate) fn with_unread(stream: Stream, input: Vec<u8>) -> Self {
        Self {
            stream,
            input,
            output: Vec::new(),
            sent: 0,
        }
    }

    /// Moves an idle socket of another worker to the event queue of this one.
    pub(crate) fn adopt(self) -> io::Result<Self> {
        Ok(Self::new(self.stream.adopt()?))
    }

    /// The stream, and what was read from it too early.
    pub(crate) fn into_parts(self) -> (Stream, Vec<u8>) {
        (self.stream, self.input)
    }

    /// Gives back the memory that a slow peer made necessary.
    pub(crate) fn release_memory(&mut self) {
        if self.output.capacity() > 0 && self.output.is_empty() {
            self.output = Vec::new();
        }
    }

    /// Puts bytes back that were read but belong to what is read next.
    pub(crate) fn unread(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    pub(crate) fn has_unread(&self) -> bool {
        !self.input.is_empty()
    }

    /// Takes back what was put back: copies it to the start of `buffer`, returns how much that is.
    pub(crate) fn take_unread(&mut self, buffer: &mut [u8]) -> usize {
        if self.input.is_empty() {
            return 0;
        }
        let input = std::mem::take(&mut self.input);
        let taken = input.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&input[..taken]);
        self.input.extend_from_slice(&input[taken..]);
        taken
    }

    /// Reads from the socket alone; 0 is its end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.stream.poll_read_bytes(cx, buffer)
    }

    /// Reads what was put back, or from the socket where nothing was.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self.take_unread(buffer) {
            0 => self.poll_read(cx, buffer),
            taken => Poll::Ready(Ok(taken)),
        }
    }

    /// Writes what the socket takes now; `poll_flush` writes the rest. True if it took everything.
    pub(crate) fn send(&mut self, cx: &mut Context<'_>, mut bytes: &[u8]) -> io::Result<bool> {
        while self.output.is_empty() && !bytes.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, bytes)? {
                Poll::Ready(written) => bytes = &bytes[written..],
                Poll::Pending => break,
            }
        }
        self.output.extend_from_slice(bytes);
        Ok(!self.has_unsent())
    }

    pub(crate) fn has_unsent(&self) -> bool {
        !self.output.is_empty() || self.stream.has_unsent()
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.output.len() {
            let rest = &self.output[self.sent..];
            self.sent += ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
        }
        self.output.clear();
        self.sent = 0;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    pub(crate) fn local_address(&self) -> io::Result<SocketAddr> {
        self.stream.tcp().local_addr()
    }

    /// Finds out, in minutes, that the peer is gone without a word.
    pub(crate) fn keep_alive(&self) {
        if let Err(error) = bind::keep_alive(socket2::SockRef::from(self.stream.tcp())) {
            tracing::debug!(%error, "a connection was gone before it could be watched");
        }
    }

    /// Makes the coming end of this connection a reset: an orderly one would pass for the end of what was
    /// to be said.
    pub(crate) fn abort(&self) {
        if let Err(error) =
            socket2::SockRef::from(self.stream.tcp()).set_linger(Some(Duration::ZERO))
        {
            tracing::debug!(%error, "a connection was gone before it could be reset");
        }
    }

    /// Says that all has been said, before the connection is closed.
    pub(crate) fn finish(&mut self) {
        self.stream.finish();
    }

    /// Whether the peer has gone: `Ready(false)` says that it sent more instead.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.stream.poll_gone(cx)
    }

    /// Whether an idle connection can no longer be used.
    pub(crate) fn is_stale(&mut self) -> bool {
        self.stream.is_stale()
    }
}
