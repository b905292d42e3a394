//! The PROXY protocol, versions 1 and 2: one header before all else of a connection says who really
//! connected, where a relay in between would hide it
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).
//!
//! Whoever may send the header may claim any address, so it is read only where the listener's
//! configuration expects it, and there every connection must begin with one. This module turns bytes into
//! headers and back; [`receive`] is the only part that touches a socket.

mod version1;
mod version2;

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use view::ProxyVersion;

/// The longest header taken. The address part of version 2 needs 232 bytes at most; the rest is room for
/// fields that others append and nobody here reads.
const MAX_HEADER: usize = 16 + 4096;

/// The two ends of a connection as its first relay saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// Carried for somebody else.
    Relayed(Ends),
    /// The relay's own connection, a check of its for example, or one whose ends it does not know.
    Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("the connection does not begin with a PROXY protocol header")]
    Missing,
    #[error("the PROXY protocol header is longer than {MAX_HEADER} bytes")]
    TooLong,
    #[error("the PROXY protocol header is not valid")]
    Invalid,
}

/// The header at the start of `bytes` and its length; `None` where all of `bytes` is the start of one.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    match bytes.first() {
        None => Ok(None),
        Some(b'P') => version1::parse(bytes),
        Some(_) => version2::parse(bytes),
    }
}

/// The bytes that say so.
pub(crate) fn header(version: ProxyVersion, header: Header) -> Vec<u8> {
    let ends = match header {
        Header::Relayed(ends) => Some(ends.of_one_family()),
        Header::Own => None,
    };
    match version {
        ProxyVersion::V1 => version1::header(ends),
        ProxyVersion::V2 => version2::header(ends),
    }
}

impl Ends {
    /// A header has room for two addresses of one family: an IPv4 address beside an IPv6 one is mapped.
    fn of_one_family(self) -> Self {
        if self.source.is_ipv4() == self.destination.is_ipv4() {
            return self;
        }
        let mapped = |end: SocketAddr| match end.ip() {
            IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), end.port()),
            IpAddr::V6(_) => end,
        };
        Self {
            source: mapped(self.source),
            destination: mapped(self.destination),
        }
    }
}

/// Takes the header, and not a byte more, from the start of a connection.
pub(crate) async fn receive(stream: &mut TcpStream) -> io::Result<Header> {
    let mut bytes = Vec::new();
    loop {
        let taken = bytes.len();
        bytes.resize(MAX_HEADER, 0);
        let here = stream.peek(&mut bytes[taken..]).await?;
        if here == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let parsed = parse(&bytes[..taken + here]);
        // Of a header that is not complete yet, all that has come is its own.
        let end = match parsed {
            Ok(Some((_, length))) => length,
            Ok(None) => taken + here,
            Err(malformed) => return Err(io::Error::new(io::ErrorKind::InvalidData, malformed)),
        };
        stream.read_exact(&mut bytes[taken..end]).await?;
        match parsed {
            Ok(Some((header, _))) => return Ok(header),
            _ => bytes.truncate(end),
        }
    }
}

#[cfg(test)]
mod tests;
