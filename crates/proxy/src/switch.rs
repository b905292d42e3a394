//! What a request may turn its connection, or its stream, into: bytes both ways that mean nothing here.
//!
//! Until the service grants it, nothing that the client sends after the head goes on: neither side could
//! tell it from another request. What a client says after CONNECT is never one, granted or not.

use crate::http1::fields;
use crate::http1::request::RequestHead;
use crate::http1::response::ResponseHead;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    WebSocket,
    /// CONNECT (RFC 9110 section 9.3.6).
    Tunnel,
}

impl Switch {
    pub(crate) fn asked_by(head: &RequestHead<'_, '_>) -> Option<Self> {
        if head.is_connect() {
            Some(Self::Tunnel)
        } else {
            head.fields.websocket.then_some(Self::WebSocket)
        }
    }

    pub(crate) fn is_granted_by(self, head: &ResponseHead<'_, '_>) -> bool {
        match self {
            Self::WebSocket => head.status == 101 && head.fields.websocket,
            Self::Tunnel => (200..300).contains(&head.status),
        }
    }

    /// The lines that tell a client of HTTP/1.1 that it was granted, beside the status.
    pub(crate) fn granting_lines(self) -> &'static str {
        match self {
            Self::WebSocket => fields::WEBSOCKET,
            Self::Tunnel => "",
        }
    }
}
