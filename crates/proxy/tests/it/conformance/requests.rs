//! RFC 9110 and 9112 on requests that are legal: what of each goes on to the service, byte for byte.

/// A request on a connection that goes on.
pub(super) struct Request {
    pub(super) clause: &'static str,
    pub(super) what: &'static str,
    pub(super) sent: &'static str,
    /// What the service gets; `None` if that is what was sent.
    pub(super) passed: Option<&'static str>,
}

const fn as_it_came(clause: &'static str, what: &'static str, sent: &'static str) -> Request {
    Request {
        clause,
        what,
        sent,
        passed: None,
    }
}

const fn changed(
    clause: &'static str,
    what: &'static str,
    sent: &'static str,
    passed: &'static str,
) -> Request {
    Request {
        clause,
        what,
        sent,
        passed: Some(passed),
    }
}

pub(super) const CASES: [Request; 29] = [
    changed(
        "RFC 9112 2.2",
        "an empty line before the request line",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    changed(
        "RFC 9110 6.2",
        "a request of HTTP/1.0 goes on in this hop's own version",
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    as_it_came(
        "RFC 9110 9.1",
        "a method that nobody knows",
        "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    as_it_came(
        "RFC 9110 9.3.8",
        "TRACE",
        "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    as_it_came(
        "RFC 9112 3.2.1",
        "a target with a query",
        "GET /p?q=%20&r HTTP/1.1\r\nHost: a:80\r\n\r\n",
    ),
    changed(
        "RFC 9112 3.2.1",
        "a target with dot segments and what need not be encoded, normalised as App Mesh has it",
        "GET /a/./b/../%7Ec HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a/~c HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    changed(
        "RFC 9112 3.2.2",
        "an absolute target and another Host: the target decides",
        "GET http://b:80/p?q HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /p?q HTTP/1.1\r\nhost: b:80\r\n\r\n",
    ),
    changed(
        "RFC 9112 3.2.2",
        "an absolute target without a path",
        "GET http://b HTTP/1.1\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: b\r\n\r\n",
    ),
    as_it_came(
        "RFC 9112 5.1",
        "no space after a colon, and tabs and spaces around a value",
        "GET / HTTP/1.1\r\nHost:a\r\nX:1\r\nY: \t2 \t\r\n\r\n",
    ),
    as_it_came(
        "RFC 9110 5.1",
        "a name of every character that names may have",
        "GET / HTTP/1.1\r\nHost: a\r\n!#$%&'*+-.^_`|~09azAZ: 1\r\n\r\n",
    ),
    as_it_came(
        "RFC 9110 5.3",
        "a field on several lines, in order",
        "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nY: 2\r\nX: 3\r\n\r\n",
    ),
    as_it_came(
        "RFC 9110 5.5",
        "a value that is empty",
        "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\r\n",
    ),
    changed(
        "RFC 9110 7.6.1",
        "Connection, and the fields that it names",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: x-a, keep-alive\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-B: 2\r\n\r\n",
    ),
    changed(
        "RFC 9110 7.6.1",
        "Connection that names Content-Length and Host: both stay",
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: content-length, host\r\nContent-Length: 2\r\n\r\nok",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok",
    ),
    changed(
        "RFC 9110 7.6.1",
        "Keep-Alive, Proxy-Connection and TE",
        "GET / HTTP/1.1\r\nHost: a\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\nTE: trailers\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    changed(
        "RFC 9110 7.8",
        "an upgrade to a protocol that is not carried is not asked for",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    as_it_came(
        "RFC 9110 8.6",
        "a body by its length",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    ),
    as_it_came(
        "RFC 9110 8.6",
        "a length of 0",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    ),
    as_it_came(
        "RFC 9110 9.3.1",
        "GET with a body",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    ),
    as_it_came(
        "RFC 9110 10.1.1",
        "Expect: 100-continue",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
    ),
    as_it_came(
        "RFC 9112 6.3",
        "neither a length nor chunks: no body",
        "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    as_it_came(
        "RFC 9112 7.1",
        "chunks, their sizes in either case and with zeros before them",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nhellohello\r\n00a\r\nhellohello\r\n0\r\n\r\n",
    ),
    as_it_came(
        "RFC 9112 7",
        "the coding's name in capitals",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    as_it_came(
        "RFC 9112 7.1.1",
        "chunk extensions, quoted ones too",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b;c=\"0;d\"\r\nok\r\n0;e\r\n\r\n",
    ),
    as_it_came(
        "RFC 9112 7.1.2",
        "trailers",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\nY:\r\n\r\n",
    ),
    changed(
        "RFC 9110 6.5.1",
        "trailers that had to come before the body",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nHost: b\r\nX-Sum: 7\r\nContent-Length: 9\r\nTRANSFER-ENCODING: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
    ),
    as_it_came(
        "RFC 9110 7.6.2",
        "Max-Forwards: this hop is not counted",
        "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n",
    ),
    as_it_came(
        "RFC 9110 7.6.3",
        "Via: this hop adds none",
        "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 x\r\n\r\n",
    ),
    as_it_came(
        "RFC 9110 11.6.2",
        "credentials",
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YTpi\r\nCookie: c=d\r\n\r\n",
    ),
];
