//! gRPC over HTTP/2: which requests are calls, how long they may take, how they ended.
//!
//! A call's end is told by `grpc-status`, in the trailers or, where there is nothing else, in the head.
//! Facts from "gRPC over HTTP2", "Statuscodes" and "HTTP to gRPC Status Code Mapping" of the gRPC project.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use view::observe::Outcome;

pub(crate) const CANCELLED: u8 = 1;
const UNKNOWN: u8 = 2;
pub(crate) const DEADLINE_EXCEEDED: u8 = 4;
const PERMISSION_DENIED: u8 = 7;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// Eight digits is the most that `grpc-timeout` may have.
const MAX_TIMEOUT_DIGITS: usize = 8;

/// What a client says about its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grpc {
    pub(crate) timeout: Option<Duration>,
}

impl Grpc {
    /// `None` if the request is no gRPC call.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.as_bytes();
        let rest = content_type.strip_prefix(b"application/grpc")?;
        // `application/grpc-web` is another protocol.
        if !matches!(rest.first(), None | Some(b'+' | b';')) {
            return None;
        }
        let timeout = headers.get("grpc-timeout").and_then(timeout);
        Some(Self { timeout })
    }
}

/// A number and a unit; what is neither is no limit.
fn timeout(value: &HeaderValue) -> Option<Duration> {
    let (unit, digits) = value.as_bytes().split_last()?;
    let is_number =
        (1..=MAX_TIMEOUT_DIGITS).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    if !is_number {
        return None;
    }
    let number: u64 = str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

/// What a response's head or trailers say of the call; a status that is no number is as good as none.
pub(crate) fn status_in(fields: &HeaderMap) -> Option<u8> {
    let status = fields.get("grpc-status")?;
    Some(
        status
            .to_str()
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(UNKNOWN),
    )
}

/// How a call of this status counts; a call that ended without one is broken.
pub(crate) fn outcome_of(status: Option<u8>) -> Outcome {
    match status {
        Some(0) => Outcome::Success,
        Some(CANCELLED) => Outcome::Cancelled,
        Some(3 | 5 | 6 | 7 | 9 | 10 | 11 | 16) => Outcome::ClientError,
        Some(DEADLINE_EXCEEDED) => Outcome::Timeout,
        Some(UNAVAILABLE) => Outcome::Unavailable,
        _ => Outcome::ServerError,
    }
}

pub(crate) fn status_of_http(status: u16) -> u8 {
    match status {
        400 => INTERNAL,
        401 => UNAUTHENTICATED,
        403 => PERMISSION_DENIED,
        404 => UNIMPLEMENTED,
        429 | 502 | 503 | 504 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// As `grpc-message` wants it: printable ASCII but `%`, the rest percent-encoded.
pub(crate) fn encode_message(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&'static str, &'static str)]) -> Option<Grpc> {
        let headers = fields
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect();
        Grpc::of(&headers)
    }

    #[test]
    fn calls_are_known_by_their_content_type() {
        for (content_type, is_call) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=x", true),
            ("application/grpc-web", false),
            ("application/json", false),
        ] {
            assert_eq!(
                of(&[("content-type", content_type)]).is_some(),
                is_call,
                "{content_type}"
            );
        }
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn timeouts_are_a_number_and_a_unit() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("99999999m", Some(Duration::from_millis(99_999_999))),
            ("5u", Some(Duration::from_micros(5))),
            ("0n", Some(Duration::ZERO)),
            ("100000000m", None),
            ("S", None),
            ("1", None),
            ("-1S", None),
            ("1 S", None),
            ("1s", None),
        ] {
            let grpc = of(&[("content-type", "application/grpc"), ("grpc-timeout", text)]);
            assert_eq!(grpc.unwrap().timeout, expected, "{text}");
        }
    }

    #[test]
    fn every_status_counts_once() {
        let expected = [
            Outcome::Success,
            Outcome::Cancelled,
            Outcome::ServerError,
            Outcome::ClientError,
            Outcome::Timeout,
            Outcome::ClientError,
            Outcome::ClientError,
            Outcome::ClientError,
            Outcome::ServerError,
            Outcome::ClientError,
            Outcome::ClientError,
            Outcome::ClientError,
            Outcome::ServerError,
            Outcome::ServerError,
            Outcome::Unavailable,
            Outcome::ServerError,
            Outcome::ClientError,
        ];
        for (status, expected) in expected.into_iter().enumerate() {
            assert_eq!(outcome_of(u8::try_from(status).ok()), expected, "{status}");
        }
        assert_eq!(outcome_of(None), Outcome::ServerError);
    }

    #[test]
    fn messages_are_printable_ascii() {
        assert_eq!(encode_message("a b~"), "a b~");
        assert_eq!(encode_message("100%\n\u{e9}"), "100%25%0A%C3%A9");
    }
}
