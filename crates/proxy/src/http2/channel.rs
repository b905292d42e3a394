//! A worker's HTTP/2 connections to one endpoint: few, shared by many requests, opened on demand.
//!
//! A request joins an open connection that has room, or one that is being opened. A connection that
//! broke, is leaving, or is old gets no new streams; it goes when its last stream has ended. A peer that
//! no longer answers pings while streams wait for it is given up.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::{
    MAX_ERRORS, MAX_HEADER_LIST, MAX_REMEMBERED_RESETS, REMEMBERS_RESETS, SEND_BUFFER,
    SMALL_FRAMES, STREAM_WINDOW,
};
use crate::clock::{self, Instant};
use crate::exchange::Failure;

/// Streams on a connection at most, and as long as its peer has not said how many it takes.
const MAX_STREAMS: usize = 100;
/// Room for all that its streams may have on their way: clients that are slow shall not stop the others.
const SHARED_WINDOW: u32 = STREAM_WINDOW * MAX_STREAMS as u32;
/// A connection older than this gets no new streams, so that load finds its way to new endpoints.
const MAX_AGE: Duration = Duration::from_secs(600);
/// How often a peer with streams is asked for a sign of life, and how long it may take to give one.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Streams of its own that the service may open: none, as nobody asks for pushes.
const NO_STREAMS: u32 = 0;

#[derive(Debug, Default)]
pub(crate) struct Channels {
    all: RefCell<Vec<Rc<Channel>>>,
    /// Nobody sweeps here any more.
    is_retired: Cell<bool>,
}

#[derive(Debug)]
struct Channel {
    state: RefCell<State>,
    /// The state is no longer `Opening`.
    opened: Notify,
    /// The peer has answered something, and so has said its settings before.
    is_greeted: Cell<bool>,
    /// It has, or is gone.
    greeted: Notify,
    streams: Cell<usize>,
    since: Instant,
    idle_since: Cell<Instant>,
    /// To end with its last stream.
    is_retired: Cell<bool>,
}

#[derive(Debug)]
enum State {
    Opening,
    Open(SendRequest<Bytes>),
    /// What every request that waited for it is told.
    Failed {
        endpoint: String,
        kind: std::io::ErrorKind,
        reason: String,
    },
    Closed,
}

/// One request's place on a connection.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) channel: SendRequest<Bytes>,
    pub(crate) address: SocketAddr,
    place: Place,
}

#[derive(Debug)]
struct Place(Rc<Channel>);

impl Channels {
    /// A place on a connection, and whether that was open before. `shuns_pool`: a connection that was
    /// has just let this request down.
    pub(crate) async fn lease<S, C>(
        &self,
        address: SocketAddr,
        shuns_pool: bool,
        connect: impl FnOnce() -> C,
    ) -> Result<(Lease, bool), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        C: Future<Output = Result<S, Failure>> + 'static,
    {
        let now = clock::now();
        self.all.borrow_mut().retain(|channel| !channel.is_closed());
        let found = {
            let all = self.all.borrow();
            let with_room = |channel: &&Rc<Channel>| {
                channel.has_room(now) && !(shuns_pool && channel.is_open())
            };
            all.iter().find(with_room).cloned()
        };
        let channel = match found {
            Some(channel) => channel,
            None => {
                let channel = Rc::new(Channel::new(now, self.is_retired.get()));
                self.all.borrow_mut().push(Rc::clone(&channel));
                spawn_local(Rc::clone(&channel).run(connect()));
                channel
            }
        };
        let was_open = channel.is_open();
        let place = Place::take(channel);
        let channel = place.0.ready().await?;
        let lease = Lease {
            channel,
            address,
            place,
        };
        Ok((lease, was_open))
    }

    /// Closes what has had no stream since before `oldest`.
    pub(crate) fn sweep(&self, oldest: Instant) {
        self.all.borrow_mut().retain(|channel| {
            let is_used = channel.streams.get() > 0 || channel.idle_since.get() >= oldest;
            if !is_used {
                channel.retire();
            }
            is_used
        });
    }

    /// Connections end with their last stream, those too that a request under way opens yet.
    pub(crate) fn retire(&self) {
        self.is_retired.set(true);
        for channel in self.all.borrow_mut().drain(..) {
            channel.retire();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.borrow().is_empty()
    }
}

impl Lease {
    /// Whether streams may become WebSockets (RFC 8441 section 3), once the peer's settings have come.
    pub(crate) async fn takes_websockets(&self) -> Result<bool, Failure> {
        let channel = &self.place.0;
        loop {
            let greeted = channel.greeted.notified();
            if channel.is_greeted.get() {
                return Ok(self.channel.is_extended_connect_protocol_enabled());
            }
            if channel.is_closed() {
                return Err(Failure::Broken { unsent: true });
            }
            greeted.await;
        }
    }
}

impl Channel {
    fn new(now: Instant, is_retired: bool) -> Self {
        Self {
            state: RefCell::new(State::Opening),
            opened: Notify::new(),
            is_greeted: Cell::new(false),
            greeted: Notify::new(),
            streams: Cell::new(0),
            since: now,
            idle_since: Cell::new(now),
            is_retired: Cell::new(is_retired),
        }
    }

    fn is_open(&self) -> bool {
        matches!(*self.state.borrow(), State::Open(_))
    }

    fn is_closed(&self) -> bool {
        matches!(*self.state.borrow(), State::Closed | State::Failed { .. })
    }

