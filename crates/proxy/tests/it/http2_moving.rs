//! Connections that last are asked to move when weights change, and leave when their listener does.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use proxy::Options;
use testkit::Backend;
use view::*;

use crate::http2_peers::{Http2Backend, Http2Client, request};
use crate::mesh::{Proxy, gateway, get, options};

fn weighing(stable: &Backend, weight: u32) -> NodeView {
    gateway(&[
        ("stable", weight, &[stable.address]),
        ("canary", 100 - weight, &[stable.address]),
    ])
}

fn moving_at_once() -> Options {
    Options {
        reconnect_within: Duration::ZERO,
        ..options()
    }
}

#[tokio::test]
async fn http1_connections_close_with_their_next_response() {
    let backend = Backend::saying("x").await.unwrap();
    let proxy = Proxy::with(&weighing(&backend, 95), moving_at_once()).await;
    let mut client = proxy.client().await;
    client.ask(get("/")).await.unwrap();
    proxy.apply(&weighing(&backend, 95)).await.unwrap();
    let kept = client.ask(get("/")).await.unwrap();
    assert_eq!(kept.header("connection"), None, "nothing has changed");
    proxy.apply(&weighing(&backend, 90)).await.unwrap();
    let last = client.ask(get("/")).await.unwrap();
    assert_eq!(
        (last.status, last.header("connection")),
        (200, Some("close"))
    );
    let mut fresh = proxy.client().await;
    let first = fresh.ask(get("/")).await.unwrap();
    assert_eq!(
        first.header("connection"),
        None,
        "it began after the change"
    );
}

/// A stream whose response has begun and goes on until the test says more.
async fn stream_under_way(
    cut_moved_after: Option<Duration>,
) -> (Proxy, NodeView, Http2Client, h2::RecvStream, Http2Backend) {
    let backend = Http2Backend::serving(|_, mut respond| async move {
        let mut stream = respond.send_response(Response::new(()), false)?;
        stream.send_data(Bytes::from_static(b"first"), false)?;
        std::future::pending::<()>().await;
        drop(stream);
        Ok(())
    })
    .await;
    let mut view = gateway(&[
        ("stable", 95, &[backend.address]),
        ("canary", 5, &[backend.address]),
    ]);
    for cluster in &mut view.clusters {
        cluster.protocol = Protocol::Http2;
    }
    let options = Options {
        cut_moved_after,
        ..moving_at_once()
    };
    let proxy = Proxy::with(&view, options).await;
    let client = Http2Client::connect(proxy.address).await;
    let (response, _) = client
        .sender
        .clone()
        .send_request(request("GET", "/"), true)
        .unwrap();
    let mut body = testkit::within("a response", response)
        .await
        .unwrap()
        .into_body();
    assert_eq!(
        testkit::within("data", body.data()).await.unwrap().unwrap(),
        "first"
    );
    (proxy, view, client, body, backend)
}

/// It was there before the change, though it had not said what it speaks.
#[tokio::test]
async fn who_says_late_that_it_speaks_http2_is_asked_as_well() {
    const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0];
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let backend = Backend::saying("x").await.unwrap();
    let proxy = Proxy::with(&weighing(&backend, 95), moving_at_once()).await;
    let mut client = proxy.client().await;
    testkit::until("it has entered", async || proxy.connections().await == 1).await;
    proxy.apply(&weighing(&backend, 90)).await.unwrap();
    let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", SETTINGS].concat();
    client.send(preface).await.unwrap();
    client.read_until(GOAWAY).await.unwrap();
}

async fn refuses_streams(client: &Http2Client) {
    testkit::until("GOAWAY has come", async || {
        client.sender.clone().ready().await.is_err()
    })
    .await;
}

#[tokio::test]
async fn http2_connections_get_goaway_and_their_streams_go_on() {
    let (proxy, mut view, client, mut body, _backend) = stream_under_way(None).await;
    view.services[0].routes[0].split.targets[0].weight = 50;
    proxy.apply(&view).await.unwrap();
    refuses_streams(&client).await;
    let pending = tokio::time::timeout(Duration::from_millis(50), body.data()).await;
    assert!(pending.is_err(), "the stream goes on: {pending:?}");
}

#[tokio::test]
async fn streams_that_do_not_move_are_cut_only_if_the_options_say_so() {
    let cut = Some(Duration::from_millis(20));
    let (proxy, mut view, client, mut body, _backend) = stream_under_way(cut).await;
    view.services[0].routes[0].split.targets[0].weight = 50;
    proxy.apply(&view).await.unwrap();
    refuses_streams(&client).await;
    let ended = testkit::within("the end", body.data()).await;
    assert!(matches!(ended, Some(Err(_))), "{ended:?}");
}

#[tokio::test]
async fn a_draining_listener_lets_streams_go_on_and_then_cuts_them() {
    let (proxy, view, client, mut body, _backend) = stream_under_way(None).await;
    let removing = proxy.plane.remove(&view.node, Duration::from_millis(300));
    let ((), ()) = tokio::join!(removing, refuses_streams(&client));
    let ended = testkit::within("the end", body.data()).await;
    assert!(matches!(ended, Some(Err(_))), "{ended:?}");
}
