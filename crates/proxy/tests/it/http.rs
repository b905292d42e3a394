//! HTTP/1.1 as seen from both sides: connections, versions, interim responses, what passes and what not.

use testkit::Backend;
use testkit::raw::{RawClient, RawServer, Reaction};

use crate::mesh::{Proxy, gateway_to, get};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A proxy in front of a server that answers every head alike.
async fn in_front_of(response: &str) -> (Proxy, RawServer) {
    let server = RawServer::answering(response).await.unwrap();
    (Proxy::running(&gateway_to(server.address)).await, server)
}

#[tokio::test]
async fn connections_are_kept_on_both_sides() {
    let backend = Backend::saying("hello").await.unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let mut client = proxy.client().await;
    for _ in 0..50 {
        let response = client.ask(get("/a")).await.unwrap();
        assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    }
    assert_eq!((backend.requests(), backend.connections()), (50, 1));
}

#[tokio::test]
async fn a_head_goes_on_as_it_came_but_for_this_hop() {
    let (proxy, server) = in_front_of(OK).await;
    let response = proxy
        .ask(
            "GET /a//b?c HTTP/1.1\r\nhOsT: crystal.local\r\ncanary_fleet:  true\r\nTE: trailers\r\n\
             Connection: keep-alive, x-drop\r\nKeep-Alive: 3\r\nX-Drop: 1\r\nX-Keep: 2\r\n\r\n",
        )
        .await;
    assert_eq!(
        format!("{}ok", response.head),
        OK,
        "a clean head is not touched"
    );
    assert_eq!(
        server.seen(),
        ["GET /a/b?c HTTP/1.1\r\nhOsT: crystal.local\r\ncanary_fleet:  true\r\nX-Keep: 2\r\n\r\n"]
    );
}

#[tokio::test]
async fn a_responses_hop_by_hop_lines_end_here() {
    let (proxy, _server) = in_front_of(
        "HTTP/1.1 200 Fine\r\nConnection: keep-alive, X-Drop\r\nX-Drop: 1\r\nKeep-Alive: timeout=5\r\n\
         Content-Length: 2\r\nX_Keep: 1\r\n\r\nok",
    )
    .await;
    let response = proxy.get("/").await;
    assert_eq!(
        response.head,
        "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX_Keep: 1\r\n\r\n"
    );
    assert_eq!(response.text(), "ok");
}

