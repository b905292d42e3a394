//! One try of a request from HTTP/1.1 to HTTP/1.1: up goes the request, down comes the response.
//!
//! Both directions run in one poll. Bytes are read into the worker's scratch buffer, counted off and
//! written onward before the poll returns; a side that is slow to take them stops the reading on the
//! other, so a body of any size passes in constant memory.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use view::observe::Outcome;

use crate::admission::Exchange;
use crate::clock::{self, Instant};
use crate::connection::Connection;
use crate::exchange::{Expired, Failure, Finished, Times, Tries, outcome_of};
use crate::http1::response::{self, ResponseHead};
use crate::http1::{Body, Malformed, Passed, Trailers, fields};
use crate::overload::is_too_long;
use crate::socket::Socket;
use crate::sticky::header;
use crate::switch::Switch;
use crate::worker::{HEADROOM, Worker};

/// How much is read at once for a side that did not take the last read whole.
const SLOW_WINDOW: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Relay<'r> {
    connection: &'r mut Connection,
    upstream: &'r mut Socket,
    exchange: &'r mut Exchange,
    tries: &'r mut Tries,
    upload: Upload,
    response: Response,
    /// The client knows the end of the response's body by the connection's.
    ends_with_connection: bool,
    /// Of the response.
    trailers: Trailers,
    /// Nothing of the request has left yet.
    is_unsent: bool,
    watches_client: bool,
    client_is_slow: bool,
    times: Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upload {
    Running,
    Done,
    /// The service takes no more; it may have answered already.
    Refused,
}

#[derive(Debug)]
enum Response {
    Awaited,
    Body {
        head: Answered,
        body: Body,
        unchunks: bool,
    },
    Switched,
}

/// What is still needed of a response's head.
#[derive(Clone, Copy, Debug)]
struct Answered {
    status: u16,
    keeps_client: bool,
    keeps_upstream: bool,
}

impl<'r> Relay<'r> {
    pub(crate) fn new(
        connection: &'r mut Connection,
        upstream: &'r mut Socket,
        exchange: &'r mut Exchange,
        tries: &'r mut Tries,
        now: Instant,
    ) -> Self {
        let times = Times::new(exchange, exchange.body.is_done(), now);
        connection.timer.set(times.next());
        Self {
            connection,
            upstream,
            exchange,
            tries,
            upload: Upload::Running,
            response: Response::Awaited,
            ends_with_connection: false,
            trailers: Trailers::default(),
            is_unsent: true,
            watches_client: true,
            client_is_slow: false,
            times,
        }
    }

    pub(crate) async fn run(mut self) -> Result<Finished, Failure> {
        let relayed = poll_fn(|cx| self.poll(cx)).await;
        if relayed.is_err() {
            self.mark_as_cut_off();
        }
        relayed
    }

