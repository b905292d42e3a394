//! HTTP/2 on either side or both: what passes, in which form, and how it ends.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use testkit::Backend;
use testkit::raw::{RawClient, RawServer, Reaction};
use testkit::{until, within};
use view::*;

use crate::http2_peers::{Answer, Http2Backend, Http2Client, request};
use crate::mesh::{Proxy, gateway_to, options, retrying};
use crate::tls::foreign::curl;

/// A gateway to a service that speaks HTTP/2.
fn to_http2(address: std::net::SocketAddr) -> NodeView {
    let mut view = gateway_to(address);
    view.clusters[0].protocol = Protocol::Http2;
    view
}

fn trailers(name: &'static str, value: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert(name, HeaderValue::from_static(value));
    trailers
}

/// 1 MiB without a pattern that a lost or doubled piece could hide in.
fn large() -> Vec<u8> {
    (0..1u32 << 18)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect()
}

async fn http1_echo() -> Backend {
    Backend::answering(|request| {
        let mut response = Response::new(request.body().clone());
        let headers = response.headers_mut();
        headers.insert("x-method", request.method().as_str().parse().unwrap());
        headers.insert("x-target", request.uri().to_string().parse().unwrap());
        response
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn http2_clients_reach_http1_services() {
    let backend = http1_echo().await;
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let client = Http2Client::connect(proxy.address).await;
    let answer = client.get("/a//b?c").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    assert_eq!(answer.header("x-target"), Some("/a/b?c"));
    for body in [&b"x"[..], b"", &large()] {
        let answer = client
            .ask(request("POST", "/"), Some((body, None)))
            .await
            .unwrap();
        assert_eq!((answer.status, answer.body.as_slice() == body), (200, true));
    }
    assert_eq!(
        backend.connections(),
        1,
        "streams one after another need one connection"
    );
}

#[tokio::test]
async fn http1_clients_reach_http2_services() {
    let backend = Http2Backend::echoing().await;
    let proxy = Proxy::running(&to_http2(backend.address)).await;
    let mut client = proxy.client().await;
    for _ in 0..20 {
        let request = "PUT /a//b?c HTTP/1.1\r\nHost: crystal.local\r\nContent-Length: 1\r\n\r\n!";
        let response = client.ask(request).await.unwrap();
        assert_eq!(
            response.header("x-target"),
            Some("http://crystal.local/a/b?c")
        );
    }
    let response = client
        .ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTE: trailers\r\nKeep-Alive: 1\r\n\r\nhello")
        .await
        .unwrap();
    assert_eq!(response.text(), "5\r\nhello\r\n0\r\n\r\n");
    assert_eq!(response.header("x-got-content-length"), Some("5"));
    assert_eq!(response.header("x-got-keep-alive"), None);
    let body = large();
    client
        .send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ))
        .await
        .unwrap();
    assert!(echoed(&mut client, &body).await == body);
    assert_eq!(backend.connections(), 1);
}

/// Sends a body that fits into no window, and reads as much of its echo as has been sent.
async fn echoed(client: &mut RawClient, body: &[u8]) -> Vec<u8> {
    let mut echoed = Vec::new();
    for (number, piece) in body.chunks(16 * 1024).enumerate() {
        client.send(piece).await.unwrap();
        if number == 0 {
            client.read_until(b"\r\n\r\n").await.unwrap();
        }
        while echoed.len() < number * 16 * 1024 + piece.len() {
            let size = client.read_until(b"\r\n").await.unwrap();
            let size = std::str::from_utf8(&size).unwrap().trim();
            let size = usize::from_str_radix(size, 16).unwrap();
            echoed.extend(client.read_exactly(size).await.unwrap());
            client.read_until(b"\r\n").await.unwrap();
        }
    }
    echoed
}

#[tokio::test]
async fn http2_clients_reach_http2_services() {
    let backend = Http2Backend::echoing().await;
    let mut view = to_http2(backend.address);
    view.listeners[0].protocol = Protocol::Http2;
    let proxy = Proxy::with(
        &view,
        proxy::Options {
            workers: std::num::NonZeroUsize::MIN,
            ..options()
        },
    )
    .await;
    let client = Http2Client::connect(proxy.address).await;
    let body = large();
    let ask = |body| {
        client.ask(
            request("PUT", "/x"),
            Some((body, Some(trailers("x-sum", "1")))),
        )
    };
    let answers: Vec<Answer> = futures(vec![ask(&body), ask(b"short"), ask(&body)]).await;
    for (answer, expected) in answers.iter().zip([&body[..], b"short", &body]) {
        assert!(answer.body == expected);
        assert_eq!(answer.trailer("x-sum"), Some("1"));
        assert_eq!(answer.header("x-method"), Some("PUT"));
    }
    assert_eq!(
        backend.connections(),
        1,
        "requests at the same time share a connection"
    );
}

async fn futures(all: Vec<impl Future<Output = Result<Answer, h2::Error>>>) -> Vec<Answer> {
    let mut answers: Vec<_> = all.into_iter().map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        let mut is_pending = false;
        for (future, answer) in &mut answers {
            if answer.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(done) => *answer = Some(done.unwrap()),
                    std::task::Poll::Pending => is_pending = true,
                }
            }
        }
        if is_pending {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    answers
        .into_iter()
        .filter_map(|(_, answer)| answer)
        .collect()
}

