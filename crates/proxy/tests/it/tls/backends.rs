//! Calls to backends in TLS: whom they believe, what they show, and how they end.

use rcgen::date_time_ymd;
use view::*;

use super::authority::Authority;
use super::foreign::PythonServer;
use crate::mesh::{Proxy, gateway_to};

fn calling(server: &PythonServer, trust: Option<Trust>, names: &[&str]) -> NodeView {
    let mut view = gateway_to(server.address);
    view.clusters[0].tls = Some(ClientTls {
        enforce: true,
        ports: vec![],
        certificate: None,
        trust,
        subject_names: names.iter().map(ToString::to_string).collect(),
        server_name: Some("crystal.local".into()),
    });
    view
}

#[tokio::test]
async fn a_server_is_believed_for_its_authority_its_names_and_its_time() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = authority.certificate("server", &["crystal.local", "spiffe://m/crystal"]);
    let star = authority.certificate("star", &["*.crystal.local"]);
    let expired = authority.certificate_with("expired", &["crystal.local"], |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let (own, other) = (Some(authority.trust()), Some(stranger.trust()));
    for (certificate, trust, names, problem) in [
        (&server, &own, &["crystal.local"][..], None),
        (&server, &own, &["a.local", "spiffe://m/crystal"], None),
        (&server, &own, &[], None),
        (&server, &None, &[], None),
        (&expired, &None, &[], None),
        (&star, &own, &["a.crystal.local"], None),
        (
            &server,
            &own,
            &["nodejs.local"],
            Some("not for nodejs.local"),
        ),
        (&server, &own, &["spiffe://m/Crystal"], Some("not for")),
        (&star, &own, &["crystal.local"], Some("not for")),
        (
            &server,
            &other,
            &["crystal.local"],
            Some("invalid peer certificate"),
        ),
        (&expired, &own, &["crystal.local"], Some("expired")),
    ] {
        let server = PythonServer::showing(certificate, "");
        let proxy = Proxy::running(&calling(&server, trust.clone(), names)).await;
        let answer = proxy.get("/").await;
        match problem {
            None => {
                let text = answer.text();
                assert_eq!(answer.status, 200, "{text}");
                assert!(text.contains("asked=crystal.local alpn=http/1.1"), "{text}");
            }
            Some(problem) => {
                assert_eq!(answer.status, 503, "{names:?}");
                assert!(answer.text().contains(problem), "{}", answer.text());
            }
        }
    }
}

#[tokio::test]
async fn a_server_may_ask_who_calls() {
    let authority = Authority::new();
    let certificate = authority.certificate("server", &["crystal.local"]);
    let server = PythonServer::showing(&certificate, &authority.path("ca.pem"));
    let mut view = calling(&server, Some(authority.trust()), &["crystal.local"]);
    let proxy = Proxy::running(&view).await;
    assert_eq!(proxy.get("/").await.status, 503, "it shows nothing");
    let own = authority.certificate("caller", &["spiffe://m/caller"]);
    view.clusters[0].tls.as_mut().unwrap().certificate = Some(own);
    proxy.apply(&view).await.unwrap();
    let text = proxy.get("/").await.text();
    assert!(text.ends_with("client=spiffe://m/caller"), "{text}");
}

#[tokio::test]
async fn a_second_connection_goes_on_with_the_first_ones_session() {
    let authority = Authority::new();
    let certificate = authority.certificate("server", &["crystal.local"]);
    let server = PythonServer::showing(&certificate, "");
    let view = calling(&server, Some(authority.trust()), &["crystal.local"]);
    let mut options = crate::mesh::options();
    options.workers = std::num::NonZeroUsize::MIN;
    let proxy = Proxy::with(&view, options).await;
    let first = proxy.get("/close").await.text();
    assert!(first.contains("reused=False"), "{first}");
    let second = proxy.get("/close").await.text();
    assert!(second.contains("reused=True"), "{second}");
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_not_taken_for_whole() {
    let authority = Authority::new();
    let certificate = authority.certificate("server", &["crystal.local"]);
    let server = PythonServer::showing(&certificate, "");
    let view = calling(&server, Some(authority.trust()), &["crystal.local"]);
    let proxy = Proxy::running(&view).await;
    let url = |path: &str| format!("http://{}{path}", proxy.address);
    let whole = super::foreign::curl(&[&url("/whole")]).await;
    assert_eq!(whole.as_deref(), Ok("part"));
    let cut = super::foreign::curl(&[&url("/cut")]).await;
    assert!(cut.is_err(), "{cut:?}");
}
