//! RFC 9110 and 9112 on responses: what the client gets of each, byte for byte, or that it gets 502.

/// A service's answer to `GET /`.
pub(super) struct Response {
    pub(super) clause: &'static str,
    pub(super) what: &'static str,
    pub(super) sent: &'static str,
    pub(super) got: Got,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Got {
    AsItCame,
    Changed(&'static str),
    BadGateway,
}

const fn case(clause: &'static str, what: &'static str, sent: &'static str, got: Got) -> Response {
    Response {
        clause,
        what,
        sent,
        got,
    }
}

pub(super) const CASES: [Response; 25] = [
    case(
        "RFC 9112 4",
        "a status line without a reason",
        "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
        Got::AsItCame,
    ),
    case(
        "RFC 9110 15",
        "a status that nobody knows",
        "HTTP/1.1 299 Fine\r\nContent-Length: 2\r\n\r\nok",
        Got::AsItCame,
    ),
    case(
        "RFC 9110 15.2",
        "an interim response before the final one",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        Got::AsItCame,
    ),
    case(
        "RFC 9110 15.3.5",
        "204 ends with its head",
        "HTTP/1.1 204 No Content\r\n\r\n",
        Got::AsItCame,
    ),
    case(
        "RFC 9110 15.4.5",
        "304 ends with its head, whatever its length",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        Got::AsItCame,
    ),
    case(
        "RFC 9110 7.6.1",
        "Connection, what it names, and Keep-Alive",
        "HTTP/1.1 200 OK\r\nConnection: x-a\r\nX-A: 1\r\nKeep-Alive: 5\r\nX-B: 2\r\nContent-Length: 2\r\n\r\nok",
        Got::Changed("HTTP/1.1 200 OK\r\nX-B: 2\r\nContent-Length: 2\r\n\r\nok"),
    ),
    case(
        "RFC 9110 7.8",
        "Upgrade that only advertises",
        "HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nok",
        Got::Changed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ),
    case(
        "RFC 9112 7.1",
        "chunks, with extensions and trailers",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
        Got::AsItCame,
    ),
    case(
        "RFC 9110 6.5.1",
        "trailers that had to come before the body",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 9\r\nX-Sum: 7\r\nSet-Cookie: a=b\r\n\r\n",
        Got::Changed(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
        ),
    ),
    case(
        "RFC 9112 6.3",
        "a length and chunks",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        Got::BadGateway,
    ),
    case(
        "RFC 9112 6.3",
        "two lengths that differ",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        Got::BadGateway,
    ),
    case(
        "RFC 9112 6.3",
        "two lengths that agree",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        Got::BadGateway,
    ),
    case(
        "RFC 9112 6.3",
        "a list of lengths",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        Got::BadGateway,
    ),
    case(
        "RFC 9110 8.6",
        "a negative length",
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        Got::BadGateway,
    ),
    case(
        "RFC 9112 6.1",
        "a coding that is not chunked",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        Got::BadGateway,
    ),
    case(
        "RFC 9112 6.1",
        "chunks in 204",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Got::BadGateway,
    ),
    case(
        "RFC 9112 6.1",
        "chunks in HTTP/1.0",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Got::BadGateway,
    ),
    case(
        "RFC 9110 8.6",
        "a length in 204",
        "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
        Got::BadGateway,
    ),
    case(
        "RFC 9110 15.2.2",
        "101 that nobody asked for",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        Got::BadGateway,
    ),
    case(
        "RFC 9112 2.2",
        "a status line ended by LF",
        "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
        Got::BadGateway,
    ),
    case(
        "RFC 9112 2.2",
        "a line before the status line",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        Got::BadGateway,
    ),
    case(
        "RFC 9112 5.1",
        "a space before a colon",
        "HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 2\r\n\r\nok",
        Got::BadGateway,
    ),
    case(
        "RFC 9112 5.2",
        "a folded line",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
        Got::BadGateway,
    ),
    case(
        "RFC 9112 7.1",
        "a chunk size with a sign",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        Got::BadGateway,
    ),
    case(
        "RFC 9112 4",
        "no HTTP",
        "what is this\r\n\r\n",
        Got::BadGateway,
    ),
];
