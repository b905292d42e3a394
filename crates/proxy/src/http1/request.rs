//! A request's head: parsed where it lies, checked for everything RFC 9112 lets a server refuse.

use std::borrow::Cow;
use std::num::NonZeroU16;

use httparse::{Header, Status};

use super::fields::{self, Fields, Lines};
use super::{Body, MAX_HEAD, MAX_REQUEST_LINE, Malformed};

#[derive(Debug)]
pub(crate) struct RequestHead<'h, 'b> {
    /// From the request line to the empty line.
    pub(crate) bytes: &'b [u8],
    /// What the head takes from the input: `bytes` and an empty line before them.
    pub(crate) length: usize,
    pub(crate) method: &'b str,
    pub(crate) target: Target<'b>,
    /// HTTP/1.1, as opposed to HTTP/1.0.
    pub(crate) is_11: bool,
    pub(crate) lines: &'h [Header<'b>],
    pub(crate) fields: Fields,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target<'b> {
    /// Who is asked: of the absolute form, else of `Host`; empty where neither says.
    pub(crate) authority: Authority<'b>,
    pub(crate) form: Form,
    /// Starts with `/`, or is `*`. The absolute form may leave the `/` out, and CONNECT has no path: its
    /// routes are found as those of `/`.
    pub(crate) path_and_query: Cow<'b, str>,
}

/// RFC 9112 section 3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A path, or `*`; `Host` says who is asked.
    Origin,
    Absolute,
    /// Of CONNECT alone.
    Authority {
        port: NonZeroU16,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Authority<'b> {
    pub(crate) text: &'b str,
    pub(crate) host: &'b str,
    pub(crate) port: Option<u16>,
}

/// `None` until the whole head is there.
pub(crate) fn parse<'h, 'b>(
    input: &'b [u8],
    lines: &'h mut Lines<'b>,
) -> Result<Option<RequestHead<'h, 'b>>, Malformed> {
    // One empty line before a request is old clients' habit (RFC 9112 section 2.2).
    let bytes = input.strip_prefix(b"\r\n").unwrap_or(input);
    let skipped = input.len() - bytes.len();
    match bytes.first() {
        None => return Ok(None),
        Some(b'\r') if skipped == 0 && bytes.len() == 1 => return Ok(None),
        Some(b'\r' | b'\n') => return Err(Malformed::LineEnd),
        Some(_) => {}
    }
    if bytes.len() > MAX_REQUEST_LINE && !bytes[..=MAX_REQUEST_LINE].contains(&b'\n') {
        return Err(Malformed::RequestLineTooLong);
    }
    let mut request = httparse::Request::new(&mut []);
    let head_length = match request.parse_with_uninit_headers(bytes, lines)? {
        Status::Complete(length) if length <= MAX_HEAD => length,
        Status::Partial if bytes.len() <= MAX_HEAD => return Ok(None),
        _ => return Err(Malformed::HeadTooLarge),
    };
    let (Some(method), Some(target), Some(version)) =
        (request.method, request.path, request.version)
    else {
        return Ok(None);
    };
    let lines: &'h [Header<'b>] = request.headers;
    let head = &bytes[..head_length];
    fields::check_line_ends(head, lines)?;

    let mut fields = Fields::read(lines)?;
    let is_11 = version == 1;
    if fields.is_chunked() && !is_11 {
        return Err(Malformed::TransferEncodingMisplaced);
    }
    let host = match fields.host {
        Some(line) => Some(Authority::parse(lines[line].value).ok_or(Malformed::Host)?),
        None if is_11 => return Err(Malformed::HostMissing),
        None => None,
    };
    let is_connect = method == "CONNECT";
    // What CONNECT makes of its connection is not for `Upgrade` to say.
    fields.websocket &= !is_connect;
    if is_connect || fields.websocket {
        fields.begin_tunnel(lines)?;
    }
    let target = if is_connect {
        Target::of_connect(target)?
    } else {
        Target::parse(method, target, host.unwrap_or_default())?
    };
    Ok(Some(RequestHead {
        bytes: head,
        length: skipped + head_length,
        method,
        target,
        is_11,
        lines,
        fields,
    }))
}

