//! One try of a request where one side speaks HTTP/2: heads are translated, bodies pass as frames.
//!
//! Both directions run in one poll, as between two HTTP/1.1 sides, which have a path of their own
//! (`relay`). Trailers pass both ways. What has come of the request is kept for another try, up to a
//! bound, until the client has seen something of a response.

mod client;
mod frame;
mod http1;
mod http2;
mod replay;
mod service;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use http::header::{HeaderValue, SET_COOKIE};
use http::{Response, StatusCode};
use view::observe::Outcome;

use crate::admission::Exchange;
use crate::clock::{self, Instant};
use crate::exchange::{Expired, Failure, Finished, Times, Tries, outcome_of};
use crate::grpc;
use crate::listener::Listener;
use crate::timers::Timer;

pub(crate) use client::{Client, poll_reset};
pub(crate) use frame::Broken;
pub(crate) use http1::{field, unframed};
pub(crate) use http2::Http2;
pub(crate) use replay::Replay;
pub(crate) use service::Service;

use frame::{Frame, Pump, Stopped, Tap};
use service::{Answer, Final};

#[derive(Debug)]
pub(crate) struct Translation<'r> {
    listener: Rc<Listener>,
    timer: Rc<Timer>,
    client: Client<'r>,
    service: Service<'r>,
    exchange: &'r mut Exchange,
    tries: &'r mut Tries,
    upload: Upload,
    up: Pump,
    response: Answered,
    down: Pump,
    grpc_status: GrpcStatus,
    watches_client: bool,
    times: Times,
    last_word: Side,
}

/// Who has sent the last piece of a body; a head answers none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Service,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upload {
    /// The head waits for room.
    Head,
    /// The head is all there is, and on its way.
    Flushing,
    Running,
    Done,
    /// The service takes no more; it may have answered already.
    Refused,
}

impl Upload {
    fn is_under_way(self) -> bool {
        matches!(self, Self::Head | Self::Flushing | Self::Running)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    Awaited,
    Body {
        status: StatusCode,
        keeps_client: bool,
        keeps_upstream: bool,
    },
    Tunnel,
}

/// What a response's trailers say of the call.
#[derive(Clone, Copy, Debug, Default)]
struct GrpcStatus(Option<u8>);

impl Tap for GrpcStatus {
    fn pass(&mut self, frame: &Frame) -> bool {
        if let Frame::Trailers(trailers) = frame {
            self.0 = grpc::status_in(trailers);
        }
        false
    }
}

impl<'r> Translation<'r> {
    pub(crate) fn new(
        listener: &Rc<Listener>,
        timer: &Rc<Timer>,
        mut client: Client<'r>,
        service: Service<'r>,
        exchange: &'r mut Exchange,
        tries: &'r mut Tries,
        now: Instant,
    ) -> Self {
        // What follows a switch of protocols is no body.
        let is_body = exchange.client.switch.is_none();
        let longest_body = exchange.longest_body.filter(|_| is_body);
        exchange.replay.get_or_insert_default().restart();
        let times = Times::new(exchange, client.body().is_ended(), now);
        timer.set(times.next());
        Self {
            listener: Rc::clone(listener),
            timer: Rc::clone(timer),
            client,
            service,
            exchange,
            tries,
            upload: Upload::Head,
            up: Pump::up_to(longest_body),
            response: Answered::Awaited,
            down: Pump::default(),
            grpc_status: GrpcStatus::default(),
            watches_client: true,
            times,
            last_word: Side::Client,
        }
    }

