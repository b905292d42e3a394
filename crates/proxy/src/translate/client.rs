//! The client's side of a translation: where the request's body comes from and the response goes to.

use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;
use http::header::{CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT};
use http::{Response, StatusCode};

use super::frame::{Broken, Duplex};
use super::http1::{self, Http1, Outgoing};
use super::http2::Http2;
use super::replay::Replay;
use crate::admission::{Client as Facts, Exchange};
use crate::http1::{Body, Malformed, fields, request};
use crate::socket::Socket;
use crate::sticky::header;
use crate::websocket;
use crate::worker::Worker;

#[derive(Debug)]
pub(crate) enum Client<'r> {
    Http1 {
        body: Http1<'r>,
        facts: Facts,
        /// The response is to be the connection's last.
        leaves: bool,
        /// What a WebSocket is to be granted with.
        accept: Option<String>,
    },
    Http2 {
        body: &'r mut Http2,
        respond: &'r mut SendResponse<Bytes>,
    },
}

impl<'r> Client<'r> {
    /// What came of the body with the head is the first that is kept for another try.
    pub(crate) fn http1(
        worker: &Rc<Worker>,
        socket: &'r mut Socket,
        exchange: &mut Exchange,
        leaves: bool,
    ) -> Result<Self, Malformed> {
        if exchange.replay.is_none() {
            exchange.replay = Some(first_pieces(exchange)?);
        }
        let mut body = Http1::new(socket, worker, exchange.body, Outgoing::Plain);
        body.trailers = std::mem::take(&mut exchange.trailers);
        Ok(Self::Http1 {
            body,
            facts: exchange.client,
            leaves,
            accept: websocket_accept(exchange)?,
        })
    }

    pub(crate) fn http2(body: &'r mut Http2, respond: &'r mut SendResponse<Bytes>) -> Self {
        Self::Http2 { body, respond }
    }

    pub(super) fn body(&mut self) -> &mut dyn Duplex {
        match self {
            Self::Http1 { body, .. } => body,
            Self::Http2 { body, .. } => *body,
        }
    }

    /// What the exchange has to know of a body that has come further.
    pub(super) fn leave(&mut self, exchange: &mut Exchange) {
        match self {
            Self::Http1 { body, .. } => {
                exchange.body = body.incoming;
                exchange.trailers = std::mem::take(&mut body.trailers);
            }
            Self::Http2 { body, .. } if body.is_ended() => exchange.body = Body::EMPTY,
            Self::Http2 { .. } => {}
        }
    }

    /// A body that ends with the connection must not seem whole because the connection ends.
    pub(super) fn mark_as_cut_off(&self) {
        if let Self::Http1 { body, .. } = self
            && body.ends_with_connection
        {
            body.socket.abort();
        }
    }

    /// Whether the client is the reason that nothing moves: it does not take what there is.
    pub(super) fn is_slow(&self) -> bool {
        match self {
            Self::Http1 { body, .. } => body.socket.has_unsent(),
            Self::Http2 { .. } => false,
        }
    }

    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        match self {
            Self::Http1 { body, .. } => body.socket.poll_gone(cx),
            Self::Http2 { body, respond } => poll_reset(body, respond, cx).map(|()| true),
        }
    }

    pub(super) fn send_interim(&mut self, response: Response<()>) -> Result<(), Broken> {
        match self {
            Self::Http1 { body, facts, .. } => {
                // HTTP/1.0 knows no interim responses.
                if facts.is_11 {
                    write_head(&response, &[], &mut body.output);
                }
                Ok(())
            }
            Self::Http2 { respond, .. } => Ok(respond.send_informational(response)?),
        }
    }

    /// Returns whether the client may send another request on its connection.
    pub(super) fn send_head(
        &mut self,
        response: Response<()>,
        is_last: bool,
    ) -> Result<bool, Broken> {
        match self {
            Self::Http1 {
                body,
                facts,
                leaves,
                ..
            } => Ok(send_head(body, *facts, &response, is_last, *leaves)),
            Self::Http2 { body, respond } => {
                body.outgoing = Some(respond.send_response(response, is_last)?);
                Ok(true)
            }
        }
    }

    /// Grants what the client asked for; from here on bytes have no meaning. Returns the status that says so.
    pub(super) fn become_tunnel(
        &mut self,
        mut response: Response<()>,
    ) -> Result<StatusCode, Broken> {
        // The proof that the HTTP/1.1 handshake asks for has no place in HTTP/2 (RFC 8441), and a tunnel
        // no length.
        let headers = response.headers_mut();
        headers.remove(SEC_WEBSOCKET_ACCEPT);
        headers.remove(CONTENT_LENGTH);
        *response.status_mut() = match self {
            Self::Http1 {
                accept: Some(_), ..
            } => StatusCode::SWITCHING_PROTOCOLS,
            _ => StatusCode::OK,
        };
        let status = response.status();
        match self {
            Self::Http1 { body, accept, .. } => {
                let proof = accept.take();
                let proof = proof.map(|proof| format!("sec-websocket-accept: {proof}\r\n"));
                let lines = match &proof {
                    Some(proof) => [fields::WEBSOCKET, proof],
                    None => [""; 2],
                };
                write_head(&response, &lines, &mut body.output);
                body.become_tunnel();
            }
            Self::Http2 { body, respond } => {
                body.outgoing = Some(respond.send_response(response, false)?);
            }
        }
        Ok(status)
    }
}