impl RequestHead<'_, '_> {
    pub(crate) fn is_connect(&self) -> bool {
        matches!(self.target.form, Form::Authority { .. })
    }

    pub(crate) fn body(&self) -> Body {
        if self.fields.is_chunked() {
            Body::chunked()
        } else {
            Body::Length(self.fields.content_length.unwrap_or(0))
        }
    }

    /// Appends the head as the next hop gets it: this hop's lines left out, asked for anew as
    /// `path_and_query`, of `host` where that is not what `Host` says already. CONNECT keeps its port.
    pub(crate) fn rewrite(&self, path_and_query: &str, host: Option<&str>, out: &mut Vec<u8>) {
        let mut dropped = self.fields.dropped;
        let authority;
        let (target, host) = match (self.target.form, host, self.fields.host) {
            (Form::Authority { port }, Some(host), _) => {
                authority = format!("{host}:{port}");
                (&*authority, Some(&*authority))
            }
            (Form::Authority { .. }, None, _) => {
                let authority = self.target.authority.text;
                (authority, Some(authority))
            }
            (Form::Origin, None, Some(_)) => (path_and_query, None),
            (_, host, _) => {
                let host = host.unwrap_or(self.target.authority.text);
                (path_and_query, Some(host))
            }
        };
        out.extend_from_slice(self.method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        if let Some(host) = host {
            if let Some(line) = self.fields.host {
                dropped |= 1 << line;
            }
            out.extend_from_slice(b"host: ");
            out.extend_from_slice(host.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        fields::copy_kept(self.bytes, self.lines, dropped, out);
        if self.fields.websocket {
            out.extend_from_slice(fields::WEBSOCKET.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Whether the client means to send another request on this connection.
    pub(crate) fn keeps_alive(&self) -> bool {
        !self.is_connect() && !self.fields.close && (self.is_11 || self.fields.keep_alive)
    }
}

impl<'b> Target<'b> {
    fn parse(method: &str, target: &'b str, host: Authority<'b>) -> Result<Self, Malformed> {
        if target.contains('#') {
            return Err(Malformed::Target);
        }
        if target.starts_with('/') || (target == "*" && method == "OPTIONS") {
            return Ok(Self {
                authority: host,
                form: Form::Origin,
                path_and_query: Cow::Borrowed(target),
            });
        }
        let (scheme, rest) = target.split_once("://").ok_or(Malformed::Target)?;
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(Malformed::Scheme);
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path_and_query) = rest.split_at(end);
        let authority = Authority::parse(authority.as_bytes())
            .filter(|authority| !authority.host.is_empty())
            .ok_or(Malformed::Target)?;
        Ok(Self {
            authority,
            form: Form::Absolute,
            path_and_query: if path_and_query.starts_with('/') {
                Cow::Borrowed(path_and_query)
            } else {
                Cow::Owned(format!("/{path_and_query}"))
            },
        })
    }

    /// Whatever `Host` says: the target is all of what is asked for.
    fn of_connect(target: &'b str) -> Result<Self, Malformed> {
        let authority = Authority::parse(target.as_bytes())
            .filter(|authority| !authority.host.is_empty())
            .ok_or(Malformed::Target)?;
        let port = authority.port.and_then(NonZeroU16::new);
        Ok(Self {
            authority,
            form: Form::Authority {
                port: port.ok_or(Malformed::Port)?,
            },
            path_and_query: Cow::Borrowed("/"),
        })
    }
}

impl<'b> Authority<'b> {
    /// `host [":" port]`, the host a name, an IPv4 address or an IPv6 address in brackets.
    pub(crate) fn parse(value: &'b [u8]) -> Option<Self> {
        let text = str::from_utf8(value).ok()?;
        let (host, port) = match text.rfind(':') {
            Some(colon) if !text[colon..].contains(']') => {
                (&text[..colon], Some(&text[colon + 1..]))
            }
            _ => (text, None),
        };
        let valid = match host.strip_prefix('[') {
            Some(rest) => rest
                .strip_suffix(']')
                .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
            None => host.bytes().all(is_host_byte),
        };
        let port = match port {
            None | Some("") => None,
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
        };
        valid.then_some(Self { text, host, port })
    }
}

/// RFC 3986 `reg-name`: unreserved, percent-encoded and sub-delims.
fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests;
