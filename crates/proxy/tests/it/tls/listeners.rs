//! Listeners: modes, client certificates, bodies of any size.

use std::time::Duration;

use proxy::Options;
use testkit::raw::{RawServer, Reaction};
use testkit::{Backend, until};
use view::*;

use super::authority::Authority;
use super::foreign::curl;
use crate::mesh::{Proxy, gateway_to, get, options};

pub(super) fn secured(
    view: &mut NodeView,
    mode: TlsMode,
    certificate: Certificate,
) -> &mut ListenerTls {
    view.listeners[0].tls.insert(ListenerTls {
        mode,
        certificate,
        client_trust: None,
        client_subject_names: vec![],
    })
}

#[tokio::test]
async fn a_mode_lets_in_what_it_says() {
    let authority = Authority::new();
    let backend = Backend::saying("hello").await.unwrap();
    for (mode, plain_is_let_in) in [(TlsMode::Strict, false), (TlsMode::Permissive, true)] {
        let mut view = gateway_to(backend.address);
        let certificate = authority.certificate("server", &["crystal.local", "127.0.0.1"]);
        secured(&mut view, mode, certificate);
        let proxy = Proxy::running(&view).await;
        let url = format!("https://{}/", proxy.address);
        let ca = authority.path("ca.pem");
        for (version, highest) in [("--tlsv1.2", "1.2"), ("--tlsv1.3", "1.3")] {
            let arguments = [version, "--tls-max", highest, "--cacert", &ca, &url];
            assert_eq!(curl(&arguments).await.as_deref(), Ok("hello"), "{mode:?}");
        }
        let plain = curl(&[&format!("http://{}/", proxy.address)]).await;
        assert_eq!(
            plain.as_deref() == Ok("hello"),
            plain_is_let_in,
            "{plain:?}"
        );
    }
}

#[tokio::test]
async fn who_came_under_a_laxer_mode_is_asked_to_come_again() {
    let authority = Authority::new();
    let certificate = authority.certificate("server", &["127.0.0.1"]);
    let backend = Backend::saying("hello").await.unwrap();
    let mut view = gateway_to(backend.address);
    let moving_at_once = Options {
        reconnect_within: Duration::ZERO,
        ..options()
    };
    let proxy = Proxy::with(&view, moving_at_once).await;
    for mode in [TlsMode::Permissive, TlsMode::Strict] {
        let mut plain = proxy.client().await;
        plain.ask(get("/")).await.unwrap();
        proxy.apply(&view).await.unwrap();
        let kept = plain.ask(get("/")).await.unwrap();
        assert_eq!(kept.header("connection"), None, "nothing has changed");
        let mut silent = proxy.client().await;
        until("both have entered", async || proxy.connections().await == 2).await;
        secured(&mut view, mode, certificate.clone());
        proxy.apply(&view).await.unwrap();
        for client in [&mut plain, &mut silent] {
            let last = client.ask(get("/")).await.unwrap();
            assert_eq!(last.header("connection"), Some("close"), "{mode:?}");
        }
        until("both have left", async || proxy.connections().await == 0).await;
    }
    let url = format!("https://{}/", proxy.address);
    let ca = authority.path("ca.pem");
    assert_eq!(curl(&["--cacert", &ca, &url]).await.as_deref(), Ok("hello"));
    let plain = curl(&[&format!("http://{}/", proxy.address)]).await;
    assert!(plain.is_err(), "{plain:?}");
}

