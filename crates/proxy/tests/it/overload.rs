//! Ceilings: what is beyond them is shed and counted, what is below goes on, and so do health checks.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use bytes::Bytes;
use proxy::{Ceilings, HealthStatus, Options, WorkerStatistics};
use testkit::raw::RawClient;
use testkit::{Backend, until};
use tokio::net::TcpStream;
use view::{HealthCheck, Protocol};

use crate::mesh::{Proxy, gateway_to, get, listener, options};

fn with(ceilings: Ceilings) -> Options {
    Options {
        ceilings,
        ..options()
    }
}

fn some(most: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(most)
}

/// Over all workers.
async fn counted(proxy: &Proxy, count: fn(&WorkerStatistics) -> u64) -> u64 {
    proxy.plane.statistics().await.of_workers(count)
}

/// A request that is under way until its body is finished.
async fn begun(proxy: &Proxy) -> RawClient {
    let mut client = proxy.client().await;
    let head = "POST / HTTP/1.1\r\nHost: crystal.local\r\nContent-Length: 2\r\n\r\n";
    client.send(head).await.unwrap();
    client.send("h").await.unwrap();
    client
}

async fn finish(mut client: RawClient) {
    client.send("i").await.unwrap();
    assert_eq!(client.response(false).await.unwrap().status, 200);
}

#[tokio::test]
async fn connections_beyond_the_ceiling_are_closed_and_counted() {
    let backend = Backend::saying("done").await.unwrap();
    for ceilings in [
        Ceilings {
            connections: some(2),
            ..Ceilings::default()
        },
        Ceilings {
            listener_connections: some(2),
            ..Ceilings::default()
        },
    ] {
        let proxy = Proxy::with(&gateway_to(backend.address), with(ceilings)).await;
        let (mut first, mut second) = (proxy.client().await, proxy.client().await);
        for inside in [&mut first, &mut second] {
            assert_eq!(inside.ask(get("/")).await.unwrap().status, 200);
        }
        for shed in 1..=3 {
            assert!(proxy.client().await.read_to_end().await.is_empty());
            assert_eq!(
                counted(&proxy, |worker| worker.shed_connections).await,
                shed
            );
        }
        for inside in [&mut first, &mut second] {
            assert_eq!(inside.ask(get("/")).await.unwrap().status, 200);
        }
        drop(first);
        until("room for another", async || {
            let mut client = proxy.client().await;
            client
                .ask(get("/"))
                .await
                .is_ok_and(|answer| answer.status == 200)
        })
        .await;
    }
}

#[tokio::test]
async fn a_listener_that_is_full_leaves_room_for_the_others() {
    let backend = Backend::saying("done").await.unwrap();
    let mut view = gateway_to(backend.address);
    view.listeners
        .push(listener("second", view.listeners[0].entry.clone()));
    let ceilings = Ceilings {
        listener_connections: some(1),
        ..Ceilings::default()
    };
    let proxy = Proxy::with(&view, with(ceilings)).await;
    let addresses: Vec<_> = proxy.plane.listeners().await;
    let mut inside = Vec::new();
    for bound in &addresses {
        let mut client = RawClient::connect(bound.address).await.unwrap();
        assert_eq!(client.ask(get("/")).await.unwrap().status, 200);
        inside.push(client);
    }
    assert_eq!(inside.len(), 2);
    for bound in &addresses {
        let mut client = RawClient::connect(bound.address).await.unwrap();
        assert!(client.read_to_end().await.is_empty());
    }
    // A view that keeps the listeners keeps their ceilings, and who is below them.
    proxy.apply(&view).await.unwrap();
    assert!(proxy.client().await.read_to_end().await.is_empty());
}

#[tokio::test]
async fn requests_beyond_the_ceiling_get_503_and_those_under_way_end() {
    let backend = Backend::saying("done").await.unwrap();
    let ceilings = Ceilings {
        requests: some(2),
        ..Ceilings::default()
    };
    let proxy = Proxy::with(&gateway_to(backend.address), with(ceilings)).await;
    let (first, second) = (begun(&proxy).await, begun(&proxy).await);
    until("both are under way", async || backend.connections() == 2).await;
    let mut third = proxy.client().await;
    let shed = third.ask(get("/")).await.unwrap();
    assert_eq!(shed.status, 503);
    assert_eq!(shed.header("x-envoy-local-overloaded"), Some("true"));
    assert_eq!(counted(&proxy, |worker| worker.shed_requests).await, 1);

    let check = "GET / HTTP/1.1\r\nHost: crystal.local\r\nUser-Agent: serin health check\r\n\r\n";
    assert_eq!(third.ask(check).await.unwrap().status, 200, "is not ill");

    finish(first).await;
    until("room for another", async || {
        third.ask(get("/")).await.unwrap().status == 200
    })
    .await;
    finish(second).await;
}