    /// A body that ends with the connection must not seem whole because the connection ends.
    fn mark_as_cut_off(&self) {
        if self.ends_with_connection {
            self.connection.client.abort();
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Finished, Failure>> {
        if self.connection.listener.is_cut() {
            return Poll::Ready(Err(Failure::Cut));
        }
        if self.connection.timer.is_expired() {
            self.check_times()?;
        }
        if self.upload == Upload::Running
            && let Poll::Ready(upload) = self.poll_upload(cx)?
        {
            self.upload = upload;
        }
        if let Poll::Ready(finished) = self.poll_download(cx)? {
            return Poll::Ready(Ok(finished));
        }
        // A client that has closed its side has left, as with Envoy; one that sends more has not.
        if self.upload != Upload::Running && self.watches_client {
            match self.connection.client.poll_gone(cx) {
                Poll::Ready(true) => return Poll::Ready(Err(Failure::Cancelled)),
                Poll::Ready(false) => self.watches_client = false,
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<Result<Upload, Failure>> {
        if self.is_unsent {
            if self.upstream.send(cx, &self.exchange.request).is_err() {
                return Poll::Ready(Err(Failure::Broken { unsent: true }));
            }
            self.is_unsent = false;
        }
        let worker = Rc::clone(&self.connection.worker);
        loop {
            if ready!(self.upstream.poll_flush(cx)).is_err() {
                return Poll::Ready(Ok(Upload::Refused));
            }
            if self.exchange.body.is_done() {
                if self.times.request_is_whole(self.exchange) {
                    self.connection.timer.set(self.times.next());
                }
                return Poll::Ready(Ok(Upload::Done));
            }
            let client = &mut self.connection.client;
            let mut scratch = worker.scratch.borrow_mut();
            let read = match ready!(client.poll_next(cx, &mut scratch)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(Failure::Cancelled)),
                Ok(read) => read,
            };
            self.times.moved = true;
            let bytes = &scratch[..read];
            let Exchange {
                body,
                trailers,
                log,
                received,
                longest_body,
                ..
            } = &mut *self.exchange;
            let passed = body
                .pass(bytes, Some(received), trailers)
                .map_err(Failure::BadBody)?;
            if let Some(log) = log {
                log.received = *received;
            }
            if is_too_long(*received, *longest_body) {
                return Poll::Ready(Err(Failure::BadBody(Malformed::BodyTooLong)));
            }
            client.unread(&bytes[passed.used..]);
            if self.upstream.send(cx, &bytes[..passed.as_is]).is_err()
                || self.upstream.send(cx, &passed.trailers).is_err()
            {
                return Poll::Ready(Ok(Upload::Refused));
            }
        }
    }

    fn poll_download(&mut self, cx: &mut Context<'_>) -> Poll<Result<Finished, Failure>> {
        loop {
            if ready!(self.connection.client.poll_flush(cx)).is_err() {
                return Poll::Ready(Err(Failure::Cancelled));
            }
            if let Some(finished) = self.finished() {
                return Poll::Ready(Ok(finished));
            }
            match self.response {
                Response::Awaited => ready!(self.poll_head(cx))?,
                _ => ready!(self.poll_body(cx))?,
            }
            self.times.moved = true;
        }
    }

    fn finished(&self) -> Option<Finished> {
        let head = match &self.response {
            Response::Body { head, body, .. } if body.is_done() => *head,
            Response::Switched => {
                return Some(Finished {
                    outcome: Outcome::Success,
                    keeps_client: false,
                    keeps_upstream: false,
                    is_switched: true,
                });
            }
            _ => return None,
        };
        Some(Finished {
            outcome: outcome_of(head.status),
            keeps_client: head.keeps_client && self.exchange.body.is_done(),
            keeps_upstream: head.keeps_upstream
                && self.upload == Upload::Done
                && !self.upstream.has_unread(),
            is_switched: false,
        })
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let worker = Rc::clone(&self.connection.worker);
        let mut scratch = worker.scratch.borrow_mut();
        let kept = self.upstream.take_unread(&mut scratch[HEADROOM..]);
        let read = match self.upstream.poll_read(cx, &mut scratch[HEADROOM + kept..]) {
            Poll::Pending => {
                self.upstream.unread(&scratch[HEADROOM..HEADROOM + kept]);
                return Poll::Pending;
            }
            Poll::Ready(Ok(0) | Err(_)) => {
                return Poll::Ready(Err(Failure::Broken { unsent: false }));
            }
            Poll::Ready(Ok(read)) => read,
        };
        let end = HEADROOM + kept + read;
        let mut at = HEADROOM;
        // Interim responses may come with the final one.
        while matches!(self.response, Response::Awaited) {
            match self.take_head(cx, &worker, &mut scratch[..end], at)? {
                Some(taken) => at += taken,
                None => {
                    self.upstream.unread(&scratch[at..end]);
                    break;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends the head at `at` onward, with what has come of its body. Returns how much that was, or
    /// `None` until the head is whole.
    fn take_head(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        scratch: &mut [u8],
        at: usize,
    ) -> Result<Option<usize>, Failure> {
        let mut lines = fields::no_lines();
        let to_head = self.exchange.client.to_head;
        let parsed = response::parse(&scratch[at..], to_head, &mut lines);
        let Some(mut head) = parsed.map_err(Failure::BadResponse)? else {
            return Ok(None);
        };
        let length = head.bytes.len();
        if head.is_interim() {
            // HTTP/1.0 knows no interim responses.
            if self.exchange.client.is_11 {
                let mut rewritten = worker.buffer();
                head.rewrite(&[], false, &mut rewritten);
                let sent = self.connection.client.send(cx, &rewritten);
                sent.map_err(|_| Failure::Cancelled)?;
                worker.recycle(rewritten);
            }
            return Ok(Some(length));
        }
        let overloaded = || head.says_overloaded();
        if self
            .tries
            .retries_answer(self.exchange, head.status, None, overloaded)
        {
            return Err(Failure::RetriedStatus {
                status: head.status,
                outcome: outcome_of(head.status),
            });
        }
        self.times.has_answered();

        let granted = self.exchange.client.switch;
        let granted = granted.filter(|switch| switch.is_granted_by(&head));
        if granted.is_some() {
            head.begin_tunnel();
        }
        let (answered, unchunks, of_the_hop) = self.answer(&head, granted)?;
        if let Some(log) = &mut self.exchange.log {
            log.answered(head.status, clock::now(), |name| {
                Some(String::from_utf8_lossy(header(head.lines, name).next()?))
            });
        }
        let set_cookie = self.exchange.set_cookie.take();
        let set_cookie = set_cookie.map(|cookie| format!("set-cookie: {cookie}\r\n"));
        let additions = [of_the_hop, set_cookie.as_deref().unwrap_or_default()];
        let adds = additions.iter().any(|addition| !addition.is_empty());
        let mut body = head.body;
        let rewritten = (!head.is_clean() || adds || unchunks).then(|| {
            let mut rewritten = worker.buffer();
            head.rewrite(&additions, unchunks, &mut rewritten);
            rewritten
        });

        // The rewritten head goes right in front of the body, so that one write takes both.
        let body_at = at + length;
        let mut head_at = at;
        if let Some(rewritten) = rewritten {
            head_at = body_at.saturating_sub(rewritten.len());
            scratch[head_at..body_at].copy_from_slice(&rewritten);
            worker.recycle(rewritten);
        }
        if granted.is_some() {
            self.response = Response::Switched;
            if let Some(log) = &mut self.exchange.log {
                log.sent += (scratch.len() - body_at) as u64;
            }
            self.send(cx, &scratch[head_at..])?;
            return Ok(Some(scratch.len() - at));
        }
        // Before anything is sent: what came with the head may be malformed already.
        self.ends_with_connection = unchunks || body == Body::UntilClose;
        let rest = &scratch[body_at..];
        let used = if unchunks {
            self.send(cx, &scratch[head_at..body_at])?;
            self.send_unchunked(cx, &mut body, rest)?
        } else {
            let passed = self.pass(&mut body, rest)?;
            self.send(cx, &scratch[head_at..body_at + passed.as_is])?;
            self.send(cx, &passed.trailers)?;
            passed.used
        };
        self.upstream.unread(&rest[used..]);
        self.response = Response::Body {
            head: answered,
            body,
            unchunks,
        };
        Ok(Some(scratch.len() - at))
    }

    /// What this response means for both connections, and what its head must say about it.
    fn answer(
        &mut self,
        head: &ResponseHead<'_, '_>,
        granted: Option<Switch>,
    ) -> Result<(Answered, bool, &'static str), Failure> {
        let client = self.exchange.client;
        let unchunks = !client.is_11 && head.fields.is_chunked();
        let keeps_client = client.keeps_alive
            && head.body != Body::UntilClose
            && !unchunks
            && !self.connection.is_leaving();
        let of_the_hop = match (granted, head.status, keeps_client) {
            (Some(switch), _, _) => switch.granting_lines(),
            (None, 101, _) => return Err(Failure::BadResponse(Malformed::SwitchedUnasked)),
            (None, _, false) => "connection: close\r\n",
            (None, _, true) if !client.is_11 => "connection: keep-alive\r\n",
            (None, _, true) => "",
        };
        let answered = Answered {
            status: head.status,
            keeps_client,
            // Who was asked to become something else may be about to.
            keeps_upstream: head.keeps_alive() && client.switch.is_none(),
        };
        Ok((answered, unchunks, of_the_hop))
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let Response::Body {
            head,
            mut body,
            unchunks,
        } = self.response
        else {
            return Poll::Ready(Ok(()));
        };
        let worker = Rc::clone(&self.connection.worker);
        let mut scratch = worker.scratch.borrow_mut();
        let window = if self.client_is_slow {
            SLOW_WINDOW
        } else {
            scratch.len()
        };
        let read = match ready!(self.upstream.poll_read(cx, &mut scratch[..window])) {
            Ok(0) if body == Body::UntilClose => {
                body = Body::EMPTY;
                0
            }
            Ok(0) | Err(_) => return Poll::Ready(Err(Failure::Broken { unsent: false })),
            Ok(read) => read,
        };
        let bytes = &scratch[..read];
        let used = if unchunks {
            self.send_unchunked(cx, &mut body, bytes)?
        } else {
            let passed = self.pass(&mut body, bytes)?;
            self.send(cx, &bytes[..passed.as_is])?;
            self.send(cx, &passed.trailers)?;
            passed.used
        };
        self.upstream.unread(&bytes[used..]);
        self.response = Response::Body {
            head,
            body,
            unchunks,
        };
        Poll::Ready(Ok(()))
    }

    fn pass(&mut self, body: &mut Body, bytes: &[u8]) -> Result<Passed, Failure> {
        let sent = self.exchange.log.as_mut().map(|log| &mut log.sent);
        body.pass(bytes, sent, &mut self.trailers)
            .map_err(Failure::BadResponse)
    }

    fn send(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Result<(), Failure> {
        self.tries.has_answered = true;
        let all = self
            .connection
            .client
            .send(cx, bytes)
            .map_err(|_| Failure::Cancelled)?;
        self.client_is_slow = !all;
        Ok(())
    }

    /// For clients that do not know chunks: only what is in them.
    fn send_unchunked(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut Body,
        bytes: &[u8],
    ) -> Result<usize, Failure> {
        let mut data = Vec::with_capacity(bytes.len());
        let used = body
            .decode(bytes, |piece| data.extend_from_slice(piece))
            .map_err(Failure::BadResponse)?;
        if let Some(log) = &mut self.exchange.log {
            log.sent += data.len() as u64;
        }
        self.send(cx, &data)?;
        Ok(used)
    }

    fn check_times(&mut self) -> Result<(), Failure> {
        match self.times.expired(self.exchange.idle, clock::now()) {
            None => {
                self.connection.timer.set(self.times.next());
                Ok(())
            }
            Some(Expired::Try) => Err(Failure::TryTimeout),
            Some(Expired::Client) => Err(Failure::Deadline),
            Some(Expired::Request | Expired::Idle) => Err(self.timed_out()),
        }
    }

    /// Time that the client took, to send its body or to take the response, is not the service's fault.
    fn timed_out(&self) -> Failure {
        let awaits_body = self.upload == Upload::Running && !self.upstream.has_unsent();
        if awaits_body || self.connection.client.has_unsent() {
            Failure::ClientStalled
        } else {
            Failure::Timeout
        }
    }
}
