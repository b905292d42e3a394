//! A TCP connection in TLS, for either side: a handshake, then plain bytes in and out.
//!
//! Ciphertext lives in one buffer for each thread while it is acted on. A connection keeps what it must
//! until the next poll: part of a record, what the socket did not take. Idle, it owns no buffer. An end of
//! the connection that the peer did not announce is an error, as it may be an attacker's.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::CertificateError;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::CertificateDer;
use rustls::server::UnbufferedServerConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::session::Session;

/// The plain text of a record is at most this long.
const RECORD: usize = 16 * 1024;
/// More than any record adds to its plain text.
const RECORD_OVERHEAD: usize = 64;
/// Records that are written at once.
const RECORDS: usize = 4;
/// Several records for each system call.
const CIPHERTEXT: usize = RECORDS * (RECORD + RECORD_OVERHEAD);
/// A record, or a handshake's message over several records, may be this long before it is whole.
const MAX_PARTIAL: usize = 80 * 1024;

thread_local! {
    /// Borrowed only inside a poll.
    static SCRATCH: RefCell<Box<[u8]>> =
        RefCell::new(vec![0; MAX_PARTIAL + CIPHERTEXT].into_boxed_slice());
}

#[derive(Debug)]
pub(crate) struct TlsStream {
    tcp: TcpStream,
    session: Session,
    /// Came, and is not a whole record yet.
    incoming: Vec<u8>,
    /// Decrypted, and there was no room for it.
    plain: Vec<u8>,
    /// Encrypted, and not sent yet.
    outgoing: Vec<u8>,
    sent: usize,
    peer_closed: bool,
    closed: bool,
}

impl TlsStream {
    /// The server's side; `early` is what was read from the connection already.
    pub(super) async fn accept(
        tcp: TcpStream,
        session: UnbufferedServerConnection,
        early: Vec<u8>,
    ) -> io::Result<Box<Self>> {
        Self::start(tcp, Session::Server(session), early).await
    }

    pub(super) async fn connect(
        tcp: TcpStream,
        session: UnbufferedClientConnection,
    ) -> io::Result<Box<Self>> {
        Self::start(tcp, Session::Client(session), Vec::new()).await
    }