#[tokio::test]
async fn streams_of_http2_are_requests_like_others() {
    let backend = Backend::saying("done").await.unwrap();
    let ceilings = Ceilings {
        requests: some(1),
        ..Ceilings::default()
    };
    let proxy = Proxy::with(&gateway_to(backend.address), with(ceilings)).await;
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = |method: &str| {
        let request = http::Request::builder().method(method);
        request.uri("http://crystal.local/").body(()).unwrap()
    };
    let (held, mut body) = client.send_request(request("POST"), false).unwrap();
    until("the second stream is shed", async || {
        let (answer, _) = client.send_request(request("GET"), true).unwrap();
        answer.await.unwrap().status() == 503
    })
    .await;
    body.send_data(Bytes::from_static(b"hi"), true).unwrap();
    assert_eq!(held.await.unwrap().status(), 200);
}

#[tokio::test]
async fn endpoints_are_checked_while_requests_are_shed() {
    let backend = Backend::saying("done").await.unwrap();
    let mut view = gateway_to(backend.address);
    view.clusters[0].health_check = Some(HealthCheck {
        protocol: Protocol::Http,
        path: "/health".into(),
        port: None,
        interval: Duration::from_millis(20),
        timeout: Duration::from_secs(5),
        healthy_threshold: 2,
        unhealthy_threshold: 2,
    });
    let ceilings = Ceilings {
        requests: some(1),
        connections: some(1),
        ..Ceilings::default()
    };
    let proxy = Proxy::with(&view, with(ceilings)).await;
    let held = begun(&proxy).await;
    until("the request is under way", async || {
        proxy.connections().await == 1
    })
    .await;
    assert!(proxy.client().await.read_to_end().await.is_empty());
    assert_eq!(counted(&proxy, |worker| worker.shed_connections).await, 1);
    let checks = backend.requests();
    until("more checks", async || backend.requests() > checks + 2).await;
    let health = proxy.plane.endpoint_health().await;
    assert_eq!(health[0].status, HealthStatus::Healthy);
    finish(held).await;
}

#[tokio::test]
async fn bodies_beyond_the_ceiling_get_413_however_they_are_framed() {
    let backend = Backend::saying("done").await.unwrap();
    let ceilings = Ceilings {
        body: NonZeroU64::new(4),
        ..Ceilings::default()
    };
    let proxy = Proxy::with(&gateway_to(backend.address), with(ceilings)).await;
    let head = "POST / HTTP/1.1\r\nHost: crystal.local\r\n";
    for (framed, status) in [
        ("Content-Length: 4\r\n\r\nfour", 200),
        ("Content-Length: 5\r\n\r\n", 413),
        (
            "Transfer-Encoding: chunked\r\n\r\n2\r\nfo\r\n2\r\nur\r\n0\r\n\r\n",
            200,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n2\r\nfo\r\n3\r\nurs\r\n0\r\n\r\n",
            413,
        ),
    ] {
        let answer = proxy.ask(format!("{head}{framed}")).await;
        assert_eq!(answer.status, status, "{framed:?}");
    }
    // Piece by piece, so that the first is on its way to the service before the last one comes.
    let mut client = proxy.client().await;
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nfou\r\n");
    client.send(chunked).await.unwrap();
    until("the service has been reached", async || {
        backend.connections() > 0
    })
    .await;
    client.send("2\r\nrs\r\n").await.unwrap();
    assert_eq!(client.response(false).await.unwrap().status, 413);
    assert_eq!(counted(&proxy, |worker| worker.shed_bodies).await, 3);

    let stream = TcpStream::connect(proxy.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::post("http://crystal.local/")
        .body(())
        .unwrap();
    let (answer, mut body) = client.send_request(request, false).unwrap();
    body.send_data(Bytes::from_static(b"fou"), false).unwrap();
    body.send_data(Bytes::from_static(b"rs"), true).unwrap();
    assert_eq!(answer.await.unwrap().status(), 413);
    assert_eq!(counted(&proxy, |worker| worker.shed_bodies).await, 4);
}
