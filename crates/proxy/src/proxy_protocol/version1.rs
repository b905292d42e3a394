//! Version 1: one line of text, at most 107 bytes with its end.

use std::net::{IpAddr, SocketAddr};

use super::{Ends, Header, Malformed};

const PREFIX: &[u8] = b"PROXY ";
const MAX_LINE: usize = 107;

pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    let begun = bytes.len().min(PREFIX.len());
    if bytes[..begun] != PREFIX[..begun] {
        return Err(Malformed::Missing);
    }
    let seen = &bytes[..bytes.len().min(MAX_LINE)];
    let Some(end) = seen.iter().position(|&byte| byte == b'\n') else {
        return match seen.len() {
            MAX_LINE => Err(Malformed::Invalid),
            _ => Ok(None),
        };
    };
    let line = seen[PREFIX.len()..end].strip_suffix(b"\r");
    let line = line.and_then(|line| str::from_utf8(line).ok());
    let header = line.and_then(header_of).ok_or(Malformed::Invalid)?;
    Ok(Some((header, end + 1)))
}

fn header_of(line: &str) -> Option<Header> {
    let mut words = line.split(' ');
    let is_v4 = match words.next()? {
        // Whatever follows is to be ignored.
        "UNKNOWN" => return Some(Header::Own),
        "TCP4" => true,
        "TCP6" => false,
        _ => return None,
    };
    let source: IpAddr = words.next()?.parse().ok()?;
    let destination: IpAddr = words.next()?.parse().ok()?;
    let source_port = port(words.next()?)?;
    let destination_port = port(words.next()?)?;
    let is_whole = words.next().is_none();
    let is_of_family = source.is_ipv4() == is_v4 && destination.is_ipv4() == is_v4;
    (is_whole && is_of_family).then_some(Header::Relayed(Ends {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    }))
}

/// Digits only: no sign, and no zero in front that others would read as octal.
fn port(word: &str) -> Option<u16> {
    let is_plain = word == "0" || word.starts_with(|first: char| ('1'..='9').contains(&first));
    is_plain.then(|| word.parse().ok()).flatten()
}

pub(super) fn header(ends: Option<Ends>) -> Vec<u8> {
    let Some(Ends {
        source,
        destination,
    }) = ends
    else {
        return b"PROXY UNKNOWN\r\n".to_vec();
    };
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    format!(
        "PROXY {family} {} {} {} {}\r\n",
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port()
    )
    .into_bytes()
}
