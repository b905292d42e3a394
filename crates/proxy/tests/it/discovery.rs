//! Which endpoints are used: by their health, and by what a name means.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proxy::HealthStatus;
use testkit::backend::with_status;
use testkit::{Backend, until};
use view::*;

use crate::mesh::{Proxy, gateway, get, nobody};

/// A server whose health can be switched, and who says its name.
async fn switchable(name: &'static str) -> (Backend, Arc<AtomicBool>) {
    let healthy = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&healthy);
    let backend = Backend::answering(move |request| match request.uri().path() {
        "/health" if switch.load(Ordering::Relaxed) => with_status(200, "Healthy!"),
        "/health" => with_status(500, "ill"),
        _ => with_status(200, name),
    });
    (backend.await.unwrap(), healthy)
}

fn checked(mut view: NodeView, protocol: Protocol) -> NodeView {
    for cluster in &mut view.clusters {
        cluster.health_check = Some(HealthCheck {
            protocol,
            path: "/health".into(),
            port: None,
            interval: Duration::from_millis(20),
            timeout: Duration::from_secs(2),
            healthy_threshold: 2,
            unhealthy_threshold: 2,
        });
    }
    view
}

async fn statuses(proxy: &Proxy) -> Vec<HealthStatus> {
    proxy
        .plane
        .endpoint_health()
        .await
        .iter()
        .map(|endpoint| endpoint.status)
        .collect()
}

/// The names of those who answer twenty requests.
async fn answering(proxy: &Proxy) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..20 {
        names.push(proxy.get("/").await.text());
    }
    names.sort();
    names.dedup();
    names
}

#[tokio::test]
async fn an_ill_endpoint_is_left_out_and_taken_back() {
    use HealthStatus::*;
    let ((one, _), (two, health)) = (switchable("one").await, switchable("two").await);
    let view = checked(
        gateway(&[("v", 1, &[one.address, two.address])]),
        Protocol::Http,
    );
    let proxy = Proxy::running(&view).await;
    until("both are healthy", async || {
        statuses(&proxy).await == [Healthy, Healthy]
    })
    .await;
    assert_eq!(answering(&proxy).await, ["one", "two"]);

    health.store(false, Ordering::Relaxed);
    until("one is ill", async || {
        statuses(&proxy).await.contains(&Unhealthy)
    })
    .await;
    assert_eq!(answering(&proxy).await, ["one"]);
    let reasons: Vec<_> = proxy
        .plane
        .endpoint_health()
        .await
        .into_iter()
        .filter_map(|e| e.reason)
        .collect();
    assert_eq!(reasons, ["answered 500"]);

    health.store(true, Ordering::Relaxed);
    until("both are healthy again", async || {
        statuses(&proxy).await == [Healthy, Healthy]
    })
    .await;
    assert_eq!(answering(&proxy).await, ["one", "two"]);
}

#[tokio::test]
async fn a_new_endpoint_waits_for_its_first_check_and_a_known_one_never_does() {
    let ((known, _), new) = (switchable("known").await, nobody());
    let view = |endpoints: &[std::net::SocketAddr]| {
        checked(gateway(&[("v", 1, endpoints)]), Protocol::Http)
    };
    let proxy = Proxy::running(&view(&[known.address])).await;
    until("it is healthy", async || {
        statuses(&proxy).await == [HealthStatus::Healthy]
    })
    .await;
    for _ in 0..10 {
        proxy.apply(&view(&[known.address, new])).await.unwrap();
        assert_eq!(answering(&proxy).await, ["known"]);
        proxy.apply(&view(&[known.address])).await.unwrap();
        assert_eq!(statuses(&proxy).await, [HealthStatus::Healthy]);
    }
    // The check itself changes: the endpoint in use stays in use until the new check says otherwise.
    let mut unchecked = view(&[known.address]);
    unchecked.clusters[0].health_check = None;
    proxy.apply(&unchecked).await.unwrap();
    assert_eq!(statuses(&proxy).await, [HealthStatus::Unchecked]);
    let mut elsewhere = view(&[known.address, new]);
    elsewhere.clusters[0].health_check.as_mut().unwrap().path = "/elsewhere".into();
    proxy.apply(&elsewhere).await.unwrap();
    assert_eq!(answering(&proxy).await, ["known"]);
}

/// Its first check decides alone, as with any that is new; those of the one before count no more.
#[tokio::test]
async fn another_instance_at_a_known_address_begins_anew() {
    let (backend, health) = switchable("one").await;
    let mut view = checked(gateway(&[("v", 1, &[backend.address])]), Protocol::Http);
    let check = view.clusters[0].health_check.as_mut().unwrap();
    check.interval = Duration::from_secs(3600);
    let proxy = Proxy::running(&view).await;
    until("it is healthy", async || {
        statuses(&proxy).await == [HealthStatus::Healthy]
    })
    .await;
    health.store(false, Ordering::Relaxed);
    let Discovery::Static { endpoints } = &mut view.clusters[0].discovery else {
        unreachable!("it names its endpoints");
    };
    endpoints[0].id = "another".into();
    proxy.apply(&view).await.unwrap();
    until("it is ill", async || {
        statuses(&proxy).await == [HealthStatus::Unhealthy]
    })
    .await;
}

#[tokio::test]
async fn tcp_checks_only_connect() {
    let (backend, _) = switchable("one").await;
    let view = checked(
        gateway(&[("v", 1, &[backend.address, nobody()])]),
        Protocol::Tcp,
    );
    let proxy = Proxy::running(&view).await;
    until("verdicts are in", async || {
        let mut statuses = statuses(&proxy).await;
        statuses.sort_by_key(|status| *status == HealthStatus::Unhealthy);
        statuses == [HealthStatus::Healthy, HealthStatus::Unhealthy]
    })
    .await;
    assert_eq!(backend.requests(), 0);
    assert_eq!(answering(&proxy).await, ["one"]);
}

#[tokio::test]
async fn names_are_resolved_before_requests_come() {
    let backend = Backend::saying("resolved").await.unwrap();
    let mut view = gateway(&[("v", 1, &[])]);
    view.clusters[0].discovery = Discovery::Dns {
        hostname: "localhost".into(),
        port: backend.address.port(),
        response: DnsResponse::Strict,
        ip_preference: IpPreference::V4Only,
    };
    let proxy = Proxy::running(&view).await;
    let mut client = proxy.client().await;
    assert_eq!(client.ask(get("/")).await.unwrap().text(), "resolved");
    proxy.apply(&view).await.unwrap();
    assert_eq!(client.ask(get("/")).await.unwrap().text(), "resolved");
}
