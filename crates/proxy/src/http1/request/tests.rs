//! Tables of heads that must be read in exactly one way, and of those that must not be read at all.

use proptest::prelude::*;

use super::*;

fn read(head: &[u8]) -> Result<Option<(usize, String, Body, bool)>, Malformed> {
    let mut lines = fields::no_lines();
    let head = parse(head, &mut lines)?;
    Ok(head.map(|head| {
        let authority = head.target.authority.text;
        let asked = format!("{} {authority}{}", head.method, head.target.path_and_query);
        (head.length, asked, head.body(), head.keeps_alive())
    }))
}

#[test]
fn what_is_clear_is_read() {
    for (head, asked, body, keeps_alive) in [
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET a/",
            Body::EMPTY,
            true,
        ),
        (
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET a/",
            Body::EMPTY,
            true,
        ),
        (
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET /",
            Body::EMPTY,
            true,
        ),
        ("GET / HTTP/1.0\r\n\r\n", "GET /", Body::EMPTY, false),
        (
            "CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "CONNECT [::1]:443/",
            Body::EMPTY,
            false,
        ),
        (
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            "GET /",
            Body::EMPTY,
            true,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n",
            "GET a/",
            Body::EMPTY,
            false,
        ),
        (
            "GET /a?b=c HTTP/1.1\r\nHost: a:80\r\n\r\n",
            "GET a:80/a?b=c",
            Body::EMPTY,
            true,
        ),
        (
            "GET http://B:1/a HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET B:1/a",
            Body::EMPTY,
            true,
        ),
        (
            "GET HTTP://b HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET b/",
            Body::EMPTY,
            true,
        ),
        (
            "GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET b/?q",
            Body::EMPTY,
            true,
        ),
        (
            "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
            "OPTIONS [::1]:80*",
            Body::EMPTY,
            true,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n",
            "POST a/",
            Body::Length(7),
            true,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\t CHUNKED \r\n\r\n",
            "POST a/",
            Body::chunked(),
            true,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 9\r\n\r\n",
            "GET a/",
            Body::EMPTY,
            true,
        ),
    ] {
        let expected = (head.len(), asked.to_owned(), body, keeps_alive);
        assert_eq!(read(head.as_bytes()), Ok(Some(expected)), "{head:?}");
    }
}

#[test]
fn what_is_not_clear_is_refused() {
    let name = Malformed::Syntax(httparse::Error::HeaderName);
    let value = Malformed::Syntax(httparse::Error::HeaderValue);
    let token = Malformed::Syntax(httparse::Error::Token);
    let with = |lines: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    for (head, why) in [
        // Two lengths, or none that is certain.
        (
            with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
            Malformed::FramedTwice,
        ),
        (
            with("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"),
            Malformed::FramedTwice,
        ),
        (
            with("Content-Length: 1\r\nContent-Length: 2\r\n"),
            Malformed::ContentLengthRepeated,
        ),
        (
            with("Content-Length: 1\r\ncontent-length: 1\r\n"),
            Malformed::ContentLengthRepeated,
        ),
        (with("Content-Length: 1,1\r\n"), Malformed::ContentLength),
        (with("Content-Length: +1\r\n"), Malformed::ContentLength),
        (with("Content-Length: -1\r\n"), Malformed::ContentLength),
        (with("Content-Length: 0x1\r\n"), Malformed::ContentLength),
        (with("Content-Length: 1 1\r\n"), Malformed::ContentLength),
        (with("Content-Length:\r\n"), Malformed::ContentLength),
        (
            with("Content-Length: 99999999999999999999\r\n"),
            Malformed::ContentLength,
        ),
        // Transfer codings other than `chunked`, once.
        (
            with("Transfer-Encoding: xchunked\r\n"),
            Malformed::TransferEncoding,
        ),
        (
            with("Transfer-Encoding: identity\r\n"),
            Malformed::TransferEncoding,
        ),
        (
            with("Transfer-Encoding: gzip, chunked\r\n"),
            Malformed::TransferEncoding,
        ),
        (
            with("Transfer-Encoding: chunked, identity\r\n"),
            Malformed::TransferEncoding,
        ),
        (
            with("Transfer-Encoding: chunked, chunked\r\n"),
            Malformed::TransferEncoding,
        ),
        (
            with("Transfer-Encoding: \"chunked\"\r\n"),
            Malformed::TransferEncoding,
        ),
        (with("Transfer-Encoding:\r\n"), Malformed::TransferEncoding),
        (
            with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
            Malformed::TransferEncoding,
        ),
        (
            with("Transfer-Encoding: chunked\r\nTransfer-encoding: identity\r\n"),
            Malformed::TransferEncoding,
        ),
        (with("Transfer-Encoding: \x0bchunked\r\n"), value),
        (
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            Malformed::TransferEncodingMisplaced,
        ),
        // Lines that another reader could cut elsewhere.
        (with("Transfer-Encoding : chunked\r\n"), name),
        (with("Transfer-Encoding\t: chunked\r\n"), name),
        (with(" Transfer-Encoding: chunked\r\n"), name),
        (with("A: b\r\n c\r\n"), name),
        (with("A: b\r\n\tc\r\n"), name),
        (with("A: b\nContent-Length: 1\r\n"), Malformed::LineEnd),
        (with("A: b\rContent-Length: 1\r\n"), value),
        (with("A: b\r\r\n"), value),
        (with("A: b\0c\r\n"), value),
        (with("A\0: b\r\n"), name),
        (with(": b\r\n"), name),
        (with("A\r\n"), name),
        (
            "GET / HTTP/1.1\nHost: a\r\n\r\n".to_owned(),
            Malformed::LineEnd,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n\n".to_owned(),
            Malformed::LineEnd,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\n\n".to_owned(),
            Malformed::LineEnd,
        ),
        (
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::LineEnd,
        ),
        (
            "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::LineEnd,
        ),
        // Request lines.
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), token),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), token),
        (
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Version,
        ),
        (
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Version,
        ),
        (
            "GET / HTTP/1.2\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Version,
        ),
        (
            "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Target,
        ),
        (
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Target,
        ),
        (
            "GET a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Target,
        ),
        (
            "GET http:// HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Target,
        ),
        (
            "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Target,
        ),
        (
            "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Scheme,
        ),
        (
            "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Target,
        ),
        (
            "CONNECT :443 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Target,
        ),
        (
            "CONNECT u@a:443 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Target,
        ),
        (
            "CONNECT a HTTP/1.1\r\nHost: a:443\r\n\r\n".to_owned(),
            Malformed::Port,
        ),
        (
            "CONNECT a: HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Port,
        ),
        (
            "CONNECT a:0 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::Port,
        ),
        (
            "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n".to_owned(),
            Malformed::ContentLengthMisplaced,
        ),
        (
            "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            Malformed::TransferEncodingMisplaced,
        ),
        // Whom it is for.
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), Malformed::HostMissing),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n".to_owned(),
            Malformed::HostRepeated,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(),
            Malformed::Host,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n".to_owned(),
            Malformed::Host,
        ),
        (
            "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n".to_owned(),
            Malformed::Host,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n".to_owned(),
            Malformed::Host,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a:70000\r\n\r\n".to_owned(),
            Malformed::Host,
        ),
        (
            "GET / HTTP/1.1\r\nHost: [a]\r\n\r\n".to_owned(),
            Malformed::Host,
        ),
        (
            "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n".to_owned(),
            Malformed::Host,
        ),
    ] {
        assert_eq!(read(head.as_bytes()), Err(why), "{head:?}");
    }
}

