//! Leaving: nobody gets in, those inside finish, and in the end it ends.

use std::time::Duration;

use testkit::raw::{RawServer, Reaction};
use testkit::{Backend, Load, until, within};
use tokio::sync::watch;

use crate::mesh::{NODE, Proxy, gateway_to, get};

const LONG: Duration = Duration::from_secs(30);

/// A server that answers once it is let.
async fn held() -> (RawServer, watch::Sender<bool>) {
    let (release, released) = watch::channel(false);
    let server = RawServer::start(move |_| {
        // Half an answer shows that it has begun; the rest is sent by asking again.
        if *released.borrow() {
            Reaction::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())
        } else {
            Reaction::Wait
        }
    })
    .await
    .unwrap();
    (server, release)
}

#[tokio::test]
async fn removal_waits_for_the_request_under_way_and_tells_the_client_to_leave() {
    let (server, release) = held().await;
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let mut client = proxy.client().await;
    // The server is asked for its reaction again when the body's second half arrives.
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfi")
        .await
        .unwrap();
    until("the request is under way", async || {
        !server.seen().is_empty()
    })
    .await;

    let removal = proxy.plane.remove(NODE, LONG);
    tokio::pin!(removal);
    let early = tokio::time::timeout(Duration::from_millis(50), &mut removal).await;
    assert!(early.is_err(), "it waits for the request");
    release.send_replace(true);
    client.send("ve").await.unwrap();
    let response = client.response(false).await.unwrap();
    assert_eq!(
        (response.text().as_str(), response.header("connection")),
        ("ok", Some("close"))
    );
    drop(client);
    within("the removal", removal).await;
}

#[tokio::test]
async fn what_has_not_finished_in_time_is_cut() {
    let (server, _release) = held().await;
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let mut client = proxy.client().await;
    client.send(get("/")).await.unwrap();
    until("the request is under way", async || {
        !server.seen().is_empty()
    })
    .await;
    within(
        "the removal",
        proxy.plane.remove(NODE, Duration::from_millis(50)),
    )
    .await;
    assert_eq!(client.read_to_end().await, b"");
}

#[tokio::test]
async fn an_idle_connection_may_ask_once_more_and_is_then_closed() {
    let backend = Backend::saying("x").await.unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let (mut asks, mut idles) = (proxy.client().await, proxy.client().await);
    for client in [&mut asks, &mut idles] {
        assert_eq!(
            client.ask(get("/")).await.unwrap().header("connection"),
            None
        );
    }
    let removal = async { within("the removal", proxy.plane.remove(NODE, LONG)).await };
    let last = async {
        let response = asks.ask(get("/")).await.unwrap();
        assert_eq!(response.status, 200);
        let end = asks.read_to_end().await;
        drop(asks);
        (response.header("connection").map(str::to_owned), end)
    };
    let ((), (connection, end)) = tokio::join!(removal, last);
    assert_eq!((connection.as_deref(), end), (Some("close"), vec![]));
    assert_eq!(idles.read_to_end().await, b"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_under_load_cuts_nothing() {
    let backend = Backend::saying("x").await.unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let load = Load::start(proxy.address, 16, Some(1000.0), get("/"));
    until("requests are sent", async || load.sent() > 200).await;
    let observed = within("the shutdown", proxy.plane.shutdown(LONG)).await;
    let report = load.stop().await.unwrap();
    assert_eq!(report.with_status(200), report.total() - report.failed());
    // Connections that come too late are refused, none is reset with a request on it.
    assert!(
        report
            .failures
            .keys()
            .all(|failure| failure.contains("refused")),
        "{report:?}"
    );
    assert_eq!(observed[0].cells[0].arms[0].routed, report.with_status(200));
    assert!(
        proxy.apply(&gateway_to(backend.address)).await.is_err(),
        "nothing can be applied any more"
    );
    assert_eq!(proxy.plane.observe().await, vec![]);
}

#[tokio::test]
async fn dropping_the_handle_closes_everything() {
    let backend = Backend::saying("x").await.unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let address = proxy.address;
    let mut client = proxy.client().await;
    assert_eq!(client.ask(get("/")).await.unwrap().status, 200);
    drop(proxy);
    assert_eq!(client.read_to_end().await, b"");
    until("the port is free", async || {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
}
