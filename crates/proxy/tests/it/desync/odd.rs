//! Messages that are legal, but that readers are known to cut differently. Each ends with a request that
//! must be answered as one of its own.

/// A message, and the texts of the answers to the requests in it.
pub(super) struct Odd {
    pub(super) name: &'static str,
    pub(super) bytes: String,
    pub(super) answers: &'static [&'static str],
    /// Servers are stricter than they must be: nginx knows no coding with a tab beside it.
    pub(super) may_be_refused: bool,
}

/// What a body may look like without being a request.
const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const SECOND: &str = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";

pub(super) fn messages() -> Vec<Odd> {
    let posted: &[&str] = &["POST /first", "GET /second"];
    let post = |name, lines: &str, body: &str| Odd {
        name,
        bytes: format!("POST /first HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}{SECOND}"),
        answers: posted,
        may_be_refused: false,
    };
    let chunked = "Transfer-Encoding: chunked\r\n";
    let length = HIDDEN.len();
    vec![
        post(
            "a body that is a request",
            &format!("Content-Length: {length}\r\n"),
            HIDDEN,
        ),
        post(
            "a chunk that is a request",
            chunked,
            &format!("{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n"),
        ),
        post(
            "chunks that cut a request",
            chunked,
            &format!(
                "3\r\nGET\r\n{:x}\r\n{}\r\n0\r\n\r\n",
                length - 3,
                &HIDDEN[3..]
            ),
        ),
        post("no body, by length", "Content-Length: 0\r\n", ""),
        post("no body, by chunks", chunked, "0\r\n\r\n"),
        post("no body, by neither", "", ""),
        post(
            "a length with leading zeros",
            "Content-Length: 0005\r\n",
            "hello",
        ),
        post(
            "a coding in capitals",
            "TRANSFER-ENCODING: Chunked\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
        ),
        post(
            "a coding between spaces",
            "Transfer-Encoding:   chunked   \r\n",
            "5\r\nhello\r\n0\r\n\r\n",
        ),
        Odd {
            may_be_refused: true,
            ..post(
                "a coding between tabs",
                "Transfer-Encoding:\tchunked\t\r\n",
                "5\r\nhello\r\n0\r\n\r\n",
            )
        },
        post("sizes in capitals", chunked, "A\r\nhellohello\r\n0\r\n\r\n"),
        post(
            "a size with leading zeros",
            chunked,
            "0005\r\nhello\r\n00\r\n\r\n",
        ),
        post(
            "a chunk extension",
            chunked,
            "5;a=b\r\nhello\r\n0;c\r\n\r\n",
        ),
        post(
            "a quoted chunk extension",
            chunked,
            "5;a=\"0;b\"\r\nhello\r\n0\r\n\r\n",
        ),
        post(
            "trailers",
            chunked,
            "5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n",
        ),
        // h11 reads trailers as it reads heads, and would refuse a coding called x.
        post(
            "trailers that claim a length",
            chunked,
            "5\r\nhello\r\n0\r\nContent-Length: 100\r\nTransfer-Encoding: x\r\n\r\n",
        ),
        post(
            "a field that the hop names as its own",
            "Connection: close-not, x-hop\r\nX-Hop: 1\r\nContent-Length: 5\r\n",
            "hello",
        ),
        post(
            "a length that the hop names as its own",
            "Connection: content-length\r\nContent-Length: 5\r\n",
            "hello",
        ),
        post(
            "an upgrade that is none",
            "Upgrade: h2c\r\nConnection: Upgrade\r\n",
            "",
        ),
        Odd {
            name: "GET with a body that is a request",
            bytes: format!(
                "GET /first HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{HIDDEN}{SECOND}"
            ),
            answers: &["GET /first", "GET /second"],
            may_be_refused: false,
        },
        Odd {
            name: "HEAD, whose answer has a length and no body",
            bytes: format!("HEAD /first HTTP/1.1\r\nHost: a\r\n\r\n{SECOND}"),
            answers: &["HEAD /first", "GET /second"],
            may_be_refused: false,
        },
        Odd {
            name: "an absolute target",
            bytes: format!("GET http://a/first HTTP/1.1\r\nHost: a\r\n\r\n{SECOND}"),
            answers: &["GET /first", "GET /second"],
            may_be_refused: false,
        },
        Odd {
            name: "an absolute target and another host",
            bytes: format!("GET http://b/first HTTP/1.1\r\nHost: a\r\n\r\n{SECOND}"),
            answers: &["GET /first", "GET /second"],
            may_be_refused: false,
        },
        Odd {
            name: "an expectation",
            bytes: format!(
                "POST /first HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n{HIDDEN}{SECOND}"
            ),
            answers: posted,
            may_be_refused: false,
        },
    ]
}
