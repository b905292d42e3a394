//! CONNECT over HTTP/1.1: a tunnel to where routing leads, and what is said in it is never a request.

use std::net::SocketAddr;
use std::time::Duration;

use testkit::raw::{RawServer, Reaction};
use view::observe::Outcome;
use view::*;

use crate::mesh::{Proxy, gateway, gateway_to, nobody, node, retrying};
use crate::proxy_headers::Foreign;
use crate::tls::foreign::curl;

pub(crate) const CONNECT: &str =
    "CONNECT crystal.local:443 HTTP/1.1\r\nHost: crystal.local:443\r\n\r\n";
pub(crate) const GRANTED: &str = "HTTP/1.1 200 OK\r\n\r\n";
const DECLINED: &str = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/// Answers CONNECT like this, and sends back what it gets after that.
pub(crate) async fn tunnelling(answer: impl Into<String>) -> RawServer {
    let answer = answer.into();
    RawServer::start(move |come| match come {
        b"bye" => Reaction::SendAndClose(b"bye bye".to_vec()),
        // Nothing may follow the head before it is answered.
        _ if come.starts_with(b"CONNECT ") && !come.ends_with(b"\r\n\r\n") => Reaction::Wait,
        _ if come.starts_with(b"CONNECT ") => Reaction::Send(answer.clone().into_bytes()),
        _ => Reaction::Send([b"echo ", come].concat()),
    })
    .await
    .unwrap()
}

fn connect_to(authority: &str) -> String {
    format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n")
}

#[tokio::test]
async fn a_connect_becomes_a_tunnel() {
    // Whatever is said of a body, there is none (RFC 9110 section 9.3.6).
    for of_a_body in [
        "",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
    ] {
        let server = tunnelling(format!("HTTP/1.1 200 OK\r\n{of_a_body}X-A: b\r\n\r\nfirst")).await;
        let proxy = Proxy::running(&gateway_to(server.address)).await;
        let mut client = proxy.client().await;
        client.send(format!("{CONNECT}early")).await.unwrap();
        let head = client.read_until(b"\r\n\r\n").await.unwrap();
        assert_eq!(
            String::from_utf8_lossy(&head),
            "HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n",
            "{of_a_body:?}"
        );
        client.read_until(b"first").await.unwrap();
        client.read_until(b"echo early").await.unwrap();
        client.send(HIDDEN).await.unwrap();
        let echo = client.read_until(b"\r\n\r\n").await.unwrap();
        assert_eq!(String::from_utf8_lossy(&echo), format!("echo {HIDDEN}"));
        client.send("bye").await.unwrap();
        assert_eq!(client.read_to_end().await, b"bye bye");
        let host = "host: crystal.local:443";
        let head = CONNECT.replace("Host: crystal.local:443", host);
        assert_eq!(server.seen(), [format!("{head}early{HIDDEN}bye")]);
        let arm = &proxy.plane.observe().await[0].cells[0].arms[0];
        assert_eq!((arm.routed, arm.outcomes[&Outcome::Success]), (1, 1));
    }
}

/// A client may speak before it is answered, and go on after it is declined.
#[tokio::test]
async fn what_follows_a_declined_connect_is_no_request() {
    let server = tunnelling(DECLINED).await;
    let mut for_gets = gateway_to(server.address);
    for_gets.services[0].routes[0].matches.method = Some("GET".into());
    for (view, status) in [
        (gateway_to(server.address), 403),
        (for_gets, 404),
        (gateway_to(nobody()), 503),
    ] {
        let proxy = Proxy::running(&view).await;
        let whole = format!("{CONNECT}{HIDDEN}");
        for cut in [whole.len(), CONNECT.len(), CONNECT.len() + 9] {
            let mut client = proxy.client().await;
            client.send(&whole[..cut]).await.unwrap();
            let response = client.response(false).await.unwrap();
            assert_eq!(response.status, status, "{}", response.text());
            assert_eq!(response.header("connection"), Some("close"));
            // It may be closed already; what counts is that nothing more is answered.
            drop(client.send(&whole[cut..]).await);
            assert_eq!(client.read_to_end().await, b"", "{status}: answered twice");
        }
        for _ in 0..4 {
            drop(proxy.get("/").await);
        }
    }
    for seen in server.seen() {
        assert!(!seen.contains("hidden"), "{seen:?}");
        assert!(
            !seen.starts_with("CONNECT ") || seen.matches("HTTP/1.1").count() == 1,
            "what was to be a tunnel carries nobody else: {seen:?}"
        );
    }
}

/// The authority names whom the client wants; only routing says where that is.
#[tokio::test]
async fn a_connect_leads_nowhere_but_to_endpoints() {
    let (server, other) = (tunnelling(GRANTED).await, tunnelling(GRANTED).await);
    let elsewhere = connect_to(&other.address.to_string());

    let proxy = Proxy::running(&gateway_to(server.address)).await;
    assert_eq!(granted(&proxy, &elsewhere).await, GRANTED);
    let begins = format!("CONNECT {} HTTP/1.1\r\n", other.address);
    assert!(server.seen()[0].starts_with(&begins));

    for unmatched in [Unmatched::Forward, Unmatched::Refuse] {
        let hosts = vec![ServiceHost {
            host: "crystal.local".into(),
            port: None,
            service: 0,
        }];
        let entry = Entry::Egress { hosts, unmatched };
        let proxy = Proxy::running(&node(entry, &[("v", 1, &[server.address])])).await;
        for refused in [&*elsewhere, &connect_to("s3.amazonaws.com:443")] {
            let response = proxy.ask(refused).await;
            assert_eq!(response.status, 404, "{}", response.text());
        }
        assert_eq!(granted(&proxy, CONNECT).await, GRANTED);
    }
    assert_eq!(other.seen(), [""; 0]);
}