    pub(crate) async fn run(mut self) -> Result<Finished, Failure> {
        let finished = poll_fn(|cx| self.poll(cx)).await;
        if finished.is_err() {
            self.client.mark_as_cut_off();
        }
        self.client.leave(self.exchange);
        if let Some(log) = &mut self.exchange.log {
            log.received = self.up.carried;
            log.sent = self.down.carried;
            log.grpc_status = self.grpc_status.0;
        }
        finished
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Finished, Failure>> {
        if self.listener.is_cut() {
            return Poll::Ready(Err(Failure::Cut));
        }
        if self.timer.is_expired() && self.check_times()? {
            return Poll::Ready(Ok(self.finished()));
        }
        if self.upload.is_under_way()
            && let Poll::Ready(upload) = self.poll_upload(cx)?
        {
            self.upload = upload;
        }
        if let Poll::Ready(finished) = self.poll_download(cx)? {
            return Poll::Ready(Ok(finished));
        }
        if std::mem::take(&mut self.down.moved) {
            self.heard(Side::Service);
        }
        // What has gone up in this turn, nothing that came down in it can have answered.
        if std::mem::take(&mut self.up.moved) {
            self.heard(Side::Client);
        }
        if self.watches_client && self.may_watch_client() {
            match self.client.poll_gone(cx) {
                Poll::Ready(true) => return Poll::Ready(Err(Failure::Cancelled)),
                Poll::Ready(false) => self.watches_client = false,
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }

    /// An HTTP/1.1 client that is still sending cannot be asked without taking what it sends; one that has
    /// ended its direction of a tunnel may still listen.
    fn may_watch_client(&self) -> bool {
        matches!(self.client, Client::Http2 { .. })
            || !(self.upload.is_under_way() || self.response == Answered::Tunnel)
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Poll<Result<Upload, Failure>> {
        let is_switching = self.exchange.client.switch.is_some();
        if self.upload == Upload::Head {
            let replay = self.exchange.replay.get_or_insert_default();
            let is_last = !replay.has_stored() && self.client.body().is_ended();
            ready!(
                self.service
                    .poll_send_head(cx, self.exchange, is_last || is_switching)
            )?;
            self.upload = if is_last || is_switching {
                Upload::Flushing
            } else {
                Upload::Running
            };
        }
        if self.upload == Upload::Flushing {
            ready!(self.service.body().poll_flush(cx))
                .map_err(|_| Failure::Broken { unsent: true })?;
            return self.uploaded();
        }
        let replay = self.exchange.replay.get_or_insert_default();
        let (client, service) = (self.client.body(), self.service.body());
        match ready!(self.up.poll(cx, client, service, replay)) {
            Ok(()) => self.uploaded(),
            Err(Stopped::To) => Poll::Ready(Ok(Upload::Refused)),
            Err(Stopped::From(Broken::Malformed(malformed))) => {
                Poll::Ready(Err(Failure::BadBody(malformed)))
            }
            Err(Stopped::From(_)) => Poll::Ready(Err(Failure::Cancelled)),
        }
    }

    fn uploaded(&mut self) -> Poll<Result<Upload, Failure>> {
        if self.response != Answered::Tunnel && self.times.request_is_whole(self.exchange) {
            self.timer.set(self.times.next());
        }
        Poll::Ready(Ok(Upload::Done))
    }

    fn poll_download(&mut self, cx: &mut Context<'_>) -> Poll<Result<Finished, Failure>> {
        while self.response == Answered::Awaited {
            let switch = self.exchange.client.switch;
            let answer = ready!(self.service.poll_answer(cx, switch)).map_err(of_service)?;
            self.times.moved = true;
            match answer {
                Answer::Interim(response) => {
                    self.client.send_interim(response).map_err(gone)?;
                    ready!(self.client.body().poll_flush(cx)).map_err(gone)?;
                }
                Answer::Final(answer) => self.begin(cx, answer)?,
                Answer::Switched(response) => {
                    self.switch(response)?;
                    // What the client says from here on has no reader yet.
                    cx.waker().wake_by_ref();
                }
            }
        }
        let (client, service) = (self.client.body(), self.service.body());
        match ready!(self.down.poll(cx, service, client, &mut self.grpc_status)) {
            Ok(()) => {}
            Err(Stopped::To) => return Poll::Ready(Err(Failure::Cancelled)),
            Err(Stopped::From(broken)) => return Poll::Ready(Err(of_service(broken))),
        }
        if self.response == Answered::Tunnel && self.upload == Upload::Running {
            return Poll::Pending;
        }
        Poll::Ready(Ok(self.finished()))
    }

    fn heard(&mut self, side: Side) {
        self.last_word = side;
        self.times.moved = true;
    }

    /// Decides whether this answer is the client's, and if so sends its head.
    fn begin(&mut self, cx: &mut Context<'_>, answer: Final) -> Result<(), Failure> {
        let Final {
            mut response,
            is_last,
            mut first,
            keeps_upstream,
        } = answer;
        let status = response.status();
        if self.exchange.grpc.is_some() {
            self.grpc_status.0 = grpc::status_in(response.headers());
            // A call that fails at once may say so in trailers that follow the head on its heels.
            if !is_last
                && first.is_none()
                && let Poll::Ready(frame) = self.service.body().poll_frame(cx)
            {
                first = frame.map_err(of_service)?;
                first.iter().for_each(|frame| {
                    if matches!(frame, Frame::Trailers(_)) {
                        self.grpc_status.pass(frame);
                    }
                });
            }
        }
        let overloaded = || response.headers().contains_key("x-envoy-overloaded");
        if self.tries.retries_answer(
            self.exchange,
            status.as_u16(),
            self.grpc_status.0,
            overloaded,
        ) {
            return Err(Failure::RetriedStatus {
                status: status.as_u16(),
                outcome: self.outcome(status),
            });
        }
        self.has_answered();
        if let Some(cookie) = self.exchange.set_cookie.take()
            && let Ok(cookie) = HeaderValue::try_from(cookie)
        {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        if let Some(log) = &mut self.exchange.log {
            let headers = response.headers();
            log.answered(status.as_u16(), clock::now(), |name| {
                Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()))
            });
        }
        let keeps_client = self.client.send_head(response, is_last).map_err(gone)?;
        self.down = if is_last {
            Pump::ended()
        } else {
            Pump::starting_with(first)
        };
        self.response = Answered::Body {
            status,
            keeps_client,
            keeps_upstream,
        };
        Ok(())
    }

    fn switch(&mut self, response: Response<()>) -> Result<(), Failure> {
        self.has_answered();
        let status = self.client.become_tunnel(response).map_err(gone)?;
        if let Some(log) = &mut self.exchange.log {
            log.answered(status.as_u16(), clock::now(), |_| None);
        }
        self.service.become_tunnel();
        self.response = Answered::Tunnel;
        self.upload = Upload::Running;
        self.times = Times::of_tunnel(self.exchange.idle, clock::now());
        self.timer.set(self.times.next());
        if let Some(tally) = &mut self.exchange.tally {
            tally.end(Outcome::Success, clock::now());
        }
        Ok(())
    }

    /// From here on the client sees what comes, so nothing is tried again.
    fn has_answered(&mut self) {
        self.tries.has_answered = true;
        self.times.has_answered();
        self.exchange.replay.get_or_insert_default().forget();
    }

    fn finished(&self) -> Finished {
        let Answered::Body {
            status,
            keeps_client,
            keeps_upstream,
        } = self.response
        else {
            return Finished {
                outcome: Outcome::Success,
                keeps_client: false,
                keeps_upstream: false,
                is_switched: false,
            };
        };
        let is_uploaded = self.upload == Upload::Done;
        // What follows a switch that was asked for may be on its way.
        let is_reusable = self.exchange.client.switch.is_none() && self.service.is_clean();
        Finished {
            outcome: self.outcome(status),
            keeps_client: keeps_client && is_uploaded,
            keeps_upstream: keeps_upstream && is_uploaded && is_reusable,
            is_switched: false,
        }
    }

    fn outcome(&self, status: StatusCode) -> Outcome {
        match self.exchange.grpc {
            Some(_) if status == StatusCode::OK => grpc::outcome_of(self.grpc_status.0),
            _ => outcome_of(status.as_u16()),
        }
    }

    /// True if this is over, and nobody's failure.
    fn check_times(&mut self) -> Result<bool, Failure> {
        match self.times.expired(self.exchange.idle, clock::now()) {
            None => {
                self.timer.set(self.times.next());
                Ok(false)
            }
            // The request was answered when it was granted.
            Some(Expired::Idle) if self.response == Answered::Tunnel => Ok(true),
            Some(Expired::Try) => Err(Failure::TryTimeout),
            Some(Expired::Client) => Err(Failure::Deadline),
            Some(Expired::Request | Expired::Idle) => Err(self.timed_out()),
        }
    }

    /// Time that the client took, to send its body or to take the response, is not the service's fault. A
    /// call's messages are whole in themselves: its client may keep its side open and wait, so that there
    /// whoever spoke last is not the one to blame.
    fn timed_out(&self) -> Failure {
        let service_owes = self.exchange.grpc.is_some() && self.last_word == Side::Client;
        let awaits_body = self.upload == Upload::Running && !self.up.is_full() && !service_owes;
        if awaits_body || self.down.is_full() || self.client.is_slow() {
            Failure::ClientStalled
        } else {
            Failure::Timeout
        }
    }
}

fn gone(_: Broken) -> Failure {
    Failure::Cancelled
}

fn of_service(broken: Broken) -> Failure {
    match broken {
        Broken::Gone => Failure::Broken { unsent: false },
        Broken::Unprocessed => Failure::Broken { unsent: true },
        Broken::Refused => Failure::Refused,
        Broken::Malformed(malformed) => Failure::BadResponse(malformed),
    }
}
