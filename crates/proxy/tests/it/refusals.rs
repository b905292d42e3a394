//! What of a view this proxy cannot carry is refused by itself; the rest goes on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proxy::DataPlane;
use testkit::Backend;
use view::*;

use crate::mesh::{Proxy, gateway_to, get, listener, node, options};

const AUTHORITY: &str = "arn:aws:acm-pca:eu-west-1:1:certificate-authority/2";

fn listener_tls_with_acm(mode: TlsMode) -> Option<ListenerTls> {
    Some(ListenerTls {
        mode,
        certificate: Certificate::Acm {
            arn: "arn:aws:acm:eu-west-1:1:certificate/1".into(),
        },
        client_trust: None,
        client_subject_names: vec![],
    })
}

fn tls_with_acm(enforce: bool) -> Option<ClientTls> {
    Some(ClientTls {
        enforce,
        ports: vec![],
        certificate: None,
        trust: Some(Trust::Acm {
            authorities: vec![AUTHORITY.into()],
        }),
        subject_names: vec![],
        server_name: None,
    })
}

fn checked_over(protocol: Protocol) -> Option<HealthCheck> {
    Some(HealthCheck {
        protocol,
        path: "/".into(),
        port: None,
        interval: Duration::from_millis(5),
        timeout: Duration::from_secs(2),
        healthy_threshold: 2,
        unhealthy_threshold: 2,
    })
}

/// A node that calls `crystal.local` and `nodejs.local`.
fn caller(crystal: SocketAddr, nodejs: SocketAddr) -> NodeView {
    let host = |host: &str, service| ServiceHost {
        host: host.into(),
        port: None,
        service,
    };
    let entry = Entry::Egress {
        hosts: vec![host("crystal.local", 0), host("nodejs.local", 1)],
        unmatched: Unmatched::Refuse,
    };
    let mut view = node(
        entry,
        &[("crystal", 1, &[crystal]), ("nodejs", 1, &[nodejs])],
    );
    let both = view.services[0].clone();
    let service = |name: &str, target: usize| {
        let mut service = both.clone();
        service.name = name.into();
        let split = &mut service.routes[0].split;
        split.targets = vec![split.targets[target].clone()];
        service
    };
    view.services = vec![service("crystal.local", 0), service("nodejs.local", 1)];
    view
}

#[tokio::test]
async fn one_backend_that_cannot_be_reached_leaves_the_others_alone() {
    let crystal = Backend::saying("crystal").await.unwrap();
    let nodejs = Backend::saying("nodejs").await.unwrap();
    let supported = caller(crystal.address, nodejs.address);
    let mut view = supported.clone();
    view.clusters[1].tls = tls_with_acm(true);
    view.clusters[1].health_check = checked_over(Protocol::Http);
    let proxy = Proxy::running(&view).await;
    let ask_nodejs = || proxy.ask("GET / HTTP/1.1\r\nHost: nodejs.local\r\n\r\n");

    let reason = format!(
        "authority {AUTHORITY} is in AWS Certificate Manager, which this proxy cannot reach: map its ARN to files"
    );
    assert_eq!(proxy.get("/").await.text(), "crystal", "{reason}");
    let refused = ask_nodejs().await;
    assert_eq!(refused.status, 503);
    let text = format!("nothing can be sent to nodejs: {reason}\n");
    assert_eq!(refused.text(), text);
    assert_eq!(nodejs.connections(), 0, "neither requests nor checks");
    let refusals = proxy.plane.refusals().await;
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert_eq!(refusals[0].node, view.node);
    assert_eq!(refusals[0].resource, view.clusters[1].name);
    assert_eq!(refusals[0].reason, reason);

    proxy.apply(&supported).await.unwrap();
    assert_eq!(ask_nodejs().await.text(), "nodejs");
    assert_eq!(proxy.plane.refusals().await, []);
}

#[tokio::test]
async fn plain_text_has_to_do_where_tls_that_cannot_be_had_is_not_enforced() {
    let backend = Backend::saying("plain").await.unwrap();
    let mut view = gateway_to(backend.address);
    view.clusters[0].tls = tls_with_acm(false);
    view.listeners[0].tls = listener_tls_with_acm(TlsMode::Permissive);
    assert_eq!(
        Proxy::running(&view).await.ask(get("/")).await.text(),
        "plain"
    );
}

#[tokio::test]
async fn a_listener_that_cannot_be_served_stays_closed_and_a_view_of_such_alone_is_refused() {
    let backend = Backend::saying("x").await.unwrap();
    let mut view = gateway_to(backend.address);
    let mut strict = listener("strict", view.listeners[0].entry.clone());
    strict.tls = listener_tls_with_acm(TlsMode::Strict);
    let mut tcp = listener("tcp", view.listeners[0].entry.clone());
    tcp.protocol = Protocol::Tcp;
    view.listeners.splice(0..0, [strict, tcp]);

    let plane = DataPlane::start(options()).unwrap();
    let bound = plane.apply(Arc::new(view.clone())).await.unwrap();
    let names: Vec<_> = bound.iter().map(|bound| bound.name.as_str()).collect();
    assert_eq!(names, ["lds_ingress"]);
    let mut client = testkit::raw::RawClient::connect(bound[0].address)
        .await
        .unwrap();
    assert_eq!(client.ask(get("/")).await.unwrap().text(), "x");
    let refusals = plane.refusals().await;
    let refused: Vec<_> = refusals
        .iter()
        .map(|refusal| refusal.resource.as_str())
        .collect();
    assert_eq!(refused, ["strict", "tcp"]);

    view.listeners.truncate(1);
    let error = plane.apply(Arc::new(view)).await.unwrap_err();
    let why = "strict because certificate arn:aws:acm:eu-west-1:1:certificate/1 is in AWS";
    assert!(error.to_string().contains(why), "{error}");
    assert_eq!(
        client.ask(get("/")).await.unwrap().text(),
        "x",
        "the view before goes on"
    );
}