async fn granted(proxy: &Proxy, request: &str) -> String {
    let mut client = proxy.client().await;
    client.send(request).await.unwrap();
    String::from_utf8(client.read_until(b"\r\n\r\n").await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_connect_is_routed_as_what_asks_for_the_root() {
    let server = tunnelling(GRANTED).await;
    let mut view = gateway_to(server.address);
    let Entry::Gateway { routes } = &mut view.listeners[0].entry else {
        unreachable!("it is a gateway");
    };
    routes[0].rewrite.host = Some("svc.local".into());
    view.services[0].routes[0].matches.method = Some("CONNECT".into());
    for (path, leads_there) in [
        (PathMatch::Prefix("/".into()), true),
        (PathMatch::Exact("/".into()), true),
        (PathMatch::Prefix("/a".into()), false),
    ] {
        view.services[0].routes[0].matches.path = path;
        let proxy = Proxy::running(&view).await;
        // The target decides, as with an absolute one; a rewritten host keeps its port.
        let asked = "CONNECT a:8443 HTTP/1.1\r\nHost: b\r\nContent-Length: 0\r\n\
                     Connection: upgrade\r\nUpgrade: websocket\r\nX-A: b\r\n\r\n";
        let head = granted(&proxy, asked).await;
        assert_eq!(head == GRANTED, leads_there, "{head}");
        assert_eq!(proxy.get("/").await.status, 404);
    }
    let passed = "CONNECT svc.local:8443 HTTP/1.1\r\nhost: svc.local:8443\r\nX-A: b\r\n\r\n";
    assert_eq!(server.seen(), [passed; 2]);
}

#[tokio::test]
async fn another_endpoint_is_tried_before_the_answer_and_nothing_early_is_lost() {
    let server = tunnelling(GRANTED).await;
    let mut view = gateway(&[("stable", 1, &[nobody(), server.address])]);
    view.services[0].routes[0].retry = retrying(2, &[]);
    let proxy = Proxy::running(&view).await;
    for _ in 0..8 {
        let mut client = proxy.client().await;
        client.send(format!("{CONNECT}early")).await.unwrap();
        let expected = format!("{GRANTED}echo early");
        let got = client.read_exactly(expected.len()).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&got), expected);
    }
    assert_eq!(server.seen().len(), 8, "each tunnel has its own connection");
}

#[tokio::test]
async fn a_switch_to_another_protocol_does_not_answer_a_connect() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade";
    let server = tunnelling(format!("{switching}\r\n\r\n")).await;
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    assert_eq!(proxy.ask(CONNECT).await.status, 502);
}

#[tokio::test]
async fn a_tunnel_that_falls_silent_is_closed() {
    let server = tunnelling(GRANTED).await;
    let mut view = gateway_to(server.address);
    view.services[0].routes[0].timeouts.idle = Some(Duration::from_millis(100));
    let proxy = Proxy::running(&view).await;
    let mut client = proxy.client().await;
    client.send(CONNECT).await.unwrap();
    assert_eq!(client.read_to_end().await, GRANTED.as_bytes());
}

/// curl's tunnel through this proxy, and through HAProxy behind it.
#[tokio::test]
async fn curl_tunnels_through_this_proxy_and_haproxy() {
    let server = RawServer::start(|come| match come {
        _ if !come.ends_with(b"\r\n\r\n") => Reaction::Wait,
        _ if come.starts_with(b"CONNECT crystal.local:80 HTTP/1.1\r\n") => {
            Reaction::Send(GRANTED.into())
        }
        _ if come.starts_with(b"GET /in-the-tunnel HTTP/1.1\r\n") => {
            Reaction::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec())
        }
        _ => Reaction::SendAndClose(b"HTTP/1.1 500 Otherwise\r\n\r\n".to_vec()),
    })
    .await
    .unwrap();
    let haproxy = Foreign::haproxy(|own| {
        format!(
            "listen in\n mode http\n bind {own}\n server behind {}",
            server.address
        )
    })
    .await;
    for endpoint in [server.address, haproxy.address] {
        assert_eq!(
            curl_through(endpoint).await.as_deref(),
            Ok("hello 200 after 200")
        );
    }
    // HAProxy has nobody behind it.
    let haproxy = Foreign::haproxy(|own| {
        format!(
            "listen in\n mode http\n bind {own}\n server behind {}",
            nobody()
        )
    })
    .await;
    let error = curl_through(haproxy.address).await.unwrap_err();
    assert!(
        error.contains("CONNECT tunnel failed, response 503"),
        "{error}"
    );
}

async fn curl_through(endpoint: SocketAddr) -> Result<String, String> {
    let proxy = Proxy::running(&gateway_to(endpoint)).await;
    let own = format!("http://{}", proxy.address);
    curl(&[
        "--proxytunnel",
        "--proxy",
        &own,
        "--noproxy",
        "",
        "--write-out",
        " %{http_code} after %{http_connect}",
        "http://crystal.local/in-the-tunnel",
    ])
    .await
}
