//! Trailers in every pair of versions: what may come after a body passes, what had to come before it ends
//! here (RFC 9110 section 6.5.1), and the connections stay in step.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use testkit::raw::{RawServer, Reaction};
use view::{NodeView, Protocol};

use crate::http2_peers::{Http2Backend, Http2Client, request};
use crate::mesh::{Proxy, gateway_to, get};

/// What would frame, direct or authorise another message if it were merged into a head.
const MISPLACED: &str = "Content-Length: 100\r\nHost: evil\r\nAuthorization: x\r\nCookie: a=b\r\n";
/// HTTP/2 has no words for these.
const OF_THE_HOP: &str = "TRANSFER-ENCODING: x\r\nConnection: close\r\n";
const SUM: &str = "X-Sum: 7\r\n";

fn to_http2(address: SocketAddr) -> NodeView {
    let mut view = gateway_to(address);
    view.clusters[0].protocol = Protocol::Http2;
    view
}

/// A body in chunks whose trailers are `SUM` between lines that may not be there.
fn chunked() -> String {
    format!("3\r\nabc\r\n0\r\n{MISPLACED}{SUM}{OF_THE_HOP}\r\n")
}

fn chunked_post() -> String {
    format!(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        chunked()
    )
}

/// Answers in chunks, too, once the request has ended.
async fn http1_service() -> RawServer {
    RawServer::start(|come| {
        if come
            .to_ascii_lowercase()
            .ends_with(b"0\r\nx-sum: 7\r\n\r\n")
            || come.starts_with(b"GET")
        {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            Reaction::Send(format!("{head}{}", chunked()).into_bytes())
        } else {
            Reaction::Wait
        }
    })
    .await
    .unwrap()
}

/// The same in HTTP/2.
fn trailers() -> HeaderMap {
    format!("{MISPLACED}{SUM}")
        .lines()
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        })
        .collect()
}

fn sum() -> HeaderMap {
    HeaderMap::from_iter([(
        HeaderName::from_static("x-sum"),
        HeaderValue::from_static("7"),
    )])
}

#[tokio::test]
async fn from_http1_to_http1() {
    let server = http1_service().await;
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let mut client = proxy.client().await;
    let post = chunked_post();
    let section = post.find("Content-Length").unwrap();
    // Whole, and in two parts within a name, a value, a line's end and the last line.
    for cut in [
        0,
        section + 3,
        section + 16,
        section + 19,
        section + 20,
        post.len() - 2,
    ] {
        client.send(&post[..cut]).await.unwrap();
        tokio::task::yield_now().await;
        client.send(&post[cut..]).await.unwrap();
        client.read_until(b"\r\n\r\n").await.unwrap();
        let body = client.read_until(b"\r\n\r\n").await.unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            "3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n",
            "cut at {cut}"
        );
        let seen = server.seen().pop().unwrap();
        assert!(
            seen.ends_with("\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\n\r\n"),
            "{seen}"
        );
    }
    client.send(get("/next")).await.unwrap();
    client.read_until(b"X-Sum: 7\r\n\r\n").await.unwrap();
    let next = get("/next");
    assert!(server.seen().iter().any(|seen| seen.ends_with(&next)));
}

#[tokio::test]
async fn from_http1_to_http2() {
    let backend = Http2Backend::echoing_trailers(trailers()).await;
    let proxy = Proxy::running(&to_http2(backend.address)).await;
    let mut client = proxy.client().await;
    for _ in 0..2 {
        client.send(chunked_post()).await.unwrap();
        let head = client.read_until(b"\r\n\r\n").await.unwrap();
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains("x-got-trailers: x-sum\r\n"), "{head}");
        let body = client.read_until(b"\r\n\r\n").await.unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            "3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"
        );
    }
}

#[tokio::test]
async fn from_http2_to_http1() {
    let server = http1_service().await;
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let client = Http2Client::connect(proxy.address).await;
    let post = request("POST", "/");
    let answer = client
        .ask(post, Some((b"abc", Some(trailers()))))
        .await
        .unwrap();
    assert_eq!(
        (answer.text().as_str(), answer.trailers),
        ("abc", Some(sum()))
    );
    let seen = server.seen().pop().unwrap();
    assert!(
        seen.ends_with("\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n"),
        "{seen}"
    );
}

#[tokio::test]
async fn from_http2_to_http2() {
    let backend = Http2Backend::echoing_trailers(trailers()).await;
    let proxy = Proxy::running(&to_http2(backend.address)).await;
    let client = Http2Client::connect(proxy.address).await;
    let post = request("POST", "/");
    let answer = client
        .ask(post, Some((b"abc", Some(trailers()))))
        .await
        .unwrap();
    assert_eq!(answer.header("x-got-trailers"), Some("x-sum"));
    assert_eq!(
        (answer.text().as_str(), answer.trailers),
        ("abc", Some(sum()))
    );

    // Nothing is left of these: the message ends without a section.
    let mut misplaced = trailers();
    misplaced.remove("x-sum");
    let post = request("POST", "/");
    let answer = client
        .ask(post, Some((b"abc", Some(misplaced))))
        .await
        .unwrap();
    assert_eq!(answer.header("x-got-trailers"), Some("none"));
}