    async fn start(tcp: TcpStream, session: Session, early: Vec<u8>) -> io::Result<Box<Self>> {
        let mut stream = Box::new(Self {
            tcp,
            session,
            incoming: early,
            plain: Vec::new(),
            outgoing: Vec::new(),
            sent: 0,
            peer_closed: false,
            closed: false,
        });
        stream.advance_kept()?;
        poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_flush(cx))?;
            if !self.session.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if self.peer_closed {
                return Poll::Ready(Err(truncated()));
            }
            ready!(self.poll_fill(cx, &mut []))?;
        }
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// The protocol that both sides agreed on.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        self.session.alpn_protocol()
    }

    pub(super) fn is_resumed(&self) -> bool {
        self.session.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }

    pub(super) fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.session.peer_certificates()
    }

    /// Moves the socket to the event queue of this thread.
    pub(crate) fn adopt(mut self: Box<Self>) -> io::Result<Box<Self>> {
        self.tcp = TcpStream::from_std(self.tcp.into_std()?)?;
        Ok(self)
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if !self.plain.is_empty() {
            let taken = self.plain.len().min(buffer.len());
            buffer[..taken].copy_from_slice(&self.plain[..taken]);
            self.plain.drain(..taken);
            return Poll::Ready(Ok(taken));
        }
        while !self.peer_closed && !buffer.is_empty() {
            let filled = ready!(self.poll_fill(cx, buffer))?;
            if filled > 0 {
                return Poll::Ready(Ok(filled));
            }
        }
        Poll::Ready(Ok(0))
    }

    /// Reads from the socket once, and decrypts to `buffer`; what it has no room for is kept.
    fn poll_fill(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.plain.is_empty() && self.plain.capacity() > 0 {
            self.plain = Vec::new();
        }
        let kept = self.incoming.len();
        if kept > MAX_PARTIAL {
            let too_long = "a TLS message is too long";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, too_long)));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let room = CIPHERTEXT.min(buffer.len().max(RECORD + RECORD_OVERHEAD));
            let mut unfilled = ReadBuf::new(&mut scratch[kept..kept + room]);
            ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut unfilled))?;
            let read = unfilled.filled().len();
            if read == 0 {
                return Poll::Ready(Err(truncated()));
            }
            scratch[..kept].copy_from_slice(&self.incoming);
            let input = &mut scratch[..kept + read];
            let mut filled = 0;
            let plain = &mut self.plain;
            let progress = self.session.advance(input, &mut self.outgoing, |record| {
                let fits = record.len().min(buffer.len() - filled);
                buffer[filled..filled + fits].copy_from_slice(&record[..fits]);
                filled += fits;
                plain.extend_from_slice(&record[fits..]);
            });
            let answered = self.poll_flush(cx);
            let progress = progress.map_err(invalid)?;
            // Where the answer cannot be sent, what was read is still true.
            drop(answered);
            self.peer_closed |= progress.peer_closed;
            self.keep(&scratch[progress.consumed..kept + read]);
            Poll::Ready(Ok(filled))
        })
    }

    fn keep(&mut self, rest: &[u8]) {
        self.incoming.clear();
        if rest.is_empty() {
            self.incoming = Vec::new();
        } else {
            self.incoming.extend_from_slice(rest);
        }
    }

    /// Acts on what was read already.
    fn advance_kept(&mut self) -> io::Result<()> {
        let plain = &mut self.plain;
        let progress = self
            .session
            .advance(&mut self.incoming, &mut self.outgoing, |record| {
                plain.extend_from_slice(record);
            })
            .map_err(invalid)?;
        self.peer_closed |= progress.peer_closed;
        self.incoming.drain(..progress.consumed);
        Ok(())
    }

    /// Encrypts as much as a few records hold; what the socket does not take is kept.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx))?;
        self.advance_kept()?;
        let taken = bytes.len().min(RECORDS * RECORD);
        SCRATCH.with_borrow_mut(|scratch| {
            let encrypted = self
                .session
                .encrypt(&mut self.incoming, &bytes[..taken], scratch)
                .map_err(invalid)?;
            self.send(cx, &scratch[..encrypted])?;
            Poll::Ready(Ok(taken))
        })
    }

    /// Sends what the socket takes now, after what it is owed already.
    fn send(&mut self, cx: &mut Context<'_>, mut bytes: &[u8]) -> io::Result<()> {
        while self.outgoing.is_empty() && !bytes.is_empty() {
            match Pin::new(&mut self.tcp).poll_write(cx, bytes)? {
                Poll::Ready(written) => bytes = &bytes[written..],
                Poll::Pending => break,
            }
        }
        self.outgoing.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn has_unsent(&self) -> bool {
        !self.outgoing.is_empty()
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.outgoing.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while self.sent < self.outgoing.len() {
            let rest = &self.outgoing[self.sent..];
            self.sent += ready!(Pin::new(&mut self.tcp).poll_write(cx, rest))?;
        }
        self.outgoing = Vec::new();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closed {
            self.closed = true;
            self.advance_kept()?;
            SCRATCH.with_borrow_mut(|scratch| {
                let length = self
                    .session
                    .close(&mut self.incoming, scratch)
                    .map_err(invalid)?;
                self.send(cx, &scratch[..length])
            })?;
        }
        ready!(self.poll_flush(cx))?;
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    /// Whether the peer has gone: `Ready(false)` says that it sent more instead, which is kept.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            if !self.plain.is_empty() {
                return Poll::Ready(false);
            }
            if self.peer_closed || ready!(self.poll_fill(cx, &mut [])).is_err() {
                return Poll::Ready(true);
            }
        }
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    let text = match &error {
        // Shown as people read it, which rustls leaves to whoever made it.
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => other.0.to_string(),
        _ => return io::Error::new(io::ErrorKind::InvalidData, error),
    };
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn truncated() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the peer closed the connection without ending its TLS session",
    )
}