/// What proves to the client that its request for a WebSocket was understood, if it is one.
fn websocket_accept(exchange: &Exchange) -> Result<Option<String>, Malformed> {
    if !exchange.client.wants_websocket() {
        return Ok(None);
    }
    let mut lines = fields::no_lines();
    let head = request::parse(&exchange.request[..exchange.head_length], &mut lines)?;
    let key = head.and_then(|head| header(head.lines, websocket::KEY).next());
    let key = key.and_then(|key| str::from_utf8(key).ok());
    key.map(|key| Some(websocket::accept(key.trim())))
        .ok_or(Malformed::Field)
}

/// Ready when the client has given the stream up.
pub(crate) fn poll_reset(
    body: &mut Http2,
    respond: &mut SendResponse<Bytes>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    match &mut body.outgoing {
        Some(outgoing) => outgoing.poll_reset(cx).map(|_| ()),
        None => respond.poll_reset(cx).map(|_| ()),
    }
}

/// What came of the body with the head. Trailers that came whole are a frame of their own later.
fn first_pieces(exchange: &mut Exchange) -> Result<Replay, Malformed> {
    let (head, rest) = exchange.request.split_at(exchange.head_length);
    let mut lines = fields::no_lines();
    let parsed = request::parse(head, &mut lines)?;
    let mut body = parsed.map_or(Body::EMPTY, |head| head.body());
    let mut replay = Replay::default();
    let (data, _) = http1::decode(&mut body, &mut exchange.trailers, rest)?;
    replay.begin(data);
    Ok(replay)
}

fn send_head(
    body: &mut Http1<'_>,
    facts: Facts,
    response: &Response<()>,
    is_last: bool,
    leaves: bool,
) -> bool {
    let has_length = response.headers().contains_key(CONTENT_LENGTH);
    let never_has_body = facts.to_head || matches!(response.status().as_u16(), 204 | 304);
    let (framing, ends_with_connection) = match () {
        () if never_has_body || has_length => ("", false),
        () if is_last => ("content-length: 0\r\n", false),
        () if facts.is_11 => {
            body.outgoing = Outgoing::Chunked;
            ("transfer-encoding: chunked\r\n", false)
        }
        () => ("", true),
    };
    body.ends_with_connection = ends_with_connection;
    body.takes_no_data = never_has_body;
    let keeps_client = facts.keeps_alive && !ends_with_connection && !leaves;
    let connection = match (keeps_client, facts.is_11) {
        (false, _) => "connection: close\r\n",
        (true, false) => "connection: keep-alive\r\n",
        (true, true) => "",
    };
    write_head(response, &[framing, connection], &mut body.output);
    keeps_client
}

fn write_head(response: &Response<()>, additions: &[&str], out: &mut Vec<u8>) {
    let status = response.status();
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in response.headers() {
        http1::write_line(name.as_str(), value.as_bytes(), out);
    }
    for addition in additions {
        out.extend_from_slice(addition.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}