#[tokio::test]
async fn the_absolute_form_says_whom_it_is_for() {
    let (proxy, server) = in_front_of(OK).await;
    let request = "GET http://other.local:81?q HTTP/1.1\r\nHost: crystal.local\r\n\r\n";
    assert_eq!(proxy.ask(request).await.status, 200);
    assert_eq!(
        server.seen(),
        ["GET /?q HTTP/1.1\r\nhost: other.local:81\r\n\r\n"]
    );
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let backend = Backend::answering(|request| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        hyper::Response::new(format!("{} {body}", request.uri().path()).into())
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let requests: Vec<String> = (0..100)
        .map(|number| match number % 3 {
            0 => get(&format!("/{number}")),
            1 => format!(
                "POST /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{number:05}"
            ),
            _ => format!(
                "POST /{number} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\
                 3\r\nabc\r\n0\r\n\r\n"
            ),
        })
        .collect();
    let requests = requests.concat();
    // All at once, and cut where no message ends.
    for piece in [requests.len(), 37] {
        let mut client = proxy.client().await;
        for piece in requests.as_bytes().chunks(piece) {
            client.send(piece).await.unwrap();
        }
        for number in 0..100 {
            let body = match number % 3 {
                0 => String::new(),
                1 => format!("{number:05}"),
                _ => "abc".to_owned(),
            };
            let response = client.response(false).await.unwrap();
            assert_eq!(response.text(), format!("/{number} {body}"));
        }
    }
}

#[tokio::test]
async fn http_1_0_clients_get_what_they_understand() {
    let (proxy, server) = in_front_of(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n1;x\r\n!\r\n0\r\n\r\n",
    )
    .await;
    let mut client = proxy.client().await;
    client.send("GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let response = String::from_utf8(client.read_to_end().await).unwrap();
    assert_eq!(response, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok!");
    assert_eq!(server.seen(), ["GET / HTTP/1.1\r\nhost: \r\n\r\n"]);

    let (proxy, _server) = in_front_of(OK).await;
    let mut client = proxy.client().await;
    for _ in 0..2 {
        let response = client
            .ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            .await
            .unwrap();
        assert_eq!(response.header("connection"), Some("keep-alive"));
    }
    client.send("GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let response = String::from_utf8(client.read_to_end().await).unwrap();
    assert!(response.contains("connection: close"), "{response}");
}

#[tokio::test]
async fn http_1_0_servers_are_understood() {
    let server = RawServer::start(|_| {
        Reaction::SendAndClose(b"HTTP/1.0 200 OK\r\nX: y\r\n\r\nuntil the end".to_vec())
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let mut client = proxy.client().await;
    client.send(get("/")).await.unwrap();
    assert_eq!(
        String::from_utf8(client.read_to_end().await).unwrap(),
        "HTTP/1.1 200 OK\r\nX: y\r\nconnection: close\r\n\r\nuntil the end"
    );
}

#[tokio::test]
async fn responses_without_a_body_end_with_their_head() {
    for (response, request) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n",
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "HTTP/1.1 204 No Content\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "HTTP/1.1 304 Not\r\nContent-Length: 99\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
    ] {
        let (proxy, server) = in_front_of(response).await;
        let mut client = proxy.client().await;
        for _ in 0..2 {
            client.send(request).await.unwrap();
            let head = client.read_until(b"\r\n\r\n").await.unwrap();
            assert_eq!(String::from_utf8(head).unwrap(), response);
        }
        assert_eq!(server.seen().len(), 1, "the connection is used again");
    }
}

#[tokio::test]
async fn interim_responses_are_relayed() {
    let server = RawServer::start(|come| match come {
        come if come.ends_with(b"the body") => Reaction::Send(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
              HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
                .to_vec(),
        ),
        come if come.ends_with(b"\r\n\r\n") => {
            Reaction::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())
        }
        _ => Reaction::Wait,
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let mut client = proxy.client().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n";
    for _ in 0..2 {
        client.send(head).await.unwrap();
        assert_eq!(client.response(false).await.unwrap().status, 100);
        client.send("the body").await.unwrap();
        let early = client.response(false).await.unwrap();
        assert_eq!((early.status, early.header("link")), (103, Some("</a>")));
        assert_eq!(client.response(false).await.unwrap().text(), "ok");
    }
}

#[tokio::test]
async fn trailers_and_chunk_extensions_pass_with_their_chunks() {
    let body = "5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";
    let server = RawServer::start(move |come| {
        if come.ends_with(b"X-Sum: 1\r\n\r\n") {
            Reaction::Send(
                format!(
                    "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
                )
                .into_bytes(),
            )
        } else {
            Reaction::Wait
        }
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let mut client = proxy.client().await;
    for _ in 0..2 {
        client
            .send(format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}"
            ))
            .await
            .unwrap();
        let response = client.read_until(b"X-Sum: 1\r\n\r\n").await.unwrap();
        assert!(response.ends_with(body.as_bytes()));
    }
    assert!(server.seen()[0].ends_with(body));
}

#[tokio::test]
async fn a_response_may_come_before_the_request_is_whole() {
    let server = RawServer::start(|_| {
        Reaction::SendAndClose(
            b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno".to_vec(),
        )
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let mut client = proxy.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome")
        .await
        .unwrap();
    let response = client.response(false).await.unwrap();
    assert_eq!((response.status, response.text().as_str()), (413, "no"));
    assert_eq!(
        client.read_to_end().await,
        b"",
        "the rest of the request is not a request"
    );
}

#[tokio::test]
async fn a_websocket_becomes_a_tunnel() {
    let server = RawServer::start(|come| {
        if come.starts_with(b"GET /chat HTTP/1.1") {
            Reaction::Send(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: x\r\n\r\nfirst"
                    .to_vec(),
            )
        } else if come == b"bye" {
            Reaction::SendAndClose(b"bye bye".to_vec())
        } else {
            Reaction::Send([b"echo ", come].concat())
        }
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let mut client = proxy.client().await;
    client
        .send(
            "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
             Sec-WebSocket-Key: k\r\n\r\n",
        )
        .await
        .unwrap();
    let head = String::from_utf8(client.read_until(b"\r\n\r\n").await.unwrap()).unwrap();
    assert_eq!(
        head,
        "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n\
         connection: upgrade\r\nupgrade: websocket\r\n\r\n"
    );
    client.read_until(b"first").await.unwrap();
    client.send("hello").await.unwrap();
    client.read_until(b"echo hello").await.unwrap();
    client.send("bye").await.unwrap();
    assert_eq!(client.read_to_end().await, b"bye bye");
    assert!(server.seen()[0].contains("connection: upgrade\r\nupgrade: websocket\r\n\r\n"));
}

#[tokio::test]
async fn other_upgrades_are_declined_by_not_passing_them_on() {
    let (proxy, server) = in_front_of(OK).await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                   Upgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n";
    assert_eq!(proxy.ask(request).await.status, 200);
    assert_eq!(server.seen(), ["GET / HTTP/1.1\r\nHost: a\r\n\r\n"]);

    let switching =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n";
    let (proxy, _server) = in_front_of(switching).await;
    assert_eq!(proxy.get("/").await.status, 502);
}

#[tokio::test]
async fn what_cannot_be_served_is_refused_in_words() {
    let (proxy, server) = in_front_of(OK).await;
    for (request, status, words) in [
        (
            "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            400,
            "CONNECT says no port",
        ),
        (
            "GET / HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(),
            505,
            "version",
        ),
        (
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            400,
            "Host header is missing",
        ),
        (
            get(&format!("/{}", "a".repeat(20_000))),
            414,
            "request line is too long",
        ),
        (
            format!(
                "GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n",
                "a".repeat(70_000)
            ),
            431,
            "too large",
        ),
    ] {
        let mut client = proxy.client().await;
        let response = client.ask(&request).await.unwrap();
        assert_eq!(response.status, status, "{words}");
        assert_eq!(response.header("connection"), Some("close"), "{words}");
        assert!(response.text().contains(words), "{}", response.text());
        assert_eq!(client.read_to_end().await, b"", "{words}");
    }
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_head_may_trickle_in() {
    let (proxy, server) = in_front_of(OK).await;
    let mut client = proxy.client().await;
    for byte in get("/").into_bytes() {
        client.send([byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(client.response(false).await.unwrap().text(), "ok");
    assert_eq!(server.seen(), [get("/")]);
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_request() {
    let server = RawServer::start(|_| Reaction::Wait).await.unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let mut client: RawClient = proxy.client().await;
    client.send(get("/")).await.unwrap();
    testkit::until("the request reaches the server", async || {
        !server.seen().is_empty()
    })
    .await;
    drop(client);
    testkit::until("the request is counted as cancelled", async || {
        let cells = proxy.plane.observe().await;
        let outcomes = cells
            .iter()
            .flat_map(|o| &o.cells)
            .flat_map(|cell| &cell.arms);
        outcomes
            .flat_map(|arm| arm.outcomes.keys())
            .any(|outcome| *outcome == view::observe::Outcome::Cancelled)
    })
    .await;
}
