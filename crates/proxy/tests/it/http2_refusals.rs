//! Services that say, in HTTP/2, that they did not begin with a request: it is safe to send it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use h2::Reason;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use view::{NodeView, Protocol};

use crate::http2_peers::{Http2Backend, Http2Client, read, request, send};
use crate::http2_raw::{GOAWAY, HEADERS, SETTINGS, frame};
use crate::mesh::{Proxy, gateway_to, retrying};

const PREFACE: usize = 24;

fn to_http2(address: std::net::SocketAddr) -> NodeView {
    let mut view = gateway_to(address);
    view.clusters[0].protocol = Protocol::Http2;
    view
}

#[tokio::test]
async fn a_refused_stream_is_tried_again_where_the_policy_says_so() {
    for (retries, status) in [(Some(1), 200), (None, 503)] {
        let tries = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&tries);
        let backend = Http2Backend::serving(move |request, mut respond| {
            let number = seen.fetch_add(1, Ordering::Relaxed);
            async move {
                if number == 0 {
                    respond.send_reset(Reason::REFUSED_STREAM);
                    return Ok(());
                }
                let (body, _) = read(request.into_body()).await?;
                let mut stream = respond.send_response(Response::new(()), false)?;
                send(&mut stream, &body).await?;
                stream.send_data(Bytes::new(), true)
            }
        })
        .await;
        let mut view = to_http2(backend.address);
        view.services[0].routes[0].retry = retries.and_then(|retries| retrying(retries, &[]));
        let proxy = Proxy::running(&view).await;
        let client = Http2Client::connect(proxy.address).await;
        // POST, as what a service did not begin may be repeated whatever it is.
        let post = request("POST", "/");
        let answer = client.ask(post, Some((b"abc", None))).await.unwrap();
        assert_eq!(answer.status, status);
        if status == 200 {
            assert_eq!(answer.text(), "abc");
        }
        assert_eq!(tries.load(Ordering::Relaxed), 1 + retries.unwrap_or(0));
    }
}

/// Leaves as soon as a request comes, without having begun it.
async fn leave(mut stream: tokio::net::TcpStream) -> std::io::Result<()> {
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    let mut come = Vec::new();
    let mut at = PREFACE;
    loop {
        while let Some(&[high, middle, low, kind]) = come.get(at..at + 4) {
            if kind == HEADERS {
                stream.write_all(&frame(GOAWAY, 0, 0, &[0; 8])).await?;
                return stream.shutdown().await;
            }
            at += 9 + u32::from_be_bytes([0, high, middle, low]) as usize;
        }
        if stream.read_buf(&mut come).await? == 0 {
            return Ok(());
        }
    }
}

#[tokio::test]
async fn a_request_before_goaway_goes_to_another_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (first, _) = listener.accept().await.unwrap();
        leave(first).await.unwrap();
        let (second, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(second).await.unwrap();
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            let answer = Bytes::from_static(b"from the second");
            stream.send_data(answer, true).unwrap();
        }
    });
    let mut view = to_http2(address);
    view.services[0].routes[0].retry = retrying(1, &[]);
    let proxy = Proxy::running(&view).await;
    let client = Http2Client::connect(proxy.address).await;
    let answer = client.ask(request("POST", "/"), None).await.unwrap();
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "from the second")
    );
}
