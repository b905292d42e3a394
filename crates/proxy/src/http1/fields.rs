//! One walk over a head's lines: what they say about this hop, and which of them end here.
//!
//! Names are told apart by length first, so that the walk costs a comparison for few of them. Lines
//! that end at this hop (RFC 9110 section 7.6.1) are marked in a bit set; the others are copied in runs.

use std::mem::MaybeUninit;

use httparse::Header;

use super::{MAX_HEADERS, Malformed};

/// Room for a head's lines, on the stack of whoever parses it.
pub(crate) type Lines<'b> = [MaybeUninit<Header<'b>>; MAX_HEADERS];

pub(crate) fn no_lines<'b>() -> Lines<'b> {
    [const { MaybeUninit::uninit() }; MAX_HEADERS]
}

/// The lines that ask the next hop to become a WebSocket, or grant it.
pub(crate) const WEBSOCKET: &str = "connection: upgrade\r\nupgrade: websocket\r\n";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// The line that holds `Host`.
    pub(crate) host: Option<usize>,
    pub(crate) content_length: Option<u64>,
    /// The line that holds `Transfer-Encoding`, whose value is then `chunked`.
    pub(crate) transfer_encoding: Option<usize>,
    pub(crate) close: bool,
    pub(crate) keep_alive: bool,
    pub(crate) websocket: bool,
    /// The lines that end at this hop, one bit for each.
    pub(crate) dropped: u128,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Connection,
    ContentLength,
    Host,
    HopByHop,
    Other,
    TransferEncoding,
    Upgrade,
}

impl Name {
    fn of(name: &str) -> Self {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            2 if is("te") => Self::HopByHop,
            4 if is("host") => Self::Host,
            7 if is("upgrade") => Self::Upgrade,
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::HopByHop,
            14 if is("content-length") => Self::ContentLength,
            16 if is("proxy-connection") => Self::HopByHop,
            17 if is("transfer-encoding") => Self::TransferEncoding,
            _ => Self::Other,
        }
    }
}

