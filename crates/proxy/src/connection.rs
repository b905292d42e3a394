//! One client connection's life: request after request, in order, both sides driven by one task.
//!
//! A pipelined request waits in the socket, or in what was read too early, until the response before it
//! has been sent whole. A connection without a request owns no buffer.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::admission::{Admission, Client, Exchange, admit};
use crate::clock::{self, Instant};
use crate::exchange::{self, Downstream, Failure, Finished, Tries, Upstream};
use crate::http1::MAX_HEAD;
use crate::http2;
use crate::inbound::{Inbound, Peer};
use crate::listener::{Entered, Listener};
use crate::moving::Move;
use crate::overload::Admitted;
use crate::proxy_protocol::Ends;
use crate::relay::Relay;
use crate::reply::Reply;
use crate::socket::Socket;
use crate::switch::Switch;
use crate::timers::Timer;
use crate::translate::{self, Service, Translation};
use crate::tunnel;
use crate::worker::Worker;

/// How long and how much a client may go on sending after its last response. Closing while it sends
/// would reset the connection, and with it a response it has not read yet.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) worker: Rc<Worker>,
    pub(crate) listener: Rc<Listener>,
    pub(crate) client: Socket,
    pub(crate) peer: Peer,
    pub(crate) timer: Rc<Timer>,
    /// Nothing has been read yet.
    is_fresh: bool,
    head_is_partial: bool,
    leaves_when_idle: bool,
    moves: Move,
    /// Keeps the connection in its listener's books.
    entered: Entered,
    admitted: Admitted,
}

/// What comes after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    NextRequest,
    Close,
    /// Close, but the client may still be sending.
    Linger,
}

enum Next {
    Carry(Box<Exchange>),
    Answer {
        reply: Reply,
        client: Client,
        then: Then,
    },
    /// The client speaks HTTP/2 and said so first.
    Http2,
    Close,
}

pub(crate) async fn serve(worker: Rc<Worker>, listener: Rc<Listener>, inbound: Inbound) {
    let timer = worker.timers.timer();
    poll_fn(|cx| {
        timer.wakes(cx.waker());
        Poll::Ready(())
    })
    .await;
    timer.set(clock::now().checked_add(worker.limits.keep_alive));
    let entered = listener.enter(&timer);
    let mut connection = Connection {
        worker,
        listener,
        client: Socket::with_unread(inbound.stream, inbound.early),
        peer: inbound.peer,
        moves: inbound.moves,
        timer,
        is_fresh: true,
        head_is_partial: false,
        leaves_when_idle: false,
        entered,
        admitted: inbound.admitted,
    };
    let mut then = Then::NextRequest;
    while then == Then::NextRequest {
        then = match poll_fn(|cx| connection.poll_next(cx)).await {
            Next::Carry(exchange) => exchange::carry(&mut connection, exchange).await,
            Next::Answer {
                reply,
                client,
                then,
            } => connection.answer(&reply, client, then).await,
            // In a box: connections that stay with HTTP/1.1 keep no room for it.
            Next::Http2 => return Box::pin(connection.upgrade()).await,
            Next::Close => {
                connection.client.finish();
                Then::Close
            }
        };
    }
    if then == Then::Linger {
        connection.linger().await;
    }
}

impl Downstream for Connection {
    type Then = Then;

    fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    fn listener(&self) -> &Rc<Listener> {
        &self.listener
    }

    fn ends(&self) -> Option<Ends> {
        Some(self.peer.ends(self.client.local_address().ok()?))
    }

    fn timer(&self) -> &Rc<Timer> {
        &self.timer
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.client.poll_gone(cx)
    }