#[tokio::test]
async fn trailers_pass_between_versions() {
    let server = RawServer::start(|come| {
        if come.ends_with(b"0\r\nx-sum: 7\r\n\r\n") {
            Reaction::Send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-End: 1\r\nContent-Length: 5\r\n\r\n".to_vec(),
            )
        } else {
            Reaction::Wait
        }
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let client = Http2Client::connect(proxy.address).await;
    let answer = client
        .ask(
            request("POST", "/"),
            Some((b"abc", Some(trailers("x-sum", "7")))),
        )
        .await
        .unwrap();
    assert_eq!(
        (answer.text().as_str(), answer.trailer("x-end")),
        ("ok", Some("1"))
    );
    assert_eq!(
        answer.trailer("content-length"),
        None,
        "framing is no trailer"
    );
    assert_eq!(
        server.seen(),
        [
            "POST / HTTP/1.1\r\nhost: crystal.local\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"
        ]
    );

    let backend = Http2Backend::echoing().await;
    let proxy = Proxy::running(&to_http2(backend.address)).await;
    let mut client = proxy.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n")
        .await
        .unwrap();
    client.read_until(b"\r\n\r\n").await.unwrap();
    let body = client.read_until(b"\r\n\r\n").await.unwrap();
    assert_eq!(
        String::from_utf8(body).unwrap(),
        "3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"
    );
}

#[tokio::test]
async fn heads_pass_without_what_belongs_to_a_hop() {
    let server = RawServer::answering(
        "HTTP/1.1 200 OK\r\nConnection: x-drop\r\nX-Drop: 1\r\nKeep-Alive: 5\r\nContent-Length: 2\r\nX-Keep: a\r\nX-Keep: b\r\n\r\nok",
    )
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let client = Http2Client::connect(proxy.address).await;
    let mut request = request("GET", "/");
    let headers = request.headers_mut();
    headers.insert("te", HeaderValue::from_static("trailers"));
    headers.append("cookie", HeaderValue::from_static("a=1"));
    headers.append("cookie", HeaderValue::from_static("b=2"));
    let answer = client.ask(request, None).await.unwrap();
    assert_eq!(answer.text(), "ok");
    let mut names: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            ("content-length", &b"2"[..]),
            ("x-keep", b"a"),
            ("x-keep", b"b")
        ]
    );
    assert_eq!(
        server.seen(),
        ["GET / HTTP/1.1\r\nhost: crystal.local\r\ncookie: a=1; b=2\r\n\r\n"]
    );
}

#[tokio::test]
async fn a_response_to_head_has_no_body() {
    for http2_service in [false, true] {
        let http1 = RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
            .await
            .unwrap();
        let http2 = Http2Backend::serving(|_, mut respond| async move {
            let response = Response::builder()
                .header("content-length", "5")
                .body(())
                .unwrap();
            respond.send_response(response, true).map(drop)
        })
        .await;
        let view = if http2_service {
            to_http2(http2.address)
        } else {
            gateway_to(http1.address)
        };
        let proxy = Proxy::running(&view).await;
        let answer = Http2Client::connect(proxy.address)
            .await
            .ask(request("HEAD", "/"), None)
            .await
            .unwrap();
        assert_eq!(
            (answer.header("content-length"), answer.body.len()),
            (Some("5"), 0)
        );
        let response = proxy.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(response.header("content-length"), Some("5"));
    }
}

