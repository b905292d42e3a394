//! The text that is signed: a request written in the one way on which both sides agree.

use http::HeaderName;
use http::header::HOST;
use http::request::Parts;
use percent_encoding::utf8_percent_encode;

use crate::Refusal;
use crate::claim::{Claim, Place, SIGNATURE};
use crate::query::{Query, RESERVED};

/// The canonical request. `payload` is the body's SHA-256.
pub(crate) fn request(
    parts: &Parts,
    query: &Query,
    claim: &Claim,
    payload: &str,
) -> Result<Vec<u8>, Refusal> {
    let without = matches!(claim.place, Place::Query { .. }).then_some(SIGNATURE);
    let mut text = format!(
        "{}\n{}\n{}\n",
        parts.method,
        path(parts.uri.path()),
        query.canonical(without),
    )
    .into_bytes();
    for name in &claim.signed_headers {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend(header(parts, name)?);
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend_from_slice(claim.signed_headers.join(";").as_bytes());
    text.push(b'\n');
    text.extend_from_slice(payload.as_bytes());
    Ok(text)
}

/// Without dot segments and empty segments, then encoded once more on top of how it was sent: only S3
/// signs a path as it is.
fn path(sent: &str) -> String {
    let mut segments = Vec::new();
    for segment in sent.split('/') {
        match segment {
            "" | "." => {}
            ".." => _ = segments.pop(),
            other => segments.push(utf8_percent_encode(other, RESERVED).to_string()),
        }
    }
    let end = if sent.ends_with('/') && !segments.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", segments.join("/"))
}

/// All values of a header, without the blanks that a proxy may add or remove.
fn header(parts: &Parts, name: &str) -> Result<Vec<u8>, Refusal> {
    if name == HOST {
        return host(parts);
    }
    let values = parts.headers.get_all(name).iter();
    let values: Vec<_> = values.map(|value| folded(value.as_bytes())).collect();
    if values.is_empty() {
        return Err(Refusal::HeaderNotSent(name.to_owned()));
    }
    Ok(values.join(&b','))
}

/// HTTP/2 names the host in the target alone, HTTP/1.1 in the `Host` header and perhaps in the target
/// as well: then they must agree, for only one of them is signed.
fn host(parts: &Parts) -> Result<Vec<u8>, Refusal> {
    let mut sent = parts.headers.get_all(HOST).iter();
    let header = sent.next().map(|value| folded(value.as_bytes()));
    if sent.next().is_some() {
        return Err(Refusal::Repeated("Host header"));
    }
    let target = parts.uri.authority().map(|authority| {
        let authority = authority.as_str();
        authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host)
    });
    match (header, target) {
        (Some(header), Some(target)) if !header.eq_ignore_ascii_case(target.as_bytes()) => {
            Err(Refusal::Hosts {
                header: String::from_utf8_lossy(&header).into_owned(),
                target: target.to_owned(),
            })
        }
        (Some(header), _) => Ok(header),
        (None, Some(target)) => Ok(target.as_bytes().to_vec()),
        (None, None) => Err(Refusal::HeaderNotSent(HOST.to_string())),
    }
}

/// Without blanks around it, and with one where there are several.
fn folded(value: &[u8]) -> Vec<u8> {
    let words = value.split(|byte| matches!(byte, b' ' | b'\t'));
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}

/// The headers that say something to the server about the request as a whole, so that no one may
/// change them on their way.
pub(crate) fn must_be_signed(name: &HeaderName, place: Place) -> bool {
    // A client that opens a presigned URL tells its own name, which who signed could not know.
    let is_exempt = matches!(place, Place::Query { .. }) && name == "x-amz-user-agent";
    name == HOST || (name.as_str().starts_with("x-amz-") && !is_exempt)
}
