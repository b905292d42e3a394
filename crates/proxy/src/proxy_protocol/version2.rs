//! Version 2: a signature of twelve bytes, four of command, family and length, then the addresses and
//! fields (TLVs) that are skipped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Ends, Header, MAX_HEADER, Malformed};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const FIXED: usize = 16;

const VERSION: u8 = 0x20;
const LOCAL: u8 = 0;
const PROXY: u8 = 1;

const UNSPECIFIED: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
/// Datagrams over IPv4 and IPv6, streams and datagrams between Unix sockets.
const OTHERS: [u8; 4] = [0x12, 0x22, 0x31, 0x32];

pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, Malformed> {
    let begun = bytes.len().min(SIGNATURE.len());
    if bytes[..begun] != SIGNATURE[..begun] {
        return Err(Malformed::Missing);
    }
    let Some((&[.., command, family, high, low], rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(None);
    };
    let is_relayed = match command {
        command if command == VERSION | LOCAL => false,
        command if command == VERSION | PROXY => true,
        _ => return Err(Malformed::Invalid),
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if FIXED + length > MAX_HEADER {
        return Err(Malformed::TooLong);
    }
    let Some(addresses) = rest.get(..length) else {
        return Ok(None);
    };
    let ends = match family {
        TCP_OVER_IPV4 => Some(ipv4(addresses).ok_or(Malformed::Invalid)?),
        TCP_OVER_IPV6 => Some(ipv6(addresses).ok_or(Malformed::Invalid)?),
        UNSPECIFIED => None,
        family if OTHERS.contains(&family) => None,
        // A check of the relay's own may say anything here.
        _ if !is_relayed => None,
        _ => return Err(Malformed::Invalid),
    };
    let header = match ends {
        Some(ends) if is_relayed => Header::Relayed(ends),
        _ => Header::Own,
    };
    Ok(Some((header, FIXED + length)))
}

fn ipv4(bytes: &[u8]) -> Option<Ends> {
    let (source, rest) = bytes.split_first_chunk::<4>()?;
    let (destination, rest) = rest.split_first_chunk::<4>()?;
    let (source_port, destination_port) = ports(rest)?;
    Some(Ends {
        source: (Ipv4Addr::from(*source), source_port).into(),
        destination: (Ipv4Addr::from(*destination), destination_port).into(),
    })
}

fn ipv6(bytes: &[u8]) -> Option<Ends> {
    let (source, rest) = bytes.split_first_chunk::<16>()?;
    let (destination, rest) = rest.split_first_chunk::<16>()?;
    let (source_port, destination_port) = ports(rest)?;
    Some(Ends {
        source: (Ipv6Addr::from(*source), source_port).into(),
        destination: (Ipv6Addr::from(*destination), destination_port).into(),
    })
}

fn ports(bytes: &[u8]) -> Option<(u16, u16)> {
    let (&[a, b, c, d], _) = bytes.split_first_chunk::<4>()?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

pub(super) fn header(ends: Option<Ends>) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    let Some(ends) = ends else {
        header.extend_from_slice(&[VERSION | LOCAL, UNSPECIFIED, 0, 0]);
        return header;
    };
    match (ends.source, ends.destination) {
        (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
            header.extend_from_slice(&[VERSION | PROXY, TCP_OVER_IPV4, 0, 12]);
            header.extend_from_slice(&source.ip().octets());
            header.extend_from_slice(&destination.ip().octets());
        }
        (source, destination) => {
            header.extend_from_slice(&[VERSION | PROXY, TCP_OVER_IPV6, 0, 36]);
            header.extend_from_slice(&as_ipv6(source));
            header.extend_from_slice(&as_ipv6(destination));
        }
    }
    header.extend_from_slice(&ends.source.port().to_be_bytes());
    header.extend_from_slice(&ends.destination.port().to_be_bytes());
    header
}

fn as_ipv6(end: SocketAddr) -> [u8; 16] {
    match end.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}