#[tokio::test]
async fn interim_responses_pass() {
    let server = RawServer::start(|come| {
        if come.ends_with(b"body") {
            Reaction::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())
        } else if come.ends_with(b"\r\n\r\n") {
            Reaction::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())
        } else {
            Reaction::Wait
        }
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let client = Http2Client::connect(proxy.address).await;
    let mut request = request("POST", "/");
    request
        .headers_mut()
        .insert("expect", HeaderValue::from_static("100-continue"));
    request
        .headers_mut()
        .insert("content-length", HeaderValue::from_static("4"));
    let (mut response, mut stream) = client.sender.clone().send_request(request, false).unwrap();
    let interim = within(
        "100",
        std::future::poll_fn(|cx| response.poll_informational(cx)),
    )
    .await;
    assert_eq!(interim.unwrap().unwrap().status(), 100);
    stream.send_data(Bytes::from_static(b"body"), true).unwrap();
    assert_eq!(within("200", response).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_failed_request_is_told_as_http2_tells_it() {
    let server = RawServer::start(|_| {
        Reaction::SendAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec())
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let client = Http2Client::connect(proxy.address).await;
    let broken = client.ask(request("GET", "/"), None).await.unwrap_err();
    assert_eq!(
        broken.reason(),
        Some(h2::Reason::INTERNAL_ERROR),
        "a body that broke off does not look whole"
    );

    let proxy = Proxy::running(&gateway_to(crate::mesh::nobody())).await;
    let answer = Http2Client::connect(proxy.address).await.get("/").await;
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().starts_with("cannot connect to "),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn requests_are_tried_again_with_their_bodies() {
    let attempts = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = std::sync::Arc::clone(&attempts);
    let backend = Backend::answering(move |request| {
        match count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            0 | 1 => testkit::backend::with_status(503, "no"),
            _ => Response::new(request.body().clone()),
        }
    })
    .await
    .unwrap();
    let mut view = gateway_to(backend.address);
    view.services[0].routes[0].retry = retrying(2, &[503]);
    let proxy = Proxy::running(&view).await;
    let client = Http2Client::connect(proxy.address).await;
    let body = vec![b'x'; 40_000];
    let answer = client
        .ask(request("POST", "/"), Some((&body, None)))
        .await
        .unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 40_000));
    assert_eq!(attempts.load(std::sync::atomic::Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_client_may_speak_first_on_a_websocket() {
    let server = RawServer::start(|come| {
        let is_head = come.starts_with(b"GET /chat HTTP/1.1");
        if is_head && !come.ends_with(b"\r\n\r\n") {
            Reaction::Wait
        } else if is_head {
            Reaction::Send(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                    .to_vec(),
            )
        } else {
            Reaction::Send([b"echo ", come].concat())
        }
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let client = Http2Client::connect(proxy.address).await;
    until("the proxy offers WebSocket", async || {
        client.sender.is_extended_connect_protocol_enabled()
    })
    .await;
    let mut connect = request("CONNECT", "/chat");
    connect
        .extensions_mut()
        .insert(h2::ext::Protocol::from_static("websocket"));
    let mut sender = client.sender.clone().ready().await.unwrap();
    let (response, mut stream) = sender.send_request(connect, false).unwrap();
    let response = within("the switch", response).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    for word in ["hello", "again"] {
        crate::http2_peers::send(&mut stream, word.as_bytes())
            .await
            .unwrap();
        let echo = within("an echo", body.data()).await.unwrap().unwrap();
        assert_eq!(echo, format!("echo {word}"));
        body.flow_control().release_capacity(echo.len()).unwrap();
    }
}

#[tokio::test]
async fn curl_begins_in_http2_and_by_an_upgrade_stays_in_http1() {
    let backend = http1_echo().await;
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let url = format!("http://{}/", proxy.address);
    let shown = [
        "-o",
        "/dev/null",
        "-w",
        "%{http_version} %{http_code}",
        &url,
    ];
    // `--http2` offers `Upgrade: h2c`, which RFC 9113 has given up.
    for (option, expected) in [("--http2-prior-knowledge", "2 200"), ("--http2", "1.1 200")] {
        let said = curl(&[&[option], &shown[..]].concat()).await;
        assert_eq!(said.as_deref(), Ok(expected), "{option}");
    }
}
