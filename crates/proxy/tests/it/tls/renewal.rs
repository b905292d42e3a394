//! Certificates that change under a running proxy: from files, and as secrets.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proxy::{CertificateStatus, Purpose, Secret};
use testkit::{Backend, until};
use view::*;

use super::authority::Authority;
use super::foreign::curl;
use super::listeners::secured;
use crate::mesh::{NODE, Proxy, gateway_to};

async fn status(proxy: &Proxy, is_so: impl Fn(&CertificateStatus) -> bool) -> CertificateStatus {
    let mut own = None;
    until("the certificate is as expected", async || {
        let known = proxy.plane.certificates().await;
        own = known
            .into_iter()
            .find(|status| status.purpose == Purpose::Identity);
        own.as_ref().is_some_and(&is_so)
    })
    .await;
    own.unwrap()
}

#[tokio::test]
async fn a_new_file_is_taken_up_and_a_broken_one_is_not() {
    let authority = Authority::new();
    let backend = Backend::saying("hello").await.unwrap();
    let mut view = gateway_to(backend.address);
    let certificate = authority.certificate("server", &["127.0.0.1", "first.local"]);
    secured(&mut view, TlsMode::Strict, certificate);
    let proxy = Proxy::running(&view).await;
    let first = status(&proxy, |status| status.error.is_none()).await;
    assert_eq!(first.resource, "lds_ingress");
    assert_eq!(first.certificates[0].subject, "CN=server");
    assert_eq!(first.certificates[0].names[1].to_string(), "first.local");

    let chain = authority.path("server.pem");
    let good = std::fs::read(&chain).unwrap();
    std::fs::write(&chain, &good[..good.len() / 2]).unwrap();
    let broken = status(&proxy, |status| status.error.is_some()).await;
    assert_eq!(
        broken.certificates, first.certificates,
        "the last one serves"
    );
    let url = format!("https://{}/", proxy.address);
    let ca = authority.path("ca.pem");
    assert_eq!(curl(&["--cacert", &ca, &url]).await.as_deref(), Ok("hello"));

    authority.certificate("server", &["127.0.0.1", "second.local"]);
    let second = status(&proxy, |status| status.error.is_none()).await;
    assert_eq!(second.certificates[0].names[1].to_string(), "second.local");
    assert_eq!(curl(&["--cacert", &ca, &url]).await.as_deref(), Ok("hello"));
}

#[tokio::test]
async fn a_listener_waits_for_its_secret() {
    let authority = Authority::new();
    let backend = Backend::saying("hello").await.unwrap();
    let mut view = gateway_to(backend.address);
    let secret = "spiffe://m/crystal".to_owned();
    secured(&mut view, TlsMode::Strict, Certificate::Sds { secret });
    let proxy = Proxy::running(&view).await;
    let waiting = status(&proxy, |status| status.error.is_some()).await;
    assert_eq!(waiting.certificates, []);
    let url = format!("https://{}/", proxy.address);
    let ca = authority.path("ca.pem");
    assert!(curl(&["--cacert", &ca, &url]).await.is_err());
    let (chain, key) = authority.issue("crystal", &["127.0.0.1"], |_| ());
    let secret = Secret::Identity { chain, key };
    assert_eq!(format!("{secret:?}"), "Secret::Identity(..)");
    proxy.plane.set_secret(NODE, "spiffe://m/crystal", secret);
    status(&proxy, |status| status.error.is_none()).await;
    assert_eq!(curl(&["--cacert", &ca, &url]).await.as_deref(), Ok("hello"));
}

/// Two proxies with identities of each other's believed, both renewed again and again under load.
#[tokio::test]
async fn no_request_fails_while_identities_are_renewed() {
    let authority = Arc::new(Authority::new());
    let backend = Backend::saying("hello").await.unwrap();
    let sds = |name: &str| Certificate::Sds {
        secret: name.into(),
    };
    let trust = || Trust::Sds {
        secret: "spiffe://m".into(),
    };
    let mut inner = gateway_to(backend.address);
    let tls = secured(&mut inner, TlsMode::Strict, sds("spiffe://m/inner"));
    tls.client_trust = Some(trust());
    tls.client_subject_names = vec!["spiffe://m/outer".into()];
    let renew = |proxy: &Proxy, name: &str| {
        let (chain, key) = authority.issue(name, &[name], |_| ());
        let bundle = authority.bundle();
        let identity = Secret::Identity { chain, key };
        proxy.plane.set_secret(NODE, name, identity);
        let trust = Secret::Trust { bundle };
        proxy.plane.set_secret(NODE, "spiffe://m", trust);
    };
    let inner = Proxy::running(&inner).await;
    let mut outer = gateway_to(inner.address);
    outer.clusters[0].tls = Some(ClientTls {
        enforce: true,
        ports: vec![],
        certificate: Some(sds("spiffe://m/outer")),
        trust: Some(trust()),
        subject_names: vec!["spiffe://m/inner".into()],
        server_name: Some("inner.local".into()),
    });
    let outer = Arc::new(Proxy::running(&outer).await);
    renew(&inner, "spiffe://m/inner");
    renew(&outer, "spiffe://m/outer");
    for proxy in [&inner, &outer] {
        status(proxy, |status| status.error.is_none()).await;
    }

    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (outer, stop, answered) =
                (Arc::clone(&outer), Arc::clone(&stop), Arc::clone(&answered));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = outer.get("/").await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for _ in 0..30 {
        let before = answered.load(Ordering::Relaxed);
        renew(&inner, "spiffe://m/inner");
        renew(&outer, "spiffe://m/outer");
        until("requests are answered", async || {
            assert!(!callers.iter().any(|caller| caller.is_finished()));
            answered.load(Ordering::Relaxed) >= before + 20
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.unwrap();
    }
}