    async fn relay(
        &mut self,
        upstream: &mut Upstream,
        exchange: &mut Exchange,
        tries: &mut Tries,
        now: Instant,
    ) -> Result<Finished, Failure> {
        match upstream {
            Upstream::Http1(socket) => Relay::new(self, socket, exchange, tries, now).run().await,
            Upstream::Http2(lease) => {
                let leaves = self.is_leaving();
                let may_last = exchange.client.switch.is_some();
                let client =
                    translate::Client::http1(&self.worker, &mut self.client, exchange, leaves)
                        .map_err(Failure::BadBody)?;
                let (listener, timer) = (&self.listener, &self.timer);
                let service = Service::http2(lease);
                let translation =
                    Translation::new(listener, timer, client, service, exchange, tries, now);
                // In a box: few connections lead to HTTP/2 services.
                let relaying = Box::pin(translation.run());
                if !may_last {
                    return relaying.await;
                }
                self.entered.is_long_lived(&self.timer);
                let (worker, listener) = (Rc::clone(&self.worker), Rc::clone(&self.listener));
                let overstays = Box::pin(self.moves.overstays(&worker, &listener));
                tokio::select! {
                    finished = relaying => finished,
                    () = overstays => Err(Failure::Cut),
                }
            }
        }
    }

    fn finish(&mut self, exchange: &Exchange, keeps_client: bool, now: Instant) -> Then {
        if keeps_client {
            self.client.release_memory();
            self.timer
                .set(now.checked_add(self.worker.limits.keep_alive));
            Then::NextRequest
        } else {
            self.client.finish();
            Then::closing(exchange)
        }
    }

    async fn tunnel(&mut self, upstream: Upstream, exchange: &mut Exchange) -> Then {
        let Upstream::Http1(socket) = upstream else {
            return Then::Close;
        };
        self.entered.is_long_lived(&self.timer);
        let (worker, listener) = (Rc::clone(&self.worker), Rc::clone(&self.listener));
        // In a box: few connections become tunnels.
        let overstays = Box::pin(self.moves.overstays(&worker, &listener));
        let (idle, log) = (exchange.idle, exchange.log.as_deref_mut());
        tokio::select! {
            () = tunnel::run(self, socket, idle, log) => {}
            () = overstays => {}
        }
        Then::Close
    }

    async fn fail(&mut self, exchange: &Exchange, has_answered: bool, failure: &Failure) -> Then {
        match failure.status() {
            Some(status) if !has_answered => {
                let client = exchange.client;
                let keeps = client.keeps_alive && exchange.body.is_done();
                let then = if keeps && !self.is_leaving() {
                    Then::NextRequest
                } else {
                    Then::closing(exchange)
                };
                self.answer(&Reply::new(status, failure), client, then)
                    .await
            }
            _ => Then::Close,
        }
    }
}

impl Then {
    fn closing(exchange: &Exchange) -> Self {
        let client = exchange.client;
        let may_have_spoken = client.switch == Some(Switch::Tunnel) || !exchange.body.is_done();
        if client.keeps_alive || may_have_spoken {
            Self::Linger
        } else {
            Self::Close
        }
    }
}

