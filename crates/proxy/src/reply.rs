//! Responses the proxy makes itself: a status and one line of text that says why.

use std::fmt::Display;

use http::{HeaderMap, HeaderValue};

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    text: String,
    /// A field that is `true`, for other proxies.
    says: Option<&'static str>,
}

impl Reply {
    pub(crate) fn new(status: u16, reason: impl Display) -> Self {
        Self {
            status,
            text: format!("{reason}\n"),
            says: None,
        }
    }

    /// A refusal that tells other proxies, as Envoy's do, not to try again.
    pub(crate) fn overloaded(reason: impl Display) -> Self {
        Self {
            says: Some("x-envoy-overloaded"),
            ..Self::new(503, reason)
        }
    }

    /// A refusal of this proxy alone: another one may have room.
    pub(crate) fn full(reason: impl Display) -> Self {
        Self {
            says: Some("x-envoy-local-overloaded"),
            ..Self::new(503, reason)
        }
    }

    /// Why, as a line.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What an HTTP/2 head says beside the body's type and length.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        if let Some(name) = self.says {
            headers.insert(name, HeaderValue::from_static("true"));
        }
    }

    /// `closes`: no further request will be read from this connection.
    pub(crate) fn to_bytes(&self, to_head: bool, closes: bool, to_10: bool) -> Vec<u8> {
        let connection = match (closes, to_10) {
            (true, _) => "connection: close\r\n",
            (false, true) => "connection: keep-alive\r\n",
            (false, false) => "",
        };
        let says = self.says.map(|name| format!("{name}: true\r\n"));
        format!(
            "HTTP/1.1 {} {}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n{}{connection}\r\n{}",
            self.status,
            phrase(self.status),
            self.text.len(),
            says.unwrap_or_default(),
            if to_head { "" } else { &self.text },
        )
        .into_bytes()
    }
}

fn phrase(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        404 => "Not Found",
        408 => "Request Timeout",
        413 => "Content Too Large",
        414 => "URI Too Long",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        _ => "Error",
    }
}
