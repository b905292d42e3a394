//! gRPC with foreign peers in front and behind, and what the proxy itself says to gRPC clients.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use view::observe::Outcome;
use view::*;

use crate::http2_peers::{Answer, Http2Backend, Http2Client, request};
use crate::mesh::{Proxy, any, gateway_to, nobody, retrying};

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/grpc_peer.py");

/// The reference implementation's server, until dropped.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let python = std::env::var("SERIN_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut process = Command::new(python)
            .args(["-B", PEER, "serve"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut port)
            .unwrap();
        // Without grpcio, which scripts/prerequisites installs, there is none.
        let port: u16 = port.trim().parse().unwrap();
        Self {
            process,
            address: ([127, 0, 0, 1], port).into(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

/// A gateway for gRPC in front of a service that speaks it.
fn grpc_gateway(address: SocketAddr) -> NodeView {
    let mut view = gateway_to(address);
    view.listeners[0].protocol = Protocol::Grpc;
    view.clusters[0].protocol = Protocol::Grpc;
    let mut retry = retrying(2, &[]);
    if let Some(policy) = &mut retry {
        policy.on.grpc_status = vec![14];
    }
    view.services[0].routes[0].retry = retry;
    let Entry::Gateway { routes } = &mut view.listeners[0].entry else {
        unreachable!();
    };
    routes[0].matches = RequestMatch {
        path: PathMatch::Prefix("/t.T/".into()),
        ..any()
    };
    view
}

#[tokio::test]
async fn every_kind_of_call_passes_between_foreign_peers() {
    let server = Server::start();
    let proxy = Proxy::running(&grpc_gateway(server.address)).await;
    let address = proxy.address.to_string();
    let said =
        tokio::task::spawn_blocking(move || testkit::python::run(&[PEER, "call", &address], ""))
            .await
            .unwrap();
    let mut expected = vec![
        "echo hello 1".to_owned(),
        "large True".into(),
        "chat re: 0 re: 1 re: 2 bye".into(),
        "count 0 1 2".into(),
        "total 3".into(),
    ];
    expected.extend((1..17).map(|status| format!("fail {status} 100% \u{e9}")));
    expected.extend([
        "flaky 3".into(),
        "hang DEADLINE_EXCEEDED".into(),
        "cancelled True".into(),
        "other UNIMPLEMENTED no gateway route matches".into(),
    ]);
    assert_eq!(said.lines().collect::<Vec<_>>(), expected);

    let mut ended = std::collections::BTreeMap::new();
    testkit::until("all calls are counted", async || {
        for observed in proxy.plane.observe().await {
            for (outcome, count) in &observed.cells[0].arms[0].outcomes {
                *ended.entry(*outcome).or_insert(0) += count;
            }
        }
        // 5 that succeed, 16 that fail, one tried again, one that hangs, and one cancelled.
        ended.values().sum::<u64>() >= 23
    })
    .await;
    assert_eq!(ended[&Outcome::Success], 6);
    assert_eq!(ended[&Outcome::ClientError], 8);
    assert_eq!(ended[&Outcome::ServerError], 5);
    assert_eq!(ended[&Outcome::Unavailable], 1);
}

async fn call(proxy: &Proxy, timeout: Option<&'static str>) -> Answer {
    let client = Http2Client::connect(proxy.address).await;
    let mut request = request("POST", "/t.T/Echo");
    let headers = request.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("te", HeaderValue::from_static("trailers"));
    if let Some(timeout) = timeout {
        headers.insert("grpc-timeout", HeaderValue::from_static(timeout));
    }
    client
        .ask(request, Some((b"\0\0\0\0\0", None)))
        .await
        .unwrap()
}

#[tokio::test]
async fn the_proxys_own_errors_are_grpc_statuses() {
    let proxy = Proxy::running(&grpc_gateway(nobody())).await;
    let answer = call(&proxy, None).await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/grpc"))
    );
    assert_eq!(
        (answer.header("grpc-status"), answer.body.len()),
        (Some("14"), 0)
    );
    let message = answer.header("grpc-message").unwrap();
    assert!(
        message.starts_with("cannot connect to 127.0.0.1:"),
        "{message}"
    );
}

#[tokio::test]
async fn the_clients_deadline_ends_a_call() {
    let silent = Http2Backend::serving(|_, respond| async move {
        std::future::pending::<()>().await;
        drop(respond);
        Ok(())
    })
    .await;
    let proxy = Proxy::running(&grpc_gateway(silent.address)).await;
    let answer = call(&proxy, Some("50m")).await;
    assert_eq!(answer.header("grpc-status"), Some("4"));
}

#[tokio::test]
async fn a_status_in_trailers_counts_and_one_at_once_is_tried_again() {
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let seen = std::sync::Arc::clone(&calls);
    let backend = Http2Backend::serving(move |_, mut respond| {
        let number = seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            let response = Response::builder().header("content-type", "application/grpc");
            let mut stream = respond.send_response(response.body(()).unwrap(), false)?;
            if number > 0 {
                stream.send_data(Bytes::from_static(b"\0\0\0\0\0"), false)?;
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("14"));
            stream.send_trailers(trailers)
        }
    })
    .await;
    let proxy = Proxy::running(&grpc_gateway(backend.address)).await;
    let answer = call(&proxy, None).await;
    assert_eq!(
        (answer.body.len(), answer.trailer("grpc-status")),
        (5, Some("14"))
    );
    assert_eq!(
        calls.load(std::sync::atomic::Ordering::Relaxed),
        2,
        "once a message has come, the client sees the rest"
    );
    let observed = proxy.plane.observe().await;
    let outcomes = &observed[0].cells[0].arms[0].outcomes;
    assert_eq!(outcomes.get(&Outcome::Unavailable), Some(&1));
}

async fn silent_call(service_speaks: bool) -> Outcome {
    let backend = Http2Backend::serving(move |request, mut respond| async move {
        let response = Response::builder().header("content-type", "application/grpc");
        let mut stream = respond.send_response(response.body(()).unwrap(), false)?;
        let mut body = request.into_body();
        drop(body.data().await);
        if service_speaks {
            stream.send_data(Bytes::from_static(b"\0\0\0\0\0"), false)?;
        }
        std::future::pending::<()>().await;
        drop((stream, body));
        Ok(())
    })
    .await;
    let mut view = grpc_gateway(backend.address);
    view.services[0].routes[0].timeouts.idle = Some(Duration::from_millis(100));
    let proxy = Proxy::running(&view).await;
    let client = Http2Client::connect(proxy.address).await;
    let mut request = request("POST", "/t.T/Chat");
    let content_type = HeaderValue::from_static("application/grpc");
    request.headers_mut().insert("content-type", content_type);
    let mut sender = client.sender.clone().ready().await.unwrap();
    let (_response, mut stream) = sender.send_request(request, false).unwrap();
    // The client keeps its side open, as a stream in both directions does.
    stream
        .send_data(Bytes::from_static(b"\0\0\0\0\0"), false)
        .unwrap();
    let mut ended = None;
    testkit::until("the call is counted", async || {
        for observed in proxy.plane.observe().await {
            for outcome in observed.cells[0].arms[0].outcomes.keys() {
                ended = Some(*outcome);
            }
        }
        ended.is_some()
    })
    .await;
    ended.unwrap()
}

#[tokio::test]
async fn a_call_that_falls_silent_is_blamed_on_who_owes_the_next_word() {
    assert_eq!(silent_call(false).await, Outcome::Timeout);
    assert_eq!(silent_call(true).await, Outcome::Cancelled);
}

/// Answers every call with its own name as the message.
async fn named(name: &'static str) -> Http2Backend {
    Http2Backend::serving(move |_, mut respond| async move {
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .header("x-name", name);
        let mut stream = respond.send_response(response.body(()).unwrap(), false)?;
        stream.send_data(Bytes::from_static(b"\0\0\0\0\0"), false)?;
        let status = (
            "grpc-status".parse().unwrap(),
            HeaderValue::from_static("0"),
        );
        stream.send_trailers(HeaderMap::from_iter([status]))
    })
    .await
}

#[tokio::test]
async fn routes_match_by_service_method_and_metadata() {
    let backends = [
        named("by method").await,
        named("by metadata").await,
        named("by service").await,
    ];
    let mut view = grpc_gateway(backends[0].address);
    let Entry::Gateway { routes } = &mut view.listeners[0].entry else {
        unreachable!();
    };
    routes[0].matches = any();
    let canary = HeaderMatch {
        name: "x-fleet".into(),
        invert: false,
        value: ValueMatch::Exact("canary".into()),
    };
    let matches = [
        (PathMatch::Exact("/t.T/Echo".into()), vec![]),
        (PathMatch::Prefix("/t.T/".into()), vec![canary]),
        (PathMatch::Prefix("/t.T/".into()), vec![]),
    ];
    let (route, cluster) = (view.services[0].routes[0].clone(), view.clusters[0].clone());
    view.services[0].routes.clear();
    view.clusters.clear();
    for (number, ((path, headers), backend)) in matches.into_iter().zip(&backends).enumerate() {
        let mut route = route.clone();
        route.name = format!("route-{number}");
        route.matches = RequestMatch {
            path,
            headers,
            ..any()
        };
        route.split.id = format!("{}-{number}", route.split.id);
        route.split.targets[0].cluster = number;
        view.services[0].routes.push(route);
        let mut cluster = cluster.clone();
        cluster.name = format!("cluster-{number}");
        let Discovery::Static { endpoints } = &mut cluster.discovery else {
            unreachable!();
        };
        endpoints[0].address = backend.address;
        view.clusters.push(cluster);
    }
    let proxy = Proxy::running(&view).await;
    let client = Http2Client::connect(proxy.address).await;
    for (path, metadata, expected) in [
        ("/t.T/Echo", "canary", Some("by method")),
        ("/t.T/Chat", "canary", Some("by metadata")),
        ("/t.T/Chat", "stable", Some("by service")),
        ("/t.Other/Echo", "canary", None),
    ] {
        let mut request = request("POST", path);
        let headers = request.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("x-fleet", HeaderValue::from_static(metadata));
        let answer = client.ask(request, Some((b"", None))).await.unwrap();
        assert_eq!(answer.header("x-name"), expected, "{path} {metadata}");
        let status = match expected {
            Some(_) => answer.trailer("grpc-status"),
            None => answer.header("grpc-status"),
        };
        assert_eq!(status, Some(if expected.is_some() { "0" } else { "12" }));
    }
}
