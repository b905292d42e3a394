//! Requests that go to both arms of a split: the client gets the response of the arm that was drawn, the
//! other one is read to its end and thrown away.
//!
//! Whether a request is mirrored is decided before its arm is drawn, and then it is evidence only as one of
//! a pair (`counters`): which of the two arms answers the client would otherwise tell something about those
//! that are left. The copy is carried like any request, retries included, on a task of its own; its
//! body must have come with its head, and it says what it is in `x-serin-mirror`. A worker carries so
//! many copies at once and no more: beyond that requests are not mirrored, and counted.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::spawn_local;

use crate::admission::Exchange;
use crate::clock::Instant;
use crate::exchange::{self, Downstream, Failure, Finished, Tries, Upstream, outcome_of};
use crate::http1::{Body, fields, response};
use crate::http2::{self, Lease};
use crate::listener::Listener;
use crate::proxy_protocol::Ends;
use crate::socket::Socket;
use crate::timers::Timer;
use crate::translate::unframed;
use crate::worker::Worker;

/// Longer ones are not copied.
const LONGEST_BODY: usize = 64 * 1024;

/// Of one worker, at once.
const MOST_COPIES: u32 = 100;

/// A request without a limit of its own may not hold a copy for ever.
const LONGEST_TRY: Duration = Duration::from_secs(60);

/// How many copies a worker carries.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    under_way: Rc<Cell<u32>>,
    dropped: Cell<u64>,
}

/// A copy's place among them.
#[derive(Debug)]
pub(crate) struct Place(Rc<Cell<u32>>);

impl Copies {
    /// `None` when there is no room.
    pub(crate) fn place(&self) -> Option<Place> {
        let copies = self.under_way.get();
        if copies >= MOST_COPIES {
            self.dropped.set(self.dropped.get() + 1);
            return None;
        }
        self.under_way.set(copies + 1);
        Some(Place(Rc::clone(&self.under_way)))
    }

    /// How often there was none.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.get()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// A request's second life.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) exchange: Box<Exchange>,
    pub(crate) place: Place,
}

/// Nobody waits for it.
pub(crate) fn send(client: &impl Downstream, copy: Copy) {
    let worker = client.worker();
    let mut nobody = Nobody {
        worker: Rc::clone(worker),
        listener: Rc::clone(client.listener()),
        timer: worker.timers.timer(),
        ends: client.ends(),
    };
    spawn_local(async move {
        exchange::carry(&mut nobody, copy.exchange).await;
        drop(copy.place);
    });
}

/// Who gets the responses of copies.
struct Nobody {
    worker: Rc<Worker>,
    listener: Rc<Listener>,
    timer: Rc<Timer>,
    /// Of the connection that the request came on.
    ends: Option<Ends>,
}

impl Downstream for Nobody {
    type Then = ();

    fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    fn listener(&self) -> &Rc<Listener> {
        &self.listener
    }

    fn timer(&self) -> &Rc<Timer> {
        &self.timer
    }

    fn ends(&self) -> Option<Ends> {
        self.ends
    }

    fn poll_gone(&mut self, _cx: &mut Context<'_>) -> Poll<bool> {
        Poll::Pending
    }

    async fn relay(
        &mut self,
        upstream: &mut Upstream,
        exchange: &mut Exchange,
        tries: &mut Tries,
        _now: Instant,
    ) -> Result<Finished, Failure> {
        let per_try = exchange.retry().and_then(|policy| policy.per_try_timeout);
        let limit = exchange.per_request.unwrap_or(LONGEST_TRY);
        let answer = async {
            match upstream {
                Upstream::Http1(socket) => self.discard(socket, exchange, tries).await,
                Upstream::Http2(lease) => discard_stream(lease, exchange).await,
            }
        };
        match tokio::time::timeout(per_try.unwrap_or(limit).min(limit), answer).await {
            Ok(answer) => answer,
            Err(_) if per_try.is_some_and(|per_try| per_try < limit) => Err(Failure::TryTimeout),
            Err(_) => Err(Failure::Timeout),
        }
    }

    fn finish(&mut self, _exchange: &Exchange, _keeps_client: bool, _now: Instant) {}

    async fn tunnel(&mut self, _upstream: Upstream, _exchange: &mut Exchange) {}

    async fn fail(&mut self, _exchange: &Exchange, _has_answered: bool, _failure: &Failure) {}
}