impl Connection {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let worker = Rc::clone(&self.worker);
        loop {
            if self.listener.is_cut() {
                return Poll::Ready(Next::Close);
            }
            let mut scratch = worker.scratch.borrow_mut();
            let kept = self.client.take_unread(&mut scratch);
            let mut filled = kept;
            if kept == 0 || self.head_is_partial {
                match self.client.poll_read(cx, &mut scratch[filled..]) {
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Next::Close),
                    Poll::Ready(Ok(read)) => filled += read,
                    Poll::Pending => {
                        self.client.unread(&scratch[..filled]);
                        return self.wait();
                    }
                }
            }
            let input = &scratch[..filled];
            if self.is_fresh && http2::is_preface(input) {
                self.client.unread(input);
                return Poll::Ready(Next::Http2);
            }
            // A head that trickles in is looked at line by line, not byte by byte.
            if self.head_is_partial && filled <= MAX_HEAD && !input[kept..].contains(&b'\n') {
                self.client.unread(input);
                continue;
            }
            let mut admission = if self.is_fresh && http2::may_become_preface(input) {
                None
            } else {
                admit(&worker, &self.listener, input)
            };
            if let Some(log) = admission.as_mut().and_then(Admission::log) {
                log.client = Some(self.peer.remote);
            }
            let (next, length) = match admission {
                None => {
                    self.client.unread(input);
                    if !std::mem::replace(&mut self.head_is_partial, true) {
                        self.timer
                            .set(clock::now().checked_add(worker.limits.head_timeout));
                    }
                    continue;
                }
                Some(Admission::Carry { exchange, length }) => (Next::Carry(exchange), length),
                Some(Admission::Answer {
                    reply,
                    client,
                    length,
                    ..
                }) => {
                    let keeps = client.keeps_alive && !self.is_leaving();
                    let (then, length) = match length {
                        Some(length) if keeps => (Then::NextRequest, length),
                        Some(length) if !client.keeps_alive => (Then::Close, length),
                        Some(length) => (Then::Linger, length),
                        None => (Then::Linger, filled),
                    };
                    (
                        Next::Answer {
                            reply,
                            client,
                            then,
                        },
                        length,
                    )
                }
            };
            self.is_fresh = false;
            self.head_is_partial = false;
            self.client.unread(&input[length..]);
            return Poll::Ready(next);
        }
    }

    /// Nothing to read: time may be up, or this listener may be closing.
    fn wait(&mut self) -> Poll<Next> {
        if self.timer.is_expired() {
            return Poll::Ready(if self.head_is_partial {
                let reply = Reply::new(408, "the request's head did not come in time");
                Next::Answer {
                    reply,
                    client: Client::UNKNOWN,
                    then: Then::Linger,
                }
            } else {
                Next::Close
            });
        }
        if self.listener.is_draining() && !self.head_is_partial && !self.leaves_when_idle {
            self.leaves_when_idle = true;
            self.timer
                .set(clock::now().checked_add(self.listener.idle_grace()));
        }
        Poll::Pending
    }

    /// Whether the next response is the connection's last.
    pub(crate) fn is_leaving(&mut self) -> bool {
        self.listener.is_draining() || self.moves.is_due(&self.worker, &self.listener)
    }

    /// Goes on in HTTP/2, from its preface.
    async fn upgrade(self) {
        let (stream, early) = self.client.into_parts();
        let peer = self.peer;
        let inbound = Inbound {
            stream,
            early,
            peer,
            moves: self.moves,
            admitted: self.admitted,
        };
        // It enters anew, and counts once.
        drop(self.entered);
        http2::serve(self.worker, self.listener, inbound).await;
    }

    /// Sends a response of the proxy's own.
    async fn answer(&mut self, reply: &Reply, client: Client, then: Then) -> Then {
        let bytes = reply.to_bytes(client.to_head, then != Then::NextRequest, !client.is_11);
        let now = clock::now();
        let patience = if then == Then::NextRequest {
            self.worker.limits.keep_alive
        } else {
            LINGER
        };
        self.timer.set(now.checked_add(patience));
        let mut unsent = Some(bytes);
        let sent = poll_fn(|cx| {
            if let Some(bytes) = unsent.take() {
                self.client.send(cx, &bytes)?;
            }
            if self.timer.is_expired() || self.listener.is_cut() {
                return Poll::Ready(Err(std::io::ErrorKind::TimedOut.into()));
            }
            self.client.poll_flush(cx)
        })
        .await;
        if sent.is_err() {
            return Then::Close;
        }
        if then == Then::Close {
            self.client.finish();
        }
        then
    }

    /// Says that nothing more will come, and waits for the client to see it.
    async fn linger(&mut self) {
        self.timer.set(clock::now().checked_add(LINGER));
        let mut left = LINGER_BYTES;
        let worker = Rc::clone(&self.worker);
        poll_fn(|cx| {
            // First, as a client that stops reading may keep the farewell itself from being sent.
            if self.timer.is_expired() || self.listener.is_cut() {
                return Poll::Ready(());
            }
            if self.client.poll_shutdown(cx).is_pending() {
                return Poll::Pending;
            }
            let mut scratch = worker.scratch.borrow_mut();
            while left > 0 {
                match ready!(self.client.poll_read(cx, &mut scratch)) {
                    Ok(0) | Err(_) => break,
                    Ok(read) => left = left.saturating_sub(read),
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}