#[test]
fn heads_are_bounded() {
    let long_line = format!(
        "GET /{} HTTP/1.1\r\nHost: a\r\n\r\n",
        "a".repeat(MAX_REQUEST_LINE)
    );
    assert_eq!(
        read(long_line.as_bytes()),
        Err(Malformed::RequestLineTooLong)
    );
    let unfinished = vec![b'a'; MAX_REQUEST_LINE + 1];
    assert_eq!(read(&unfinished), Err(Malformed::RequestLineTooLong));

    let large = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n",
        "a".repeat(MAX_HEAD)
    );
    assert_eq!(read(large.as_bytes()), Err(Malformed::HeadTooLarge));
    assert_eq!(
        read(&large.as_bytes()[..MAX_HEAD + 1]),
        Err(Malformed::HeadTooLarge)
    );

    let many = format!(
        "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "A: b\r\n".repeat(100)
    );
    assert_eq!(read(many.as_bytes()).map_err(Malformed::status), Err(431));
    let enough = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(99));
    assert!(matches!(read(enough.as_bytes()), Ok(Some(_))));
}

proptest! {
    #[test]
    fn a_head_fed_byte_by_byte_is_read_the_same(head in arbitrary_head()) {
        let whole = read(&head);
        let first_verdict = (1..=head.len())
            .map(|length| read(&head[..length]))
            .find(|verdict| *verdict != Ok(None))
            .unwrap_or(Ok(None));
        match (whole, first_verdict) {
            (Err(_), Err(_)) => {}
            (whole, by_byte) => prop_assert_eq!(whole, by_byte),
        }
    }

    #[test]
    fn what_is_sent_on_means_the_same_to_the_next_hop(head in arbitrary_head()) {
        crate::fuzzing::request_head(&head);
    }

    #[test]
    fn nothing_from_outside_panics(head in proptest::collection::vec(any::<u8>(), 0..200)) {
        crate::fuzzing::request_head(&head);
    }
}

/// Heads near enough to valid ones to reach every rule.
fn arbitrary_head() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just("Host: a\r\n".to_owned()),
        Just("Content-Length: 3\r\n".to_owned()),
        Just("Transfer-Encoding: chunked\r\n".to_owned()),
        Just("Connection: close, x\r\nX: y\r\n".to_owned()),
        Just("Connection: upgrade\r\nUpgrade: websocket\r\n".to_owned()),
        Just("TE: trailers\r\n".to_owned()),
        "[A-Za-z_-]{1,6}: ?[ -~]{0,8}\r\n",
        "[A-Za-z :\t]{0,6}[\r\n]{0,2}",
    ];
    let start = prop_oneof![
        Just("GET / HTTP/1.1\r\n".to_owned()),
        Just("POST http://b/c?d HTTP/1.1\r\n".to_owned()),
        Just("CONNECT b:443 HTTP/1.1\r\n".to_owned()),
        Just("GET / HTTP/1.0\r\n".to_owned()),
        "\r?\n?[A-Z]{1,4} [ -~]{1,6} HTTP/1.[0-2]\r?\n",
    ];
    let end = prop_oneof![
        Just("\r\n"),
        Just("\n"),
        Just(""),
        Just("\r\nGET / HTTP/1.1\r\n")
    ];
    (start, proptest::collection::vec(line, 0..5), end)
        .prop_map(|(start, lines, end)| format!("{start}{}{end}", lines.concat()).into_bytes())
}
