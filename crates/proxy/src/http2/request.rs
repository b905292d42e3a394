//! A request's head from HTTP/2 to HTTP/1.1 and back.
//!
//! The way in is where downgrade smuggling is stopped: what HTTP/1.1 could read in another way than
//! HTTP/2 does is refused, and the head that is written goes through the same parser as every other.

use std::net::SocketAddr;

use http::header::{self, CONTENT_LENGTH, COOKIE, EXPECT, HOST, HeaderMap, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Uri, Version, request::Parts};

use crate::admission::Exchange;
use crate::cluster::LocalCluster;
use crate::exchange::Failure;
use crate::http1::{Malformed, fields, request};
use crate::translate::field;
use crate::websocket;

/// Appends the head in HTTP/1.1. `is_whole`: no body follows.
pub(crate) fn write_head(
    parts: &Parts,
    is_whole: bool,
    websocket_key: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    let method = match websocket_key {
        Some(_) => &Method::GET,
        None => &parts.method,
    };
    let is_connect = *method == Method::CONNECT;
    let host = host(parts)?;
    let target = match is_connect {
        true => host,
        false => target(parts)?.as_bytes(),
    };
    out.extend_from_slice(method.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    write_line("host", host, out);
    for (name, value) in &parts.headers {
        // HTTP/1.1 would read it without them (RFC 9113 section 8.2.1).
        if let [b' ' | b'\t', ..] | [.., b' ' | b'\t'] = value.as_bytes() {
            return Err(Malformed::Field);
        }
        match name.as_str() {
            "host" | "cookie" | "te" => {}
            // What HTTP/2 forbids (RFC 9113 section 8.2.2): `h2` refuses it too.
            "connection" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade" => {
                return Err(Malformed::Field);
            }
            // Nothing of a tunnel goes before the switch, so a length would be of something else.
            "content-length" if websocket_key.is_some() || is_connect => {
                return Err(Malformed::ContentLengthMisplaced);
            }
            name => write_line(name, value.as_bytes(), out),
        }
    }
    write_cookies(&parts.headers, out);
    if let Some(key) = websocket_key {
        out.extend_from_slice(fields::WEBSOCKET.as_bytes());
        write_line(websocket::KEY, key.as_bytes(), out);
    } else if !is_connect && !parts.headers.contains_key(CONTENT_LENGTH) {
        let framing: &[u8] = match *method {
            _ if !is_whole => b"transfer-encoding: chunked\r\n",
            Method::POST | Method::PUT | Method::PATCH => b"content-length: 0\r\n",
            _ => b"",
        };
        out.extend_from_slice(framing);
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

fn target(parts: &Parts) -> Result<&str, Malformed> {
    if !matches!(parts.uri.scheme_str(), None | Some("http" | "https")) {
        return Err(Malformed::Scheme);
    }
    let target = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let is_asterisk = target == "*" && parts.method == Method::OPTIONS;
    if (target.starts_with('/') || is_asterisk)
        && target.bytes().all(|byte| byte.is_ascii_graphic())
    {
        Ok(target)
    } else {
        Err(Malformed::Target)
    }
}

/// Where both say who is asked, they must agree (RFC 9113 section 8.3.1).
fn host(parts: &Parts) -> Result<&[u8], Malformed> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = hosts.next().map(HeaderValue::as_bytes);
    if hosts.next().is_some() {
        return Err(Malformed::HostRepeated);
    }
    let authority = parts
        .uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    match (authority, host) {
        (None, None) => Err(Malformed::HostMissing),
        (Some(authority), Some(host)) if !authority.eq_ignore_ascii_case(host) => {
            Err(Malformed::Host)
        }
        (Some(one), _) | (None, Some(one)) => Ok(one),
    }
}

/// HTTP/2 may split what HTTP/1.1 has in one line (RFC 9113 section 8.2.3).
fn write_cookies(headers: &HeaderMap, out: &mut Vec<u8>) {
    let mut cookies = headers.get_all(COOKIE).iter();
    let Some(first) = cookies.next() else {
        return;
    };
    out.extend_from_slice(b"cookie: ");
    out.extend_from_slice(first.as_bytes());
    for cookie in cookies {
        out.extend_from_slice(b"; ");
        out.extend_from_slice(cookie.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

fn write_line(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A rewritten head as an HTTP/2 request.
pub(crate) fn from_head(
    head: &[u8],
    exchange: &Exchange,
    endpoint: SocketAddr,
) -> Result<Request<()>, Failure> {
    let mut lines = fields::no_lines();
    let parsed = request::parse(head, &mut lines).map_err(Failure::BadBody)?;
    let Some(head) = parsed else {
        return Err(Failure::Untranslatable("its head is not whole"));
    };
    let mut request = Request::new(());
    *request.version_mut() = Version::HTTP_2;
    *request.method_mut() = Method::from_bytes(head.method.as_bytes())
        .map_err(|_| Failure::Untranslatable("its method is not valid"))?;
    let scheme = match exchange.cluster().and_then(LocalCluster::tls) {
        Some(_) => Scheme::HTTPS,
        None => Scheme::HTTP,
    };
    *request.uri_mut() = uri(scheme, &head, endpoint)?;
    if exchange.client.wants_websocket() {
        if head.method != "GET" {
            return Err(Failure::Untranslatable("a WebSocket begins with GET"));
        }
        *request.method_mut() = Method::CONNECT;
        let websocket = h2::ext::Protocol::from_static("websocket");
        request.extensions_mut().insert(websocket);
    }
    let headers = request.headers_mut();
    headers.reserve(head.lines.len());
    for (index, line) in head.lines.iter().enumerate() {
        let stays = head.fields.dropped & (1 << index) == 0
            && head.fields.host != Some(index)
            && head.fields.transfer_encoding != Some(index);
        if stays {
            let (name, value) =
                field(line).ok_or(Failure::Untranslatable("a field is not valid"))?;
            headers.append(name, value);
        }
    }
    if exchange.client.wants_websocket() {
        headers.remove(websocket::KEY);
    }
    if exchange.grpc.is_some() {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    // Whoever says it without a body waits for nothing.
    if headers.contains_key(EXPECT) && exchange.framing.is_done() {
        headers.remove(EXPECT);
    }
    Ok(request)
}

fn uri(
    scheme: Scheme,
    head: &request::RequestHead<'_, '_>,
    endpoint: SocketAddr,
) -> Result<Uri, Failure> {
    let invalid = |_| Failure::Untranslatable("its target is not valid");
    let mut parts = http::uri::Parts::default();
    let authority = match head.target.authority.text {
        "" => Authority::from_maybe_shared(endpoint.to_string()),
        text => Authority::try_from(text),
    };
    parts.authority =
        Some(authority.map_err(|_| Failure::Untranslatable("its host is not valid"))?);
    if head.is_connect() {
        return Uri::from_parts(parts).map_err(invalid);
    }
    parts.scheme = Some(scheme);
    let path_and_query = PathAndQuery::try_from(&*head.target.path_and_query)
        .map_err(|_| Failure::Untranslatable("its path is not valid"))?;
    parts.path_and_query = Some(path_and_query);
    Uri::from_parts(parts).map_err(invalid)
}