impl Fields {
    pub(crate) fn read(lines: &[Header<'_>]) -> Result<Self, Malformed> {
        let mut fields = Self::default();
        let mut upgrade_named = false;
        let mut upgrade_to_websocket = false;
        let mut nominates = false;
        for (index, line) in lines.iter().enumerate() {
            let name = Name::of(line.name);
            match name {
                Name::Other => continue,
                Name::Host => {
                    if fields.host.replace(index).is_some() {
                        return Err(Malformed::HostRepeated);
                    }
                    continue;
                }
                Name::ContentLength => {
                    let length = content_length(line.value)?;
                    if fields.content_length.replace(length).is_some() {
                        return Err(Malformed::ContentLengthRepeated);
                    }
                    continue;
                }
                // The body passes in the chunks it came in, so this line goes on with it.
                Name::TransferEncoding => {
                    let known = line.value.eq_ignore_ascii_case(b"chunked");
                    if fields.transfer_encoding.replace(index).is_some() || !known {
                        return Err(Malformed::TransferEncoding);
                    }
                    continue;
                }
                Name::Connection => {
                    for option in options(line.value) {
                        match option.len() {
                            5 if option.eq_ignore_ascii_case(b"close") => fields.close = true,
                            7 if option.eq_ignore_ascii_case(b"upgrade") => upgrade_named = true,
                            10 if option.eq_ignore_ascii_case(b"keep-alive") => {
                                fields.keep_alive = true;
                            }
                            _ => nominates = true,
                        }
                    }
                }
                Name::Upgrade => {
                    upgrade_to_websocket = line.value.eq_ignore_ascii_case(b"websocket");
                }
                Name::HopByHop => {}
            }
            fields.dropped |= 1 << index;
        }
        if fields.is_chunked() && fields.content_length.is_some() {
            return Err(Malformed::FramedTwice);
        }
        if nominates {
            fields.dropped |= nominated(lines);
        }
        fields.websocket = upgrade_named && upgrade_to_websocket;
        Ok(fields)
    }

    pub(crate) fn is_chunked(&self) -> bool {
        self.transfer_encoding.is_some()
    }

    /// Of what asks for a tunnel, CONNECT or a WebSocket, and so has no body: once it is granted, a server
    /// that reads one and a server that does not would take the same bytes for different things.
    pub(super) fn begin_tunnel(&mut self, lines: &[Header<'_>]) -> Result<(), Malformed> {
        if self.is_chunked() {
            return Err(Malformed::TransferEncodingMisplaced);
        }
        if self.content_length.is_some_and(|length| length > 0) {
            return Err(Malformed::ContentLengthMisplaced);
        }
        self.drop_framing(lines);
        Ok(())
    }

    /// Where no body follows, what says how long one is goes no further.
    pub(super) fn drop_framing(&mut self, lines: &[Header<'_>]) {
        self.content_length = None;
        self.transfer_encoding = None;
        for (index, line) in lines.iter().enumerate() {
            if let Name::ContentLength | Name::TransferEncoding = Name::of(line.name) {
                self.dropped |= 1 << index;
            }
        }
    }
}

/// The lines that a `Connection` header names. What frames or directs the message stays: a sender
/// must not be able to have it taken away.
fn nominated(lines: &[Header<'_>]) -> u128 {
    let mut dropped = 0;
    for connection in lines
        .iter()
        .filter(|line| Name::of(line.name) == Name::Connection)
    {
        for option in options(connection.value) {
            for (index, line) in lines.iter().enumerate() {
                if line.name.as_bytes().eq_ignore_ascii_case(option)
                    && !matches!(
                        Name::of(line.name),
                        Name::Host | Name::ContentLength | Name::TransferEncoding
                    )
                {
                    dropped |= 1 << index;
                }
            }
        }
    }
    dropped
}

fn options(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|&byte| byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|option| !option.is_empty())
}

/// Digits alone: no sign, no list, no blank inside; within `u64`.
fn content_length(value: &[u8]) -> Result<u64, Malformed> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(Malformed::ContentLength);
    }
    value
        .iter()
        .try_fold(0u64, |length, digit| {
            length.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        })
        .ok_or(Malformed::ContentLength)
}

/// Where a line starts in the head it was parsed from.
pub(crate) fn start_of(line: &Header<'_>, head: &[u8]) -> usize {
    line.name.as_ptr() as usize - head.as_ptr() as usize
}

/// `httparse` lets a bare LF end a line; two readers could then see different lines.
pub(crate) fn check_line_ends(head: &[u8], lines: &[Header<'_>]) -> Result<(), Malformed> {
    let each_line_ends = lines
        .iter()
        .all(|line| head[..start_of(line, head)].ends_with(b"\r\n"));
    if each_line_ends && head.ends_with(b"\r\n\r\n") {
        Ok(())
    } else {
        Err(Malformed::LineEnd)
    }
}

/// Appends the lines that are not `dropped`, in maximal runs, without the head's last empty line.
pub(crate) fn copy_kept(head: &[u8], lines: &[Header<'_>], mut dropped: u128, out: &mut Vec<u8>) {
    let end = head.len() - 2;
    let mut from = lines.first().map_or(end, |line| start_of(line, head));
    while dropped != 0 {
        let index = dropped.trailing_zeros() as usize;
        dropped &= dropped - 1;
        out.extend_from_slice(&head[from..start_of(&lines[index], head)]);
        from = lines
            .get(index + 1)
            .map_or(end, |line| start_of(line, head));
    }
    out.extend_from_slice(&head[from..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(head: &str) -> String {
        let mut lines = [httparse::EMPTY_HEADER; 16];
        let mut request = httparse::Request::new(&mut lines);
        assert!(request.parse(head.as_bytes()).unwrap().is_complete());
        let fields = Fields::read(request.headers).unwrap();
        let mut out = Vec::new();
        copy_kept(head.as_bytes(), request.headers, fields.dropped, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hop_by_hop_lines_end_here_and_the_others_go_on_untouched() {
        assert_eq!(
            kept(
                "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\ncanary_fleet:true \r\nX-Secret: 1\r\n\
                 CONNECTION: close , x-secret,Host\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n\
                 Transfer-Encoding: chunked\r\nUpgrade: h2c\r\nCookie: b\r\n\r\n"
            ),
            "Host: a\r\ncanary_fleet:true \r\nTransfer-Encoding: chunked\r\nCookie: b\r\n"
        );
    }

    #[test]
    fn a_head_without_lines_keeps_nothing() {
        assert_eq!(kept("GET / HTTP/1.0\r\n\r\n"), "");
    }

    #[test]
    fn first_and_last_lines_can_be_dropped() {
        assert_eq!(
            kept("GET / HTTP/1.1\r\nTE: a\r\nA: b\r\nTE: c\r\n\r\n"),
            "A: b\r\n"
        );
    }

    #[test]
    fn a_length_is_digits_alone() {
        assert_eq!(content_length(b"0042"), Ok(42));
        assert_eq!(content_length(b"18446744073709551615"), Ok(u64::MAX));
        for refused in [
            "",
            "+1",
            "-1",
            "1 2",
            "1,1",
            "0x1",
            "18446744073709551616",
            "1_0",
            "\u{661}",
        ] {
            assert_eq!(
                content_length(refused.as_bytes()),
                Err(Malformed::ContentLength),
                "{refused}"
            );
        }
    }
}