    /// Streams that have begun go on; the connection ends with the last.
    fn close(&self) {
        let mut state = self.state.borrow_mut();
        if matches!(*state, State::Open(_)) {
            *state = State::Closed;
        }
    }

    /// Closes it, or what it becomes once it has opened and served those who wait for it.
    fn retire(&self) {
        self.is_retired.set(true);
        self.close();
    }

    fn close_if_forgotten(&self) {
        if self.is_retired.get() && self.streams.get() == 0 {
            self.close();
        }
    }

    /// Whether it takes one more stream now. One that never will again is closed.
    fn has_room(&self, now: Instant) -> bool {
        let is_old = now.duration_since(self.since) > MAX_AGE;
        let room = match &mut *self.state.borrow_mut() {
            State::Opening => Some(MAX_STREAMS),
            State::Open(sender) if !is_old => {
                (!is_leaving(sender)).then(|| sender.current_max_send_streams().min(MAX_STREAMS))
            }
            _ => None,
        };
        if room.is_none() {
            self.close();
        }
        room.is_some_and(|room| self.streams.get() < room)
    }

    async fn ready(&self) -> Result<SendRequest<Bytes>, Failure> {
        loop {
            let opened = self.opened.notified();
            match &*self.state.borrow() {
                State::Opening => {}
                State::Open(sender) => return Ok(sender.clone()),
                State::Failed {
                    endpoint,
                    kind,
                    reason,
                } => {
                    return Err(Failure::Connect {
                        endpoint: endpoint.clone(),
                        source: std::io::Error::new(*kind, reason.clone()),
                    });
                }
                State::Closed => return Err(Failure::Broken { unsent: true }),
            }
            opened.await;
        }
    }

    async fn run<S>(self: Rc<Self>, connecting: impl Future<Output = Result<S, Failure>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let opened = match connecting.await {
            Ok(stream) => builder()
                .handshake::<_, Bytes>(stream)
                .await
                .map_err(|error| State::Failed {
                    endpoint: String::new(),
                    kind: std::io::ErrorKind::ConnectionReset,
                    reason: error.to_string(),
                }),
            Err(Failure::Connect { endpoint, source }) => Err(State::Failed {
                endpoint,
                kind: source.kind(),
                reason: source.to_string(),
            }),
            Err(other) => Err(State::Failed {
                endpoint: String::new(),
                kind: std::io::ErrorKind::Other,
                reason: other.to_string(),
            }),
        };
        let connection = match opened {
            Ok((sender, connection)) => {
                *self.state.borrow_mut() = State::Open(sender);
                Some(connection)
            }
            Err(failed) => {
                *self.state.borrow_mut() = failed;
                None
            }
        };
        self.opened.notify_waiters();
        self.close_if_forgotten();
        if let Some(connection) = connection {
            self.drive(connection).await;
            self.close();
            self.greeted.notify_waiters();
        }
    }

    /// Until the connection has ended, or its peer stopped answering; then its streams learn it by the
    /// connection's being dropped.
    async fn drive<S>(&self, mut connection: Connection<S, Bytes>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut pings = connection.ping_pong();
        let mut connection = pin!(connection);
        let greeting = pings
            .as_mut()
            .map(|pings| pings.send_ping(h2::Ping::opaque()));
        let mut awaits_pong = matches!(greeting, Some(Ok(())));
        let mut next = clock::now() + PING_TIMEOUT;
        loop {
            let mut alarm = pin!(tokio::time::sleep_until(next));
            let ended = poll_fn(|cx| {
                if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection to a service broke");
                    }
                    return Poll::Ready(true);
                }
                if let Some(pings) = &mut pings
                    && awaits_pong
                    && pings.poll_pong(cx).is_ready()
                {
                    awaits_pong = false;
                    self.is_greeted.set(true);
                    self.greeted.notify_waiters();
                }
                alarm.as_mut().poll(cx).map(|()| false)
            })
            .await;
            if ended || awaits_pong {
                return;
            }
            next = clock::now() + PING_INTERVAL;
            if self.streams.get() > 0
                && let Some(pings) = &mut pings
                && pings.send_ping(h2::Ping::opaque()).is_ok()
            {
                awaits_pong = true;
                next = clock::now() + PING_TIMEOUT;
            }
        }
    }
}

impl Place {
    fn take(channel: Rc<Channel>) -> Self {
        channel.streams.set(channel.streams.get() + 1);
        Self(channel)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let streams = self.0.streams.get() - 1;
        self.0.streams.set(streams);
        if streams == 0 {
            self.0.idle_since.set(clock::now());
            self.0.close_if_forgotten();
        }
    }
}

/// Whether the peer is leaving, or has left.
fn is_leaving(sender: &mut SendRequest<Bytes>) -> bool {
    let polled = sender.poll_ready(&mut Context::from_waker(Waker::noop()));
    matches!(polled, Poll::Ready(Err(_)))
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .max_concurrent_streams(NO_STREAMS)
        .initial_max_send_streams(MAX_STREAMS)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(SHARED_WINDOW)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_reset_streams(MAX_REMEMBERED_RESETS)
        .reset_stream_duration(REMEMBERS_RESETS)
        .max_local_error_reset_streams(Some(MAX_ERRORS))
        .data_frame_budget(SMALL_FRAMES * SHARED_WINDOW as usize);
    builder
}
