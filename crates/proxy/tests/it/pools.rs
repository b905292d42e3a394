//! A listener's connection pool: how many requests go ahead, how many wait, and what the rest are told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use testkit::raw::{RawServer, Reaction};
use testkit::{Backend, Load, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use view::{Entry, NodeView, PoolLimits};

use crate::mesh::{Proxy, gateway_to, get, node, retrying};

fn limited(mut view: NodeView, connections: u32, pending: Option<u32>) -> NodeView {
    view.listeners[0].limits = PoolLimits {
        max_connections: Some(connections),
        max_pending_requests: pending,
        max_requests: None,
    };
    view
}

fn ingress_to(application: SocketAddr) -> NodeView {
    node(Entry::Ingress { cluster: 0 }, &[("v", 1, &[application])])
}

/// An application that counts its connections, and works on each request for a moment.
#[derive(Debug, Default)]
struct Busy {
    open: AtomicU32,
    most: AtomicU32,
    accepted: AtomicU32,
}

impl Busy {
    async fn start() -> (SocketAddr, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Self::default());
        let shared = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let counts = Arc::clone(&shared);
                counts.accepted.fetch_add(1, Ordering::Relaxed);
                let open = counts.open.fetch_add(1, Ordering::Relaxed) + 1;
                counts.most.fetch_max(open, Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut request = [0; 1024];
                    while matches!(stream.read(&mut request).await, Ok(1..)) {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                        if stream.write_all(answer).await.is_err() {
                            break;
                        }
                    }
                    counts.open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        (address, counts)
    }
}

/// Two workers share three connections: none is opened beyond them, none is wasted, all are answered.
#[tokio::test]
async fn an_application_never_sees_more_connections_than_its_pool_has() {
    let (application, counts) = Busy::start().await;
    let proxy = Proxy::running(&limited(ingress_to(application), 3, None)).await;
    let load = Load::start(proxy.address, 24, None, get("/"));
    until("both workers had their share", async || load.sent() > 1_000).await;
    let report = load.stop().await.unwrap();
    assert_eq!(report.with_status(200), report.total(), "{report:?}");
    assert_eq!(counts.most.load(Ordering::Relaxed), 3);
    assert_eq!(
        counts.accepted.load(Ordering::Relaxed),
        3,
        "connections go from worker to worker"
    );
}

#[tokio::test]
async fn what_neither_goes_ahead_nor_waits_is_refused_and_belongs_to_no_version() {
    let silent = RawServer::start(|_| Reaction::Wait).await.unwrap();
    for mut view in [gateway_to(silent.address), ingress_to(silent.address)] {
        view.services[0].routes[0].retry = retrying(2, &[503]);
        let proxy = Proxy::running(&limited(view, 1, Some(0))).await;
        let before = silent.seen().len();
        let mut under_way = proxy.client().await;
        under_way.send(get("/")).await.unwrap();
        until("it is under way", async || silent.seen().len() > before).await;
        drop(proxy.plane.observe().await);

        let mut refused = proxy.client().await;
        for _ in 0..2 {
            let response = refused.ask(get("/")).await.unwrap();
            assert_eq!(response.status, 503);
            assert_eq!(response.header("x-envoy-overloaded"), Some("true"));
            assert!(response.text().contains("connection pool"));
        }
        assert_eq!(proxy.plane.observe().await, []);

        drop(under_way);
        until("there is room again", async || {
            let mut next = proxy.client().await;
            next.send(get("/")).await.unwrap();
            tokio::select! {
                biased;
                response = next.response(false) => {
                    assert_eq!(response.unwrap().status, 503);
                    false
                }
                () = until("it reached the server", async || silent.seen().len() > before + 1) => true,
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_request_that_waits_has_its_time_and_goes_ahead_when_it_is_its_turn() {
    // Answers the first request when its body has come.
    let server = RawServer::start(|come| match come {
        come if come.starts_with(b"POST") && !come.ends_with(b"body") => Reaction::Wait,
        _ => Reaction::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()),
    })
    .await
    .unwrap();
    let mut view = limited(gateway_to(server.address), 1, Some(1));
    view.listeners[0].timeouts.per_request = Some(Duration::from_millis(60));
    let proxy = Proxy::running(&view).await;
    let mut first = proxy.client().await;
    first
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo")
        .await
        .unwrap();
    until("it is under way", async || !server.seen().is_empty()).await;
    let late = proxy.get("/").await;
    assert_eq!(late.status, 504, "{}", late.text());
    assert!(late.text().contains("connection pool"), "{}", late.text());

    let mut waiting = proxy.client().await;
    waiting.send(get("/")).await.unwrap();
    first.send("dy").await.unwrap();
    assert_eq!(first.response(false).await.unwrap().text(), "ok");
    assert_eq!(waiting.response(false).await.unwrap().status, 200);
}

/// A proxy before the application refused: the policy says 503 is tried again, but not this one.
#[tokio::test]
async fn a_refusal_for_want_of_room_is_not_tried_again() {
    let server = RawServer::answering(
        "HTTP/1.1 503 Service Unavailable\r\nX-Envoy-Overloaded: true\r\nContent-Length: 0\r\n\r\n",
    )
    .await
    .unwrap();
    let mut view = gateway_to(server.address);
    view.services[0].routes[0].retry = retrying(2, &[503]);
    assert_eq!(Proxy::running(&view).await.get("/").await.status, 503);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_new_view_keeps_a_pool_or_replaces_it() {
    let backend = Backend::saying("x").await.unwrap();
    let view = limited(ingress_to(backend.address), 1, Some(0));
    let proxy = Proxy::running(&view).await;
    let mut client = proxy.client().await;
    for view in [&view, &limited(view.clone(), 2, None), &view] {
        proxy.apply(view).await.unwrap();
        for _ in 0..10 {
            assert_eq!(client.ask(get("/")).await.unwrap().text(), "x");
        }
    }
    assert_eq!(backend.connections(), 3, "one for each pool that was new");
}
