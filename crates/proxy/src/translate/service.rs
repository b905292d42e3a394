//! The service's side of a translation: where the request goes, and the response's head comes from.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use h2::client::ResponseFuture;
use http::Response;

use super::frame::{Broken, Duplex, Frame};
use super::http1::{Http1, Outgoing, field};
use super::http2::Http2;
use crate::admission::Exchange;
use crate::exchange::Failure;
use crate::http1::response::{self, ResponseHead};
use crate::http1::{Body, Malformed, fields};
use crate::http2::{self, Lease};
use crate::socket::Socket;
use crate::switch::Switch;
use crate::worker::Worker;

#[derive(Debug)]
pub(crate) enum Service<'r> {
    Http1 {
        body: Http1<'r>,
        to_head: bool,
    },
    Http2 {
        body: Http2,
        lease: &'r mut Lease,
        response: Option<ResponseFuture>,
    },
}

/// What the service said first.
#[derive(Debug)]
pub(super) enum Answer {
    Interim(Response<()>),
    Final(Final),
    /// The service became what the client asked for.
    Switched(Response<()>),
}

#[derive(Debug)]
pub(super) struct Final {
    pub(super) response: Response<()>,
    pub(super) is_last: bool,
    /// What came of the body with the head.
    pub(super) first: Option<Frame>,
    pub(super) keeps_upstream: bool,
}

impl<'r> Service<'r> {
    pub(crate) fn http1(worker: &Rc<Worker>, socket: &'r mut Socket, exchange: &Exchange) -> Self {
        let outgoing = match exchange.framing {
            Body::Chunked(_) => Outgoing::Chunked,
            _ => Outgoing::Plain,
        };
        Self::Http1 {
            body: Http1::new(socket, worker, Body::EMPTY, outgoing),
            to_head: exchange.client.to_head,
        }
    }

    pub(crate) fn http2(lease: &'r mut Lease) -> Self {
        Self::Http2 {
            body: Http2::new(None, None),
            lease,
            response: None,
        }
    }

    pub(super) fn body(&mut self) -> &mut dyn Duplex {
        match self {
            Self::Http1 { body, .. } => body,
            Self::Http2 { body, .. } => body,
        }
    }

    /// Whether the service can be given another request where this one went, once it is done.
    pub(super) fn is_clean(&self) -> bool {
        match self {
            Self::Http1 { body, .. } => !body.socket.has_unread(),
            Self::Http2 { .. } => true,
        }
    }

    /// `is_last`: no body follows.
    pub(super) fn poll_send_head(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &Exchange,
        is_last: bool,
    ) -> Poll<Result<(), Failure>> {
        let head = &exchange.request[..exchange.head_length];
        match self {
            Self::Http1 { body, .. } => {
                body.output.extend_from_slice(head);
                Poll::Ready(Ok(()))
            }
            Self::Http2 {
                body,
                lease,
                response,
            } => {
                let unsent = |_| Failure::Broken { unsent: true };
                ready!(lease.channel.poll_ready(cx)).map_err(unsent)?;
                let request = http2::request::from_head(head, exchange, lease.address)?;
                let (answer, outgoing) = lease
                    .channel
                    .send_request(request, is_last && exchange.client.switch.is_none())
                    .map_err(unsent)?;
                *response = Some(answer);
                body.outgoing = Some(outgoing);
                Poll::Ready(Ok(()))
            }
        }
    }

    pub(super) fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        switch: Option<Switch>,
    ) -> Poll<Result<Answer, Broken>> {
        match self {
            Self::Http1 { body, to_head } => poll_http1(body, *to_head, switch, cx),
            Self::Http2 { body, response, .. } => {
                let Some(response) = response else {
                    return Poll::Pending;
                };
                if let Poll::Ready(Some(interim)) = response.poll_informational(cx) {
                    return Poll::Ready(Ok(Answer::Interim(interim?)));
                }
                let (parts, incoming) = ready!(std::pin::Pin::new(response).poll(cx))?.into_parts();
                let is_last = incoming.is_end_stream();
                body.incoming = Some(incoming);
                let response = Response::from_parts(parts, ());
                if switch.is_some() && response.status().is_success() {
                    return Poll::Ready(Ok(Answer::Switched(response)));
                }
                Poll::Ready(Ok(Answer::Final(Final {
                    response,
                    is_last,
                    first: None,
                    keeps_upstream: true,
                })))
            }
        }
    }

    pub(super) fn become_tunnel(&mut self) {
        if let Self::Http1 { body, .. } = self {
            body.become_tunnel();
        }
    }
}

fn poll_http1(
    body: &mut Http1<'_>,
    to_head: bool,
    switch: Option<Switch>,
    cx: &mut Context<'_>,
) -> Poll<Result<Answer, Broken>> {
    let worker = Rc::clone(&body.worker);
    let mut scratch = worker.scratch.borrow_mut();
    let mut come = body.socket.take_unread(&mut scratch);
    loop {
        let mut lines = fields::no_lines();
        let parsed = response::parse(&scratch[..come], to_head, &mut lines);
        if come > 0
            && let Some(head) = parsed.map_err(Broken::Malformed)?
        {
            return Poll::Ready(answer(body, &head, &scratch[..come], switch));
        }
        match body.socket.poll_read(cx, &mut scratch[come..]) {
            Poll::Pending => {
                body.socket.unread(&scratch[..come]);
                return Poll::Pending;
            }
            Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Broken::Gone)),
            Poll::Ready(Ok(read)) => come += read,
        }
    }
}

/// What the head at the start of `come` says; what follows it is the body's, or the next head's.
fn answer(
    body: &mut Http1<'_>,
    head: &ResponseHead<'_, '_>,
    come: &[u8],
    switch: Option<Switch>,
) -> Result<Answer, Broken> {
    let rest = &come[head.bytes.len()..];
    let response = translated(head).map_err(Broken::Malformed)?;
    if head.is_interim() {
        body.socket.unread(rest);
        return Ok(Answer::Interim(response));
    }
    if switch.is_some_and(|switch| switch.is_granted_by(head)) {
        body.socket.unread(rest);
        return Ok(Answer::Switched(response));
    }
    if head.status == 101 {
        return Err(Broken::Malformed(Malformed::SwitchedUnasked));
    }
    body.incoming = head.body;
    let (first, used) = body.decode(rest)?;
    body.socket.unread(&rest[used..]);
    Ok(Answer::Final(Final {
        response,
        is_last: first.is_none() && body.is_ended(),
        first,
        keeps_upstream: head.keeps_alive(),
    }))
}

/// The head without what belongs to its hop.
fn translated(head: &ResponseHead<'_, '_>) -> Result<Response<()>, Malformed> {
    let mut response = Response::new(());
    *response.status_mut() = http::StatusCode::from_u16(head.status)
        .map_err(|_| Malformed::Syntax(httparse::Error::Status))?;
    let headers = response.headers_mut();
    headers.reserve(head.lines.len());
    for (index, line) in head.lines.iter().enumerate() {
        let is_framing = head.fields.transfer_encoding == Some(index);
        if is_framing || head.fields.dropped & (1 << index) != 0 {
            continue;
        }
        let (name, value) = field(line).ok_or(Malformed::Field)?;
        headers.append(name, value);
    }
    Ok(response)
}