#[tokio::test]
async fn a_client_must_show_a_certificate_with_one_of_the_names() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let backend = Backend::saying("hello").await.unwrap();
    let mut view = gateway_to(backend.address);
    let own = authority.certificate("server", &["127.0.0.1"]);
    let tls = secured(&mut view, TlsMode::Strict, own);
    tls.client_trust = Some(authority.trust());
    tls.client_subject_names = vec!["spiffe://m/caller".into(), "caller.local".into()];
    let proxy = Proxy::running(&view).await;
    let url = format!("https://{}/", proxy.address);
    let ca = authority.path("ca.pem");
    let bare = curl(&["--cacert", &ca, &url]).await;
    assert!(bare.is_err(), "{bare:?}");
    for (issuer, name, is_let_in) in [
        (&authority, "spiffe://m/caller", true),
        (&authority, "caller.local", true),
        (&authority, "spiffe://m/callers", false),
        (&stranger, "spiffe://m/caller", false),
    ] {
        let Certificate::File { chain, key } = issuer.certificate("client", &[name]) else {
            unreachable!();
        };
        for highest in ["1.2", "1.3"] {
            let with = ["--cacert", &ca, "--cert", &chain, "--key", &key];
            let arguments = [&with[..], &["--tls-max", highest, &url]].concat();
            let answer = curl(&arguments).await;
            assert_eq!(
                answer.as_deref() == Ok("hello"),
                is_let_in,
                "{name} {answer:?}"
            );
        }
    }
}

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let authority = Authority::new();
    let echo = Backend::answering(|request| hyper::Response::new(request.into_body()))
        .await
        .unwrap();
    let mut inner = gateway_to(echo.address);
    let certificate = authority.certificate("server", &["crystal.local", "127.0.0.1"]);
    secured(&mut inner, TlsMode::Strict, certificate.clone());
    let inner = Proxy::running(&inner).await;
    let mut outer = gateway_to(inner.address);
    secured(&mut outer, TlsMode::Strict, certificate);
    outer.clusters[0].tls = Some(ClientTls {
        enforce: true,
        ports: vec![],
        certificate: None,
        trust: Some(authority.trust()),
        subject_names: vec!["crystal.local".into()],
        server_name: None,
    });
    let outer = Proxy::running(&outer).await;
    let body: String = (0..400_000).map(|line| format!("line {line}\n")).collect();
    let path = authority.path("body");
    std::fs::write(&path, &body).unwrap();
    let (data, ca) = (format!("@{path}"), authority.path("ca.pem"));
    let url = format!("https://{}/", outer.address);
    for _ in 0..3 {
        let answer = curl(&["--cacert", &ca, "--data-binary", &data, &url]).await;
        assert!(
            answer.unwrap() == body,
            "what came back is not what went out"
        );
    }
}

/// OpenSSL, and so curl, takes an end that was not announced for an attack.
#[tokio::test]
async fn a_body_that_ends_with_the_connection_ends_its_session_first() {
    let authority = Authority::new();
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let backend = RawServer::start(|_| Reaction::Send(chunked.into()))
        .await
        .unwrap();
    let mut view = gateway_to(backend.address);
    let certificate = authority.certificate("server", &["127.0.0.1"]);
    secured(&mut view, TlsMode::Strict, certificate);
    let proxy = Proxy::running(&view).await;
    let (url, ca) = (
        format!("https://{}/", proxy.address),
        authority.path("ca.pem"),
    );
    for version in ["1.2", "1.3"] {
        let old = ["--http1.0", "--tls-max", version, "--cacert", &ca, &url];
        assert_eq!(curl(&old).await.as_deref(), Ok("hello"), "TLS {version}");
    }
}

/// HTTP/2 is agreed on in the handshake, on both sides of the proxy.
#[tokio::test]
async fn http2_is_agreed_on_in_the_handshake() {
    let authority = Authority::new();
    let backend = Backend::saying("hello").await.unwrap();
    let mut inner = gateway_to(backend.address);
    let certificate = authority.certificate("server", &["crystal.local", "127.0.0.1"]);
    inner.listeners[0].protocol = Protocol::Http2;
    secured(&mut inner, TlsMode::Strict, certificate.clone());
    let inner = Proxy::running(&inner).await;
    let mut outer = gateway_to(inner.address);
    outer.listeners[0].protocol = Protocol::Http2;
    secured(&mut outer, TlsMode::Strict, certificate);
    outer.clusters[0].protocol = Protocol::Http2;
    outer.clusters[0].tls = Some(ClientTls {
        enforce: true,
        ports: vec![],
        certificate: None,
        trust: Some(authority.trust()),
        subject_names: vec!["crystal.local".into()],
        server_name: None,
    });
    let outer = Proxy::running(&outer).await;
    let (url, ca) = (
        format!("https://{}/", outer.address),
        authority.path("ca.pem"),
    );
    let told = ["--http2", "--cacert", &ca, "-w", " %{http_version}", &url];
    assert_eq!(curl(&told).await.as_deref(), Ok("hello 2"));
    let only_1 = curl(&["--http1.1", "--cacert", &ca, &url]).await;
    assert!(only_1.is_err(), "{only_1:?}");
}
