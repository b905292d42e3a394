//! A client's HTTP/2 connection: accepts streams and starts a task for each.
//!
//! Leaves gracefully (GOAWAY, streams go on) when it has been idle for long, when its listener drains,
//! and when it is asked to move; ends at once when the listener is cut. Streams learn of the
//! connection's end from their own reads and writes.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, Connection, SendResponse};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::spawn_local;

use super::rewound::Rewound;
use super::stream::Stream;
use super::{
    CONNECTION_WINDOW, MAX_ERRORS, MAX_HEADER_LIST, MAX_REMEMBERED_RESETS, MAX_STREAMS,
    MAX_UNSEEN_RESETS, REMEMBERS_RESETS, SEND_BUFFER, STREAM_WINDOW,
};
use crate::clock::{self, Instant};
use crate::inbound::Inbound;
use crate::listener::{Entered, Listener};
use crate::timers::Timer;
use crate::worker::Worker;

/// How long a client without streams may take to leave once it has been told to.
const FAREWELL: Duration = Duration::from_secs(5);

/// What a connection's streams have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) worker: Rc<Worker>,
    pub(super) listener: Rc<Listener>,
    timer: Rc<Timer>,
    streams: Cell<usize>,
    last_used: Cell<Instant>,
    /// In the listener's books until the last stream has ended too.
    _entered: Entered,
}

/// One stream's place on its connection.
#[derive(Debug)]
pub(super) struct Place(pub(super) Rc<Shared>);

struct Server<S> {
    shared: Rc<Shared>,
    connection: Connection<S, Bytes>,
    is_leaving: bool,
}

/// Serves a client that speaks HTTP/2 from its first byte.
pub(crate) async fn serve(worker: Rc<Worker>, listener: Rc<Listener>, inbound: Inbound) {
    let stream = Rewound::new(inbound.stream, inbound.early);
    let timer = worker.timers.timer();
    let now = clock::now();
    timer.set(now.checked_add(worker.limits.head_timeout));
    let shared = Rc::new(Shared {
        _entered: listener.enter(&timer),
        worker,
        listener,
        timer,
        streams: Cell::new(0),
        last_used: Cell::new(now),
    });
    let Some(connection) = greet(&shared, stream).await else {
        return;
    };
    shared
        .timer
        .set(clock::now().checked_add(shared.worker.limits.keep_alive));
    let mut server = Server {
        shared,
        connection,
        is_leaving: false,
    };
    while let Some((request, respond)) = poll_fn(|cx| server.poll_next(cx)).await {
        let stream = Stream::new(Place::take(&server.shared), respond);
        spawn_local(stream.serve(request));
    }
}

/// Exchanges prefaces, in the time that a head may take.
async fn greet<S>(shared: &Shared, stream: S) -> Option<Connection<S, Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut handshake = pin!(builder().handshake::<_, Bytes>(stream));
    poll_fn(|cx| {
        shared.timer.wakes(cx.waker());
        if shared.timer.is_expired() || shared.listener.is_cut() {
            return Poll::Ready(None);
        }
        handshake.as_mut().poll(cx).map(Result::ok)
    })
    .await
}

impl<S> Server<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    /// The next stream; `None` when the connection has ended.
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(Request<RecvStream>, SendResponse<Bytes>)>> {
        if self.shared.listener.is_cut() {
            return Poll::Ready(None);
        }
        if self.shared.listener.is_draining() {
            self.leave();
        }
        if self.shared.timer.is_expired() && !self.stays() {
            return Poll::Ready(None);
        }
        match self.connection.poll_accept(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(accepted))) => Poll::Ready(Some(accepted)),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "a client's connection broke");
                Poll::Ready(None)
            }
        }
    }

    /// The timer went off: a connection without streams leaves, and then has a little time to go.
    fn stays(&mut self) -> bool {
        let now = clock::now();
        let patience = self.shared.worker.limits.keep_alive;
        let is_used = self.shared.streams.get() > 0;
        let until = match self.shared.last_used.get().checked_add(patience) {
            Some(until) if !is_used && until <= now => {
                if self.is_leaving {
                    return false;
                }
                self.leave();
                now.checked_add(FAREWELL)
            }
            _ if is_used => now.checked_add(patience),
            until => until,
        };
        self.shared.timer.set(until);
        true
    }

    /// Says that no new stream will be taken; those that have begun go on.
    fn leave(&mut self) {
        if !std::mem::replace(&mut self.is_leaving, true) {
            self.connection.graceful_shutdown();
        }
    }
}

impl Place {
    fn take(shared: &Rc<Shared>) -> Self {
        shared.streams.set(shared.streams.get() + 1);
        Self(Rc::clone(shared))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let shared = &self.0;
        shared.streams.set(shared.streams.get() - 1);
        shared.last_used.set(clock::now());
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MAX_STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(MAX_REMEMBERED_RESETS)
        .reset_stream_duration(REMEMBERS_RESETS)
        .max_pending_accept_reset_streams(MAX_UNSEEN_RESETS)
        .max_local_error_reset_streams(Some(MAX_ERRORS))
        .enable_connect_protocol();
    builder
}
