//! A connection as bytes in and out, in plain text or in TLS; who reads and writes need not know which.
//!
//! Plain text is a TCP socket and nothing more: no memory, no copy and no system call of its own.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;

use crate::tls::TlsStream;

#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream>),
}

impl Stream {
    /// Moves an idle connection of another worker to the event queue of this one.
    pub(crate) fn adopt(self) -> io::Result<Self> {
        Ok(match self {
            Self::Plain(tcp) => Self::Plain(TcpStream::from_std(tcp.into_std()?)?),
            Self::Tls(tls) => Self::Tls(tls.adopt()?),
        })
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.tcp(),
        }
    }

    /// The protocol that a TLS handshake agreed on, if it did.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(tls) => tls.alpn(),
        }
    }

    /// Reads what there is; 0 is the end.
    pub(crate) fn poll_read_bytes(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(tcp) => {
                let mut unfilled = ReadBuf::new(buffer);
                ready!(Pin::new(tcp).poll_read(cx, &mut unfilled))?;
                Poll::Ready(Ok(unfilled.filled().len()))
            }
            Self::Tls(tls) => tls.poll_read(cx, buffer),
        }
    }

    /// Whether bytes that were written wait for the socket to take them; `poll_flush` sends them.
    pub(crate) fn has_unsent(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.has_unsent(),
        }
    }

    /// Says that all has been said, where the end of the connection alone would not say it.
    pub(crate) fn finish(&mut self) {
        if let Self::Tls(tls) = self {
            // What the socket does not take at once is not waited for: the connection is over.
            drop(poll_once(|cx| tls.poll_shutdown(cx)));
        }
    }

    /// Whether the peer has gone: `Ready(false)` says that it sent more instead.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        match self {
            Self::Plain(tcp) => {
                if ready!(tcp.poll_read_ready(cx)).is_err() {
                    return Poll::Ready(true);
                }
                let mut byte = [0];
                match ready!(tcp.poll_peek(cx, &mut ReadBuf::new(&mut byte))) {
                    Ok(0) | Err(_) => Poll::Ready(true),
                    Ok(_) => Poll::Ready(false),
                }
            }
            Self::Tls(tls) => tls.poll_gone(cx),
        }
    }

    /// Whether an idle connection can no longer be used. Readiness seen by earlier polls tells;
    /// the socket itself is asked only where that says that something has come.
    pub(crate) fn is_stale(&mut self) -> bool {
        match self {
            Self::Plain(tcp) => {
                let nothing_came = tcp.try_read(&mut [0]);
                !matches!(nothing_came, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
            }
            // What came may be of the protocol's own: session tickets, new keys.
            Self::Tls(tls) => poll_once(|cx| tls.poll_gone(cx)).is_ready(),
        }
    }
}

/// What can be done at once, however much the task has done in its turn: nobody comes back to ask again.
fn poll_once<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<T> + Unpin) -> Poll<T> {
    let mut polled = unconstrained(poll_fn(poll));
    Pin::new(&mut polled).poll(&mut Context::from_waker(Waker::noop()))
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Self::Tls(tls) => {
                let read = ready!(tls.poll_read(cx, buffer.initialize_unfilled()))?;
                buffer.advance(read);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, bytes),
            Self::Tls(tls) => tls.poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Tls(tls) => tls.poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Tls(tls) => tls.poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;
    use tokio::task::coop;

    async fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await;
        let theirs = listener.accept().await.unwrap().0;
        (Stream::Plain(ours.unwrap()), theirs)
    }

    async fn use_up_the_turn() {
        while coop::has_budget_remaining() {
            coop::consume_budget().await;
        }
    }

    #[tokio::test]
    async fn a_task_that_has_done_much_still_sees_what_was_closed() {
        let (mut closed, theirs) = pair().await;
        let (mut open, _theirs) = pair().await;
        drop(theirs);
        closed.tcp().readable().await.unwrap();
        use_up_the_turn().await;
        assert!(closed.is_stale());
        assert!(!open.is_stale());
        // The way of streams in TLS.
        assert_eq!(poll_once(|cx| closed.poll_gone(cx)), Poll::Ready(true));
        assert!(poll_once(|cx| open.poll_gone(cx)).is_pending());
    }
}
