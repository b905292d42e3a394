//! Health checks over each protocol, against servers whose health can be switched.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Request, Response};
use proxy::HealthStatus;
use testkit::until;
use tokio::net::TcpListener;
use view::*;

use crate::mesh::{Proxy, gateway_to, nobody};

/// How a server feels.
const WELL: u32 = 0;
const ILL: u32 = 1;
/// It knows no health service, or has no such page.
const IGNORANT: u32 = 2;
/// Says nothing at all.
const MUTE: u32 = 3;

/// Speaks HTTP/2 only, and answers checks as it feels.
async fn over_http2() -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let feels = Arc::new(AtomicU32::new(WELL));
    let shared = Arc::clone(&feels);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let feels = Arc::clone(&shared);
            tokio::spawn(async move {
                let Ok(mut connection) = h2::server::handshake(stream).await else {
                    return;
                };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    tokio::spawn(answer(request, respond, feels.load(Ordering::Relaxed)));
                }
            });
        }
    });
    (address, feels)
}

async fn answer(
    mut request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    feels: u32,
) {
    if feels == MUTE {
        std::future::pending::<()>().await;
    }
    let head = |status: u16, grpc: Option<&str>| {
        let head = Response::builder().status(status);
        grpc.into_iter()
            .fold(head, |head, status| head.header("grpc-status", status))
            .body(())
            .unwrap()
    };
    if request.uri().path() != "/grpc.health.v1.Health/Check" {
        let status = [200, 500, 404][feels as usize];
        drop(respond.send_response(head(status, None), true));
        return;
    }
    assert_eq!(request.headers()["content-type"], "application/grpc");
    let asked = request.body_mut().data().await.unwrap().unwrap();
    assert_eq!(asked.as_ref(), [0; 5]);
    if feels == IGNORANT {
        drop(respond.send_response(head(200, Some("12")), true));
        return;
    }
    let mut body = respond.send_response(head(200, None), false).unwrap();
    let status = if feels == WELL { 1 } else { 2 };
    // In two pieces, as a server may.
    body.send_data(Bytes::from_static(&[0, 0, 0, 0, 2]), false)
        .unwrap();
    body.send_data(Bytes::copy_from_slice(&[8, status]), false)
        .unwrap();
    let trailers = HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        http::HeaderValue::from_static("0"),
    )]);
    drop(body.send_trailers(trailers));
}

fn checked(endpoint: SocketAddr, protocol: Protocol) -> NodeView {
    let mut view = gateway_to(endpoint);
    view.clusters[0].health_check = Some(HealthCheck {
        protocol,
        path: "/health".into(),
        port: None,
        interval: Duration::from_millis(20),
        timeout: Duration::from_millis(500),
        healthy_threshold: 2,
        unhealthy_threshold: 2,
    });
    view
}

/// Waits for a verdict, and returns the reason that it came with.
async fn becomes(proxy: &Proxy, status: HealthStatus) -> String {
    let mut reason = None;
    until(&format!("the endpoint is {status:?}"), async || {
        let health = proxy.plane.endpoint_health().await;
        reason.clone_from(&health[0].reason);
        health[0].status == status
    })
    .await;
    reason.unwrap_or_default()
}

#[tokio::test]
async fn over_http2_a_status_tells() {
    let (address, feels) = over_http2().await;
    let proxy = Proxy::running(&checked(address, Protocol::Http2)).await;
    becomes(&proxy, HealthStatus::Healthy).await;
    feels.store(ILL, Ordering::Relaxed);
    assert_eq!(
        becomes(&proxy, HealthStatus::Unhealthy).await,
        "answered 500"
    );
    feels.store(WELL, Ordering::Relaxed);
    becomes(&proxy, HealthStatus::Healthy).await;
    feels.store(MUTE, Ordering::Relaxed);
    assert!(
        becomes(&proxy, HealthStatus::Unhealthy)
            .await
            .contains("no answer within")
    );
}

#[tokio::test]
async fn over_grpc_the_health_service_tells() {
    let (address, feels) = over_http2().await;
    let proxy = Proxy::running(&checked(address, Protocol::Grpc)).await;
    becomes(&proxy, HealthStatus::Healthy).await;
    for (feeling, reason) in [
        (ILL, "is not serving"),
        (IGNORANT, "answered with gRPC status 12"),
        (MUTE, "no answer within 500ms"),
    ] {
        feels.store(feeling, Ordering::Relaxed);
        assert_eq!(becomes(&proxy, HealthStatus::Unhealthy).await, reason);
        feels.store(WELL, Ordering::Relaxed);
        becomes(&proxy, HealthStatus::Healthy).await;
    }
}

#[tokio::test]
async fn whoever_does_not_speak_the_protocol_is_unhealthy() {
    let backend = testkit::Backend::saying("HTTP/1.1 only").await.unwrap();
    for protocol in [Protocol::Http2, Protocol::Grpc] {
        let proxy = Proxy::running(&checked(backend.address, protocol)).await;
        becomes(&proxy, HealthStatus::Unhealthy).await;
        let proxy = Proxy::running(&checked(nobody(), protocol)).await;
        let reason = becomes(&proxy, HealthStatus::Unhealthy).await;
        assert!(reason.contains("refused"), "{reason}");
    }
}
