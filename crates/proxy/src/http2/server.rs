//! A client's HTTP/2 connection: accepts streams and starts a task for each.
//!
//! Leaves gracefully (GOAWAY, streams go on) when it has been idle for long, when its listener drains,
//! and when it is asked to move; ends at once when the listener is cut. Streams learn of the
//! connection's end from their own reads and writes.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::spawn_local;

use super::rewound::Rewound;
use super::stream::Stream;
use super::{
    CONNECTION_WINDOW, MAX_ERRORS, MAX_HEADER_LIST, MAX_REMEMBERED_RESETS, MAX_STREAMS,
    MAX_UNSEEN_RESETS, REMEMBERS_RESETS, SEND_BUFFER, SMALL_FRAMES, STREAM_WINDOW,
};
use crate::clock::{self, Instant};
use crate::inbound::Inbound;
use crate::listener::{Entered, Listener};
use crate::moving::Move;
use crate::overload::Admitted;
use crate::proxy_protocol::Ends;
use crate::timers::Timer;
use crate::worker::Worker;

/// How long a client without streams may take to leave once it has been told to.
const FAREWELL: Duration = Duration::from_secs(5);

/// Requests that a client may give up, as long as they are the most of its requests. Envoy's number.
const MAX_GIVEN_UP: u64 = 500;

/// What a connection's streams have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) worker: Rc<Worker>,
    pub(super) listener: Rc<Listener>,
    /// Who connected to whom.
    pub(super) ends: Option<Ends>,
    pub(super) peer: SocketAddr,
    timer: Rc<Timer>,
    streams: Cell<usize>,
    /// All that there have been, and those of them that the client gave up.
    begun: Cell<u64>,
    given_up: Cell<u64>,
    last_used: Cell<Instant>,
    /// In the listener's books until the last stream has ended too.
    _entered: Entered,
    _admitted: Admitted,
}

/// One stream's place on its connection.
#[derive(Debug)]
pub(super) struct Place(pub(super) Rc<Shared>);

struct Server<S> {
    shared: Rc<Shared>,
    connection: Connection<S, Bytes>,
    moves: Move,
    is_leaving: bool,
    /// The client has been told that it is no longer wanted.
    is_ended: bool,
}

/// Serves a client that speaks HTTP/2 from its first byte.
pub(crate) async fn serve(worker: Rc<Worker>, listener: Rc<Listener>, inbound: Inbound) {
    let local = inbound.stream.tcp().local_addr().ok();
    let ends = local.map(|local| inbound.peer.ends(local));
    let peer = inbound.peer.remote;
    let stream = Rewound::new(inbound.stream, inbound.early);
    let timer = worker.timers.timer();
    let now = clock::now();
    timer.set(now.checked_add(worker.limits.head_timeout));
    let entered = listener.enter(&timer);
    entered.is_long_lived(&timer);
    let moves = inbound.moves;
    let shared = Rc::new(Shared {
        _entered: entered,
        _admitted: inbound.admitted,
        worker,
        listener,
        ends,
        peer,
        timer,
        streams: Cell::new(0),
        begun: Cell::new(0),
        given_up: Cell::new(0),
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
        moves,
        is_leaving: false,
        is_ended: false,
    };
    while let Some((request, respond)) = poll_fn(|cx| server.poll_next(cx)).await {
        let stream = Stream::new(Place::take(&server.shared), respond);
        // Boxed, since a task moves what it runs when it begins and when it ends.
        spawn_local(Box::pin(stream.serve(request)));
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
        if self.shared.listener.is_draining() && !self.is_leaving {
            self.leave();
            let next = self.farewell(clock::now());
            self.shared.timer.set(next);
        }
        if let Some(at) = self.moves.at(&self.shared.worker, &self.shared.listener)
            && !self.is_leaving
        {
            let now = clock::now();
            let is_due = at <= now;
            if is_due {
                self.leave();
            }
            let next = if is_due { self.farewell(now) } else { Some(at) };
            self.shared.timer.set(next);
        }
        if self.shared.timer.is_expired() && !self.stays() {
            return Poll::Ready(None);
        }
        if self.shared.is_abused() && !std::mem::replace(&mut self.is_ended, true) {
            self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
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

    /// The timer went off. A connection without streams leaves; one that is leaving ends once it has none,
    /// or when its streams have had their time.
    fn stays(&mut self) -> bool {
        let now = clock::now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let is_used = self.shared.streams.get() > 0;
        // The end of the last response may still be on its way to the client.
        let has_rested = !is_used && is_due(self.shared.last_used.get().checked_add(FAREWELL));
        if self.is_leaving && (has_rested || is_due(self.moves.cut_at(&self.shared.worker))) {
            return false;
        }
        let patience = self.shared.worker.limits.keep_alive;
        let idle_at = self.shared.last_used.get().checked_add(patience);
        if !is_used && is_due(idle_at) {
            self.leave();
        }
        self.shared.timer.set(if self.is_leaving {
            self.farewell(now)
        } else if is_used {
            now.checked_add(patience)
        } else {
            idle_at
        });
        true
    }

    /// When to look again whether a connection that is leaving has gone.
    fn farewell(&self, now: Instant) -> Option<Instant> {
        let cut_at = self.moves.cut_at(&self.shared.worker);
        let later = cut_at.filter(|at| *at > now);
        later.into_iter().chain(now.checked_add(FAREWELL)).min()
    }

    /// Says that no new stream will be taken; those that have begun go on.
    fn leave(&mut self) {
        if !std::mem::replace(&mut self.is_leaving, true) {
            self.connection.graceful_shutdown();
        }
    }
}

impl Shared {
    /// Most of very many requests were given up: work for this side, and none for the client.
    fn is_abused(&self) -> bool {
        let given_up = self.given_up.get();
        given_up >= MAX_GIVEN_UP && given_up * 2 > self.begun.get()
    }
}

impl Place {
    /// The client gave the request up before it was answered.
    pub(super) fn is_given_up(&self) {
        self.0.given_up.set(self.0.given_up.get() + 1);
        if self.0.is_abused() {
            self.0.timer.wake();
        }
    }

    fn take(shared: &Rc<Shared>) -> Self {
        shared.streams.set(shared.streams.get() + 1);
        shared.begun.set(shared.begun.get() + 1);
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
        .data_frame_budget(SMALL_FRAMES * CONNECTION_WINDOW as usize)
        .enable_connect_protocol();
    builder
}