impl Nobody {
    async fn discard(
        &self,
        socket: &mut Socket,
        exchange: &Exchange,
        tries: &mut Tries,
    ) -> Result<Finished, Failure> {
        let mut is_unsent = true;
        let mut answer: Option<Answer> = None;
        poll_fn(|cx| {
            if is_unsent {
                let sent = socket.send(cx, &exchange.request);
                sent.map_err(|_| Failure::Broken { unsent: true })?;
                is_unsent = false;
            }
            let broken = Failure::Broken { unsent: false };
            if ready!(socket.poll_flush(cx)).is_err() {
                return Poll::Ready(Err(broken));
            }
            let worker = Rc::clone(&self.worker);
            let mut scratch = worker.scratch.borrow_mut();
            let mut come = socket.take_unread(&mut scratch);
            loop {
                let used = match &mut answer {
                    None => take_head(&scratch[..come], exchange, tries, &mut answer)?,
                    Some((_, _, body)) => body
                        .advance(&scratch[..come])
                        .map_err(Failure::BadResponse)?,
                };
                scratch.copy_within(used..come, 0);
                come -= used;
                if let Some((status, keeps_upstream, body)) = &answer
                    && body.is_done()
                {
                    return Poll::Ready(Ok(Finished {
                        outcome: outcome_of(*status),
                        keeps_client: false,
                        keeps_upstream: *keeps_upstream && come == 0,
                        is_switched: false,
                    }));
                }
                if used > 0 && come > 0 {
                    continue;
                }
                match socket.poll_read(cx, &mut scratch[come..]) {
                    Poll::Pending => {
                        socket.unread(&scratch[..come]);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(read)) if read > 0 => come += read,
                    Poll::Ready(_) => match &mut answer {
                        Some((_, _, body)) if *body == Body::UntilClose => *body = Body::EMPTY,
                        _ => return Poll::Ready(Err(broken)),
                    },
                }
            }
        })
        .await
    }
}

/// Its status, whether the connection can be used again, and what is to come of the body.
type Answer = (u16, bool, Body);

/// Returns how much of `come` was a head: 0 until one is whole.
fn take_head(
    come: &[u8],
    exchange: &Exchange,
    tries: &mut Tries,
    answer: &mut Option<Answer>,
) -> Result<usize, Failure> {
    let mut lines = fields::no_lines();
    let parsed = response::parse(come, exchange.client.to_head, &mut lines);
    let Some(head) = parsed.map_err(Failure::BadResponse)? else {
        return Ok(0);
    };
    if !head.is_interim() {
        let (status, outcome) = (head.status, outcome_of(head.status));
        if tries.retries_answer(exchange, status, None, || head.says_overloaded()) {
            return Err(Failure::RetriedStatus { status, outcome });
        }
        *answer = Some((status, head.keeps_alive(), head.body));
    }
    Ok(head.bytes.len())
}

async fn discard_stream(lease: &mut Lease, exchange: &Exchange) -> Result<Finished, Failure> {
    let (head, rest) = exchange.request.split_at(exchange.head_length);
    // It came from HTTP/1.1, whose chunks mean nothing in HTTP/2: they would be part of the content.
    let (body, trailers) = unframed(exchange.framing, rest).map_err(Failure::BadBody)?;
    let request = http2::request::from_head(head, exchange, lease.address)?;
    let unsent = |_| Failure::Broken { unsent: true };
    let broken = |_| Failure::Broken { unsent: false };
    poll_fn(|cx| lease.channel.poll_ready(cx))
        .await
        .map_err(unsent)?;
    let (answer, mut outgoing) = lease
        .channel
        .send_request(request, body.is_empty() && trailers.is_none())
        .map_err(unsent)?;
    if !body.is_empty() {
        let is_last = trailers.is_none();
        outgoing.send_data(body, is_last).map_err(broken)?;
    }
    if let Some(trailers) = trailers {
        outgoing.send_trailers(trailers).map_err(broken)?;
    }
    let answer = answer.await.map_err(broken)?;
    let status = answer.status().as_u16();
    let mut incoming = answer.into_body();
    while let Some(data) = incoming.data().await {
        let length = data.map_err(broken)?.len();
        let released = incoming.flow_control().release_capacity(length);
        released.map_err(broken)?;
    }
    Ok(Finished {
        outcome: outcome_of(status),
        keeps_client: false,
        keeps_upstream: true,
        is_switched: false,
    })
}

/// Whether a request of this kind is sent twice where its route says so.
pub(crate) fn takes(mirror: &view::Mirror, method: &str, body: usize) -> bool {
    body <= LONGEST_BODY && mirror.methods.iter().any(|known| known == method)
}

/// Lets the head at the end of `request` say that it is a copy's.
pub(crate) fn mark(request: &mut Vec<u8>) {
    request.truncate(request.len().saturating_sub(b"\r\n".len()));
    request.extend_from_slice(b"x-serin-mirror: 1\r\n\r\n");
}
