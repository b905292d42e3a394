//! CONNECT where a side speaks HTTP/2 (RFC 9113 section 8.5): a stream is the tunnel.

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{Method, Request, Response};
use testkit::within;
use view::{NodeView, Protocol};

use crate::connect::{CONNECT, GRANTED, tunnelling};
use crate::http2_peers::{Http2Backend, Http2Client, read, send};
use crate::mesh::{Proxy, gateway_to};

fn to_http2(service: &Http2Backend) -> NodeView {
    let mut view = gateway_to(service.address);
    view.clusters[0].protocol = Protocol::Http2;
    view
}

/// Says what it was asked, opens a tunnel but to port 1, and sends back what it gets.
async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), h2::Error> {
    let (parts, mut body) = request.into_parts();
    let fields: Vec<_> = parts.headers.keys().map(|name| name.as_str()).collect();
    let is_declined = parts.uri.port_u16() == Some(1);
    let response = Response::builder()
        .status(if is_declined { 403 } else { 200 })
        .header("x-asked", format!("{} {}", parts.method, parts.uri))
        .header("x-fields", fields.join(","));
    let mut stream = respond.send_response(response.body(()).unwrap(), is_declined)?;
    if is_declined {
        return Ok(());
    }
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        if !piece.is_empty() {
            send(&mut stream, &[b"echo ", &piece[..]].concat()).await?;
        }
    }
    stream.send_data(Bytes::from_static(b"bye"), true)
}

async fn connect(
    client: &Http2Client,
    authority: &'static str,
) -> (Response<RecvStream>, SendStream<Bytes>) {
    let mut connect = Request::new(());
    *connect.method_mut() = Method::CONNECT;
    *connect.uri_mut() = authority.parse().unwrap();
    let mut sender = within("room", client.sender.clone().ready()).await.unwrap();
    let (response, mut stream) = sender.send_request(connect, false).unwrap();
    send(&mut stream, b"early").await.unwrap();
    let response = within("an answer", response).await.unwrap();
    (response, stream)
}

async fn expect(body: &mut RecvStream, expected: &str) {
    let mut got = Vec::new();
    while got.len() < expected.len() {
        let piece = within("data", body.data()).await.unwrap().unwrap();
        body.flow_control().release_capacity(piece.len()).unwrap();
        got.extend_from_slice(&piece);
    }
    assert_eq!(String::from_utf8_lossy(&got), expected);
}

#[tokio::test]
async fn a_connect_of_http2_reaches_a_service_of_http1() {
    let server = tunnelling("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nfirst").await;
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let client = Http2Client::connect(proxy.address).await;
    let (response, mut stream) = connect(&client, "crystal.local:443").await;
    assert_eq!(response.status(), 200);
    let names: Vec<_> = response
        .headers()
        .keys()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(names, ["x-a"]);
    let mut body = response.into_body();
    expect(&mut body, "firstecho early").await;
    send(&mut stream, b"bye").await.unwrap();
    expect(&mut body, "bye bye").await;
    assert_eq!(
        read(body).await.unwrap().0,
        b"",
        "the tunnel's end is the stream's"
    );
    let head = CONNECT.replace("Host", "host");
    assert_eq!(server.seen(), [format!("{head}earlybye")]);
}

#[tokio::test]
async fn a_connect_of_http2_that_is_declined_leaves_nothing_behind() {
    let server = tunnelling("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let client = Http2Client::connect(proxy.address).await;
    for _ in 0..4 {
        let (response, _stream) = connect(&client, "crystal.local:443").await;
        assert_eq!(response.status(), 403);
    }
    let head = CONNECT.replace("Host", "host");
    assert_eq!(server.seen(), vec![head; 4]);
}

#[tokio::test]
async fn a_connect_of_http2_reaches_a_service_of_http2() {
    let service = Http2Backend::serving(answer).await;
    let proxy = Proxy::running(&to_http2(&service)).await;
    let client = Http2Client::connect(proxy.address).await;
    let (response, mut stream) = connect(&client, "crystal.local:443").await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-asked"], "CONNECT crystal.local:443");
    assert_eq!(response.headers()["x-fields"], "");
    let mut body = response.into_body();
    expect(&mut body, "echo early").await;
    stream.send_data(Bytes::new(), true).unwrap();
    expect(&mut body, "bye").await;
    let (response, _stream) = connect(&client, "crystal.local:1").await;
    assert_eq!(response.status(), 403);
}

#[tokio::test]
async fn a_connect_of_http1_reaches_a_service_of_http2() {
    let service = Http2Backend::serving(answer).await;
    let proxy = Proxy::running(&to_http2(&service)).await;
    let mut client = proxy.client().await;
    client.send(format!("{CONNECT}early")).await.unwrap();
    let head = client.read_until(b"\r\n\r\n").await.unwrap();
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with(GRANTED.trim_end()), "{head}");
    assert!(
        head.contains("x-asked: CONNECT crystal.local:443\r\n"),
        "{head}"
    );
    for line in [
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
    ] {
        assert!(!head.contains(line), "{head}");
    }
    client.read_until(b"echo early").await.unwrap();
    client.finish().await.unwrap();
    assert_eq!(client.read_to_end().await, b"bye");

    let mut client = proxy.client().await;
    let declined = CONNECT.replace(":443", ":1");
    client
        .send(format!("{declined}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"))
        .await
        .unwrap();
    let response = client.response(false).await.unwrap();
    assert_eq!(
        (response.status, response.header("connection")),
        (403, Some("close"))
    );
    assert_eq!(client.read_to_end().await, b"");
}
