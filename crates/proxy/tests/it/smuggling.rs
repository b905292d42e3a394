//! Requests that two readers could cut differently: none of them reaches a server, and nothing of them
//! is ever taken for another request.

use testkit::raw::RawServer;

use crate::mesh::{Proxy, gateway_to, get};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// What a request may be hidden behind, and the status that says that it was noticed.
pub(crate) fn corpus() -> Vec<(&'static str, String, u16)> {
    let post = |lines: &str, body: &str| {
        format!("POST /first HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}{SMUGGLED}")
    };
    let websocket = |lines: &str, body: &str| {
        let asks = "Connection: upgrade\r\nUpgrade: websocket\r\n";
        format!("GET /first HTTP/1.1\r\nHost: a\r\n{asks}{lines}\r\n{body}{SMUGGLED}")
    };
    let chunked = "Transfer-Encoding: chunked\r\n";
    let length = SMUGGLED.len();
    vec![
        (
            "6.3: CL.TE",
            post(
                &format!("Content-Length: {}\r\n{chunked}", length + 5),
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "6.3: TE.CL",
            post(&format!("{chunked}Content-Length: 4\r\n"), "5c\r\n"),
            400,
        ),
        (
            "6.1: TE.TE",
            post(&format!("{chunked}Transfer-Encoding: x\r\n"), "0\r\n\r\n"),
            400,
        ),
        (
            "6.1: TE.TE, twice chunked",
            post(&format!("{chunked}{chunked}"), "0\r\n\r\n"),
            400,
        ),
        (
            "5.1: TE hidden by a space",
            post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "5.1: TE hidden by a tab",
            post(
                "Transfer-Encoding:\tchunked\r\nTransfer-Encoding\t:x\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "5: TE hidden by a vertical tab",
            post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "5.2: TE hidden by a fold",
            post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "2.2: TE hidden by a bare LF",
            post("A: b\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "2.2: TE hidden by a bare CR",
            post("A: b\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "6.1: TE of another coding",
            post("Transfer-Encoding: gzip\r\n", ""),
            400,
        ),
        (
            "6.1: TE with HTTP/1.0",
            format!("POST / HTTP/1.0\r\nHost: a\r\n{chunked}\r\n0\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "6.3: CL.CL",
            post(
                &format!("Content-Length: 0\r\nContent-Length: {length}\r\n"),
                "",
            ),
            400,
        ),
        (
            "6.3: CL list",
            post(&format!("Content-Length: 0, {length}\r\n"), ""),
            400,
        ),
        (
            "6.2: CL with a sign",
            post("Content-Length: +0\r\n", ""),
            400,
        ),
        (
            "6.2: CL in hexadecimal",
            post("Content-Length: 0x0\r\n", ""),
            400,
        ),
        (
            "6.2: CL out of range",
            post("Content-Length: 18446744073709551616\r\n", ""),
            400,
        ),
        ("6.2: CL with NUL", post("Content-Length: 0\0\r\n", ""), 400),
        (
            "2.2: CL hidden by a leading space",
            post(" Content-Length: 0\r\n", ""),
            400,
        ),
        (
            "7.1: chunk size with a sign",
            post(chunked, "+0\r\n\r\n"),
            400,
        ),
        ("7.1: chunk size with 0x", post(chunked, "0x0\r\n\r\n"), 400),
        (
            "7.1: chunk size out of range",
            post(chunked, "100000000000000000\r\n"),
            400,
        ),
        (
            "7.1: chunk size ended by LF",
            post(chunked, "1\nA\r\n0\r\n\r\n"),
            400,
        ),
        (
            "7.1: chunk longer than its size",
            post(chunked, "1\r\nAB\r\n0\r\n\r\n"),
            400,
        ),
        (
            "7.1: chunk ended by LF",
            post(chunked, "1\r\nA\n0\r\n\r\n"),
            400,
        ),
        (
            "7.1.1: chunk extension with LF",
            post(chunked, "0;\n\r\n\r\n"),
            400,
        ),
        (
            "7.1.2: trailer ended by LF",
            post(chunked, "0\r\nA: b\n\r\n"),
            400,
        ),
        (
            "3.2: two hosts",
            format!("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "3.2: a host with a path",
            format!("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "3: a space in the target",
            format!("GET /a HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "2.2: a request line ended by LF",
            format!("GET / HTTP/1.1\nHost: a\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "2.2: a head ended by LF",
            format!("GET / HTTP/1.1\r\nHost: a\r\n\n{SMUGGLED}"),
            400,
        ),
        (
            "6.3: CL.CL that agree",
            post("Content-Length: 0\r\nContent-Length: 0\r\n", ""),
            400,
        ),
        (
            "6.1: TE of a list",
            post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "6.1: TE quoted",
            post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "6.1: TE empty",
            post("Transfer-Encoding:\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "5.1: CL hidden by a space before its colon",
            post(&format!("Content-Length : {length}\r\n"), ""),
            400,
        ),
        (
            "5.1: a line without a colon",
            post("Content-Length\r\n", ""),
            400,
        ),
        ("5.1: a line without a name", post(": 0\r\n", ""), 400),
        ("5.2: a folded value", post("A: b\r\n\tc\r\n", ""), 400),
        (
            "7.1: chunk size that is empty",
            post(chunked, "\r\n\r\n"),
            400,
        ),
        (
            "7.1: chunk size with a space",
            post(chunked, "0 \r\n\r\n"),
            400,
        ),
        (
            "7.1: chunk size of seventeen digits",
            post(chunked, "00000000000000000\r\n\r\n"),
            400,
        ),
        (
            "7.1.1: chunk extension with a bare CR",
            post(chunked, "0;a\rb\r\n\r\n"),
            400,
        ),
        (
            "7.1.2: trailer that is folded",
            post(chunked, "0\r\nA: b\r\n c\r\n\r\n"),
            400,
        ),
        (
            "3.2: no host",
            format!("GET / HTTP/1.1\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "3.2.2: an absolute target of another scheme",
            format!("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "3.2.2: an absolute target with a user",
            format!("GET http://b@a/ HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "3.2: a target with a fragment",
            format!("GET /#/smuggled HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "3.2.3: CONNECT without a port",
            format!("CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "3.2.3: CONNECT to a path",
            format!("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "3.2.3: CONNECT to an absolute target",
            format!("CONNECT http://a:80 HTTP/1.1\r\nHost: a\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "6.3: CONNECT with a length",
            format!(
                "CONNECT a:80 HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{SMUGGLED}"
            ),
            400,
        ),
        (
            "6.3: CONNECT with chunks",
            format!("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n{chunked}\r\n0\r\n\r\n{SMUGGLED}"),
            400,
        ),
        (
            "6.3: a WebSocket with a length",
            websocket(&format!("Content-Length: {length}\r\n"), ""),
            400,
        ),
        (
            "6.3: a WebSocket with chunks",
            websocket(chunked, "0\r\n\r\n"),
            400,
        ),
        (
            "6.3: a WebSocket by POST with chunks that hold the request",
            websocket(chunked, &format!("{length:x}\r\n")).replacen("GET", "POST", 1),
            400,
        ),
        (
            "2.3: a version that is unknown",
            format!("GET / HTTP/1.2\r\nHost: a\r\n\r\n{SMUGGLED}"),
            505,
        ),
    ]
}

#[tokio::test]
async fn nothing_ambiguous_reaches_a_server() {
    let server = RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await
        .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    for (name, bytes, status) in corpus() {
        // At once, and with the smuggled part arriving later.
        for cut in [bytes.len(), bytes.len() - SMUGGLED.len()] {
            let mut client = proxy.client().await;
            client.send(&bytes[..cut]).await.unwrap();
            let response = client.response(false).await.unwrap();
            assert_eq!(response.status, status, "{name}: {}", response.text());
            assert_eq!(response.header("connection"), Some("close"), "{name}");
            // The connection may be closed already; what counts is that nothing more is answered.
            drop(client.send(&bytes[cut..]).await);
            assert_eq!(client.read_to_end().await, b"", "{name}: answered twice");
        }
    }
    // A body whose framing broke only after the head had been sent on ends its connection too.
    let seen = server.seen();
    assert!(
        seen.iter().all(|bytes| !bytes.contains("/smuggled")),
        "{seen:?}"
    );
}

/// A chunked body that breaks in the middle, once the server has had the beginning.
#[tokio::test]
async fn a_body_that_breaks_later_takes_its_connections_with_it() {
    let server = RawServer::start(|_| testkit::raw::Reaction::Wait)
        .await
        .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let mut client = proxy.client().await;
    client
        .send("POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        .await
        .unwrap();
    testkit::until("the first chunk arrives", async || {
        server
            .seen()
            .first()
            .is_some_and(|seen| seen.ends_with("hello\r\n"))
    })
    .await;
    client.send(format!("-1\r\n{SMUGGLED}")).await.unwrap();
    let response = client.response(false).await.unwrap();
    assert_eq!(response.status, 400, "{}", response.text());
    assert_eq!(client.read_to_end().await, b"");
    assert!(server.seen().iter().all(|seen| !seen.contains("smuggled")));
}

/// What a request leaves behind on a pooled connection would be the next client's response.
#[tokio::test]
async fn a_response_never_answers_another_request() {
    let two = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
    for answer in [
        two,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        let server = RawServer::answering(answer).await.unwrap();
        let proxy = Proxy::running(&gateway_to(server.address)).await;
        let mut client = proxy.client().await;
        for _ in 0..3 {
            let response = client.ask(get("/")).await.unwrap();
            assert!(
                response.text().contains("ok"),
                "{answer:?}: {}",
                response.text()
            );
        }
        let each_alone = server
            .seen()
            .iter()
            .all(|seen| seen.matches("GET /").count() == 1);
        assert!(each_alone, "{answer:?}: {:?}", server.seen());
    }
}

#[tokio::test]
async fn ambiguous_responses_are_not_passed_on() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        "HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "what is this\r\n\r\n",
    ] {
        let server = RawServer::answering(answer).await.unwrap();
        let proxy = Proxy::running(&gateway_to(server.address)).await;
        let response = proxy.get("/").await;
        assert_eq!(response.status, 502, "{answer:?}");
        assert!(
            response.text().contains("answer was not valid"),
            "{}",
            response.text()
        );
    }
}
