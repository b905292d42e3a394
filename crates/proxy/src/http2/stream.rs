//! One stream of a client's HTTP/2 connection: one request, from its head to the end of its response.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use super::request;
use super::server::Place;
use crate::admission::{Admission, Exchange, admit};
use crate::clock::Instant;
use crate::exchange::{self, Downstream, Failure, Finished, Tries, Upstream};
use crate::grpc::{self, Grpc};
use crate::http1::Body;
use crate::listener::Listener;
use crate::proxy_protocol::Ends;
use crate::reply::Reply;
use crate::timers::Timer;
use crate::translate::{self, Http2, Service, Translation, poll_reset};
use crate::websocket;
use crate::worker::Worker;

#[derive(Debug)]
pub(super) struct Stream {
    place: Place,
    timer: Rc<Timer>,
    body: Http2,
    respond: SendResponse<Bytes>,
    is_grpc: bool,
    to_head: bool,
}

impl Stream {
    pub(super) fn new(place: Place, respond: SendResponse<Bytes>) -> Self {
        let timer = place.0.worker.timers.timer();
        Self {
            place,
            timer,
            body: Http2::new(None, None),
            respond,
            is_grpc: false,
            to_head: false,
        }
    }

    pub(super) async fn serve(mut self, request: Request<RecvStream>) {
        poll_fn(|cx| {
            self.timer.wakes(cx.waker());
            Poll::Ready(())
        })
        .await;
        match self.admit(request) {
            Ok(exchange) => exchange::carry(&mut self, exchange).await,
            Err(reply) => self.answer(&reply, None),
        }
    }

    /// Says the request as HTTP/1.1 and has it admitted as such.
    fn admit(&mut self, request: Request<RecvStream>) -> Result<Box<Exchange>, Reply> {
        let worker = Rc::clone(&self.place.0.worker);
        let (parts, incoming) = request.into_parts();
        let grpc = Grpc::of(&parts.headers);
        self.is_grpc = grpc.is_some();
        self.to_head = parts.method == Method::HEAD;
        let is_whole = incoming.is_end_stream();
        self.body = Http2::new(Some(incoming), None);

        let protocol = parts.extensions.get::<h2::ext::Protocol>();
        let websocket_key = match protocol.map(h2::ext::Protocol::as_str) {
            None => None,
            Some("websocket") => Some(websocket::key(&mut worker.rng.borrow_mut())),
            Some(other) => {
                return Err(Reply::new(
                    501,
                    format!("CONNECT for {other:?} is not supported"),
                ));
            }
        };
        let mut head = worker.buffer();
        let written = request::write_head(&parts, is_whole, websocket_key.as_deref(), &mut head);
        let mut admission = match written {
            Ok(()) => admit(&worker, &self.place.0.listener, &head),
            Err(malformed) => Some(Admission::refused(malformed)),
        };
        worker.recycle(head);
        if let Some(log) = admission.as_mut().and_then(Admission::log) {
            log.protocol = Some("HTTP/2");
            log.client = Some(self.place.0.peer);
        }
        match admission {
            Some(Admission::Carry { mut exchange, .. }) => {
                exchange.grpc = grpc;
                exchange.replay = Some(translate::Replay::default());
                if is_whole {
                    exchange.body = Body::EMPTY;
                }
                Ok(exchange)
            }
            Some(Admission::Answer { reply, .. }) => Err(reply),
            None => Err(Reply::new(431, "the head is too large")),
        }
    }

    /// Sends a response of the proxy's own.
    fn answer(&mut self, reply: &Reply, grpc_status: Option<u8>) {
        let sent = if self.is_grpc {
            let status = grpc_status.unwrap_or_else(|| grpc::status_of_http(reply.status));
            self.respond
                .send_response(grpc_answer(reply, status), true)
                .map(drop)
        } else {
            self.send(reply)
        };
        // A client that has left has no use for it.
        drop(sent);
    }

    fn send(&mut self, reply: &Reply) -> Result<(), h2::Error> {
        let text = reply.text();
        let mut response = Response::new(());
        *response.status_mut() =
            StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
        reply.add_to(headers);
        let mut body = self.respond.send_response(response, self.to_head)?;
        if !self.to_head {
            body.send_data(Bytes::copy_from_slice(text.as_bytes()), true)?;
        }
        Ok(())
    }
}

/// A call's end without anything before it.
fn grpc_answer(reply: &Reply, status: u8) -> Response<()> {
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(u16::from(status)));
    let message = grpc::encode_message(reply.text().trim_end());
    if let Ok(message) = HeaderValue::try_from(message) {
        headers.insert("grpc-message", message);
    }
    reply.add_to(headers);
    response
}

impl Downstream for Stream {
    type Then = ();

    fn worker(&self) -> &Rc<Worker> {
        &self.place.0.worker
    }

    fn listener(&self) -> &Rc<Listener> {
        &self.place.0.listener
    }

    fn ends(&self) -> Option<Ends> {
        self.place.0.ends
    }

    fn timer(&self) -> &Rc<Timer> {
        &self.timer
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        poll_reset(&mut self.body, &mut self.respond, cx).map(|()| true)
    }

    async fn relay(
        &mut self,
        upstream: &mut Upstream,
        exchange: &mut Exchange,
        tries: &mut Tries,
        now: Instant,
    ) -> Result<Finished, Failure> {
        let shared = Rc::clone(&self.place.0);
        let client = translate::Client::http2(&mut self.body, &mut self.respond);
        let service = match upstream {
            Upstream::Http1(socket) => Service::http1(&shared.worker, socket, exchange),
            Upstream::Http2(lease) => Service::http2(lease),
        };
        Translation::new(
            &shared.listener,
            &self.timer,
            client,
            service,
            exchange,
            tries,
            now,
        )
        .run()
        .await
    }

    /// A stream carries one request, and goes with it.
    fn finish(&mut self, _exchange: &Exchange, _keeps_client: bool, _now: Instant) {}

    /// Translations carry what follows a switch themselves.
    async fn tunnel(&mut self, _upstream: Upstream, _exchange: &mut Exchange) {}

    async fn fail(&mut self, _exchange: &Exchange, has_answered: bool, failure: &Failure) {
        if matches!(failure, Failure::Cancelled) {
            self.place.is_given_up();
        }
        match failure.status() {
            Some(status) if !has_answered => {
                self.answer(&Reply::new(status, failure), failure.grpc_status());
            }
            // What has begun cannot be taken back; it must not look whole either.
            Some(_) => self.reset(Reason::INTERNAL_ERROR),
            None => self.reset(Reason::CANCEL),
        }
    }
}

impl Stream {
    fn reset(&mut self, reason: Reason) {
        match self.body.outgoing() {
            Some(outgoing) => outgoing.send_reset(reason),
            None => self.respond.send_reset(reason),
        }
    }
}
