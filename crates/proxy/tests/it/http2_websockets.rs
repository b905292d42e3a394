//! WebSockets to services that speak HTTP/2 (RFC 8441): from clients of either version.

use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::ext::Protocol as Extended;
use h2::server::SendResponse;
use http::{Request, Response};
use testkit::raw::RawServer;
use testkit::{until, within};
use view::observe::Outcome;
use view::{NodeView, Protocol};

use crate::http2_peers::{Http2Backend, Http2Client, request, send};
use crate::mesh::{Proxy, gateway_to};

const UPGRADE: &str = "GET /chat?room=1 HTTP/1.1\r\nHost: crystal.local\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

fn to_http2(service: &Http2Backend) -> NodeView {
    let mut view = gateway_to(service.address);
    view.clusters[0].protocol = Protocol::Http2;
    view
}

/// Grants WebSockets, tells in its head what it was asked, and sends back what it gets; `/closed` is none.
async fn chat() -> Http2Backend {
    let mut settings = h2::server::Builder::new();
    settings.enable_connect_protocol();
    Http2Backend::with(settings, answer).await
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let (parts, mut body) = request.into_parts();
    let extended = parts.extensions.get::<Extended>().map(Extended::as_str);
    let asked = format!("{} {} {}", parts.method, extended.unwrap_or("-"), parts.uri);
    let fields: Vec<_> = parts.headers.keys().map(|name| name.as_str()).collect();
    let status = if parts.uri.path() == "/closed" {
        403
    } else {
        200
    };
    let response = Response::builder()
        .status(status)
        .header("x-asked", asked)
        .header("x-fields", fields.join(","));
    let mut stream = respond.send_response(response.body(()).unwrap(), status != 200)?;
    while status == 200
        && let Some(piece) = body.data().await
    {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        if piece.is_empty() {
            continue;
        }
        send(&mut stream, &[b"echo ", &piece[..]].concat()).await?;
    }
    if status == 200 {
        stream.send_data(Bytes::from_static(b"bye"), true)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_websocket_of_http1_reaches_a_service_of_http2() {
    let service = chat().await;
    let proxy = Proxy::running(&to_http2(&service)).await;
    let mut client = proxy.client().await;
    client.send(UPGRADE).await.unwrap();
    let head = String::from_utf8(client.read_until(b"\r\n\r\n").await.unwrap()).unwrap();
    assert!(
        head.starts_with("HTTP/1.1 101 Switching Protocols\r\n"),
        "{head}"
    );
    for line in [
        "x-asked: CONNECT websocket http://crystal.local/chat?room=1\r\n",
        "x-fields: sec-websocket-version\r\n",
        "connection: upgrade\r\nupgrade: websocket\r\n",
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    ] {
        assert!(head.contains(line), "{head}");
    }
    for word in ["hello", "again"] {
        client.send(word).await.unwrap();
        let echo = format!("echo {word}");
        let heard = client.read_until(echo.as_bytes()).await.unwrap();
        assert_eq!(heard, echo.as_bytes());
    }
    client.finish().await.unwrap();
    assert_eq!(client.read_to_end().await, b"bye");
}

#[tokio::test]
async fn a_websocket_that_is_declined_is_answered_like_any_request() {
    let service = chat().await;
    let proxy = Proxy::running(&to_http2(&service)).await;
    let mut client = proxy.client().await;
    let asked = UPGRADE.replace("/chat", "/closed");
    client.send(asked).await.unwrap();
    let response = client.response(false).await.unwrap();
    assert_eq!(response.status, 403);
    assert_eq!(response.header("upgrade"), None);
}

#[tokio::test]
async fn a_websocket_of_http2_reaches_a_service_of_http2() {
    let service = chat().await;
    let proxy = Proxy::running(&to_http2(&service)).await;
    let client = Http2Client::connect(proxy.address).await;
    until("the proxy offers WebSocket", async || {
        client.sender.is_extended_connect_protocol_enabled()
    })
    .await;
    let mut connect = request("CONNECT", "/chat");
    let websocket = Extended::from_static("websocket");
    connect.extensions_mut().insert(websocket);
    let mut sender = client.sender.clone().ready().await.unwrap();
    let (response, mut stream) = sender.send_request(connect, false).unwrap();
    let response = within("the switch", response).await.unwrap();
    assert_eq!(response.status(), 200);
    let asked = &response.headers()["x-asked"];
    assert_eq!(asked, "CONNECT websocket http://crystal.local/chat");
    let mut body = response.into_body();
    send(&mut stream, b"hello").await.unwrap();
    let echo = within("an echo", body.data()).await.unwrap().unwrap();
    assert_eq!(echo, "echo hello");
    body.flow_control().release_capacity(echo.len()).unwrap();
    stream.send_data(Bytes::new(), true).unwrap();
    let bye = within("the end", body.data()).await.unwrap().unwrap();
    assert_eq!(bye, "bye");
}

async fn websocket(client: &Http2Client) -> (RecvStream, h2::SendStream<Bytes>) {
    until("the proxy offers WebSocket", async || {
        client.sender.is_extended_connect_protocol_enabled()
    })
    .await;
    let mut connect = request("CONNECT", "/chat");
    let websocket = Extended::from_static("websocket");
    connect.extensions_mut().insert(websocket);
    let mut sender = client.sender.clone().ready().await.unwrap();
    let (response, stream) = sender.send_request(connect, false).unwrap();
    let response = within("the switch", response).await.unwrap();
    assert_eq!(response.status(), 200);
    (response.into_body(), stream)
}

#[tokio::test]
async fn a_websocket_that_falls_silent_is_closed_whatever_its_sides_speak() {
    let idle = Some(Duration::from_millis(100));
    let service = chat().await;
    let mut view = to_http2(&service);
    view.services[0].routes[0].timeouts.idle = idle;
    let proxy = Proxy::running(&view).await;
    let mut client = proxy.client().await;
    client.send(UPGRADE).await.unwrap();
    client.read_until(b"\r\n\r\n").await.unwrap();
    assert_eq!(client.read_to_end().await, b"");

    let switches = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                    Connection: Upgrade\r\n\r\n";
    let old_service = RawServer::answering(switches).await.unwrap();
    let mut to_http1 = gateway_to(old_service.address);
    to_http1.services[0].routes[0].timeouts.idle = idle;
    for view in [view, to_http1] {
        let proxy = Proxy::running(&view).await;
        let client = Http2Client::connect(proxy.address).await;
        let (mut body, _stream) = websocket(&client).await;
        let end = within("the end", body.data()).await.unwrap();
        assert_eq!(end.unwrap_err().reason(), Some(h2::Reason::CANCEL));
        let outcomes = proxy.plane.observe().await[0].cells[0].arms[0]
            .outcomes
            .clone();
        assert_eq!(outcomes.get(&Outcome::Success), Some(&1), "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_service_that_takes_no_websockets_is_not_asked_for_one() {
    let service = Http2Backend::echoing().await;
    let proxy = Proxy::running(&to_http2(&service)).await;
    let response = proxy.ask(UPGRADE).await;
    assert_eq!(response.status, 501);
    assert!(
        response.text().contains("takes no WebSocket"),
        "{}",
        response.text()
    );
    let other = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok";
    assert_eq!(proxy.ask(other).await.status, 200, "other requests pass");
}
