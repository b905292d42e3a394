//! Which endpoints are left out for their errors, and for how long.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use testkit::backend::with_status;
use testkit::raw::{RawServer, Reaction};
use testkit::{Backend, until};
use view::{Discovery, Endpoint, NodeView, OutlierDetection};

use crate::mesh::{Proxy, gateway, get, nobody};

const LONG: Duration = Duration::from_secs(60);

/// Three errors in a row, by any worker.
fn detecting(endpoints: &[SocketAddr], base_ejection: Duration) -> NodeView {
    let mut view = gateway(&[("v", 1, endpoints)]);
    view.clusters[0].outlier_detection = Some(OutlierDetection {
        consecutive_server_errors: 3,
        interval: Duration::from_millis(10),
        base_ejection,
        max_ejection_percent: 100,
    });
    view
}

/// A server that fails while the switch is on, and says its name otherwise.
async fn failing(name: &'static str) -> (Backend, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&fails);
    let backend = Backend::answering(move |_| match switch.load(Ordering::Relaxed) {
        true => with_status(500, "failed"),
        false => with_status(200, name),
    });
    (backend.await.unwrap(), fails)
}

async fn ejected(proxy: &Proxy) -> Vec<SocketAddr> {
    let health = proxy.plane.endpoint_health().await;
    let ejected = health.iter().filter(|endpoint| endpoint.is_ejected);
    ejected.map(|endpoint| endpoint.address).collect()
}

/// How many of so many requests, each on a connection and so a worker of its own, were not answered 200.
async fn failures(proxy: &Proxy, requests: u32) -> u32 {
    let mut failures = 0;
    for _ in 0..requests {
        failures += u32::from(proxy.get("/").await.status != 200);
    }
    failures
}

#[tokio::test]
async fn whatever_goes_wrong_three_times_in_a_row_ejects() {
    let good = Backend::saying("good").await.unwrap();
    let (answering_500, _) = failing("bad").await;
    let closing = RawServer::start(|_| Reaction::SendAndClose(vec![]))
        .await
        .unwrap();
    let babbling = RawServer::answering("220 smtp\r\n\r\n").await.unwrap();
    let silent = RawServer::start(|_| Reaction::Wait).await.unwrap();
    for bad in [
        answering_500.address,
        closing.address,
        babbling.address,
        silent.address,
        nobody(),
    ] {
        let mut view = detecting(&[good.address, bad], LONG);
        view.services[0].routes[0].timeouts.per_request = Some(Duration::from_millis(500));
        let proxy = Proxy::running(&view).await;
        assert_eq!(
            failures(&proxy, 40).await,
            3,
            "three of its requests failed"
        );
        assert_eq!(ejected(&proxy).await, [bad]);
    }
}

#[tokio::test]
async fn an_error_of_the_client_or_of_the_application_now_and_then_does_not() {
    let (missing, flaky) = (
        Backend::failing(404).await.unwrap(),
        Backend::answering(|request| match request.uri().path() {
            "/third" => with_status(200, "fine"),
            _ => with_status(503, "not now"),
        })
        .await
        .unwrap(),
    );
    let not_found = Proxy::running(&detecting(&[missing.address], LONG)).await;
    assert_eq!(failures(&not_found, 10).await, 10);
    assert_eq!(ejected(&not_found).await, []);

    let proxy = Proxy::running(&detecting(&[flaky.address], LONG)).await;
    for path in ["/", "/", "/third"].repeat(5) {
        proxy.get(path).await;
    }
    assert_eq!(ejected(&proxy).await, []);
}

#[tokio::test]
async fn a_response_that_breaks_off_on_a_kept_connection_is_an_error() {
    let answers = AtomicU32::new(0);
    let server = RawServer::start(move |_| match answers.fetch_add(1, Ordering::Relaxed) {
        0 => Reaction::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()),
        _ => Reaction::SendAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()),
    })
    .await
    .unwrap();
    let mut view = detecting(&[server.address], LONG);
    let detection = view.clusters[0].outlier_detection.as_mut().unwrap();
    detection.consecutive_server_errors = 1;
    let proxy = Proxy::running(&view).await;
    let mut client = proxy.client().await;
    assert_eq!(client.ask(get("/")).await.unwrap().text(), "ok");
    assert_eq!(ejected(&proxy).await, []);
    client.send(get("/")).await.unwrap();
    assert!(client.read_to_end().await.ends_with(b"half"));
    assert_eq!(ejected(&proxy).await, [server.address]);
}

#[tokio::test]
async fn an_ejected_endpoint_is_taken_back_when_its_time_has_passed() {
    let good = Backend::saying("good").await.unwrap();
    let (bad, fails) = failing("bad").await;
    let view = detecting(&[good.address, bad.address], Duration::from_millis(100));
    let proxy = Proxy::running(&view).await;
    until("it is ejected", async || {
        proxy.get("/").await;
        ejected(&proxy).await == [bad.address]
    })
    .await;
    fails.store(false, Ordering::Relaxed);
    until("it answers again", async || {
        proxy.get("/").await.text() == "bad"
    })
    .await;
    assert_eq!(ejected(&proxy).await, []);
}

#[tokio::test]
async fn where_most_are_ejected_all_are_used() {
    let bad = [
        failing("a").await.0,
        failing("b").await.0,
        failing("c").await.0,
    ];
    let addresses = bad.each_ref().map(|backend| backend.address);
    let proxy = Proxy::running(&detecting(&addresses, LONG)).await;
    until("all are ejected", async || {
        let response = proxy.get("/").await;
        assert_eq!(
            response.text(),
            "failed",
            "there is always an endpoint left"
        );
        ejected(&proxy).await.len() == 3
    })
    .await;
    let before = bad.each_ref().map(Backend::requests);
    assert_eq!(failures(&proxy, 40).await, 40);
    for (backend, before) in bad.iter().zip(before) {
        assert!(backend.requests() > before, "each gets its share");
    }
}

#[tokio::test]
async fn a_new_view_keeps_ejections_and_one_without_detection_ends_them() {
    let good = Backend::saying("good").await.unwrap();
    let (bad, _) = failing("bad").await;
    let mut view = detecting(&[good.address, bad.address], LONG);
    let proxy = Proxy::running(&view).await;
    assert_eq!(failures(&proxy, 40).await, 3);

    view.services[0].routes[0].split.targets[0].weight = 7;
    proxy.apply(&view).await.unwrap();
    assert_eq!(ejected(&proxy).await, [bad.address]);
    assert_eq!(failures(&proxy, 20).await, 0);

    view.clusters[0].outlier_detection = None;
    proxy.apply(&view).await.unwrap();
    assert_eq!(ejected(&proxy).await, []);
    until("it is asked again", async || {
        proxy.ask(get("/")).await.status == 500
    })
    .await;
}

/// Where it is, and whether it is checked, make no other instance of it.
#[tokio::test]
async fn an_endpoint_of_which_more_is_known_stays_ejected_and_another_instance_is_not() {
    let good = Backend::saying("good").await.unwrap();
    let (bad, _) = failing("bad").await;
    let mut view = detecting(&[good.address, bad.address], LONG);
    let proxy = Proxy::running(&view).await;
    assert_eq!(failures(&proxy, 40).await, 3);
    let mut apply = async |change: fn(&mut Endpoint)| {
        if let Discovery::Static { endpoints } = &mut view.clusters[0].discovery {
            change(&mut endpoints[1]);
        }
        proxy.apply(&view).await.unwrap();
        ejected(&proxy).await
    };
    let moved = apply(|endpoint| endpoint.zone = Some("eu-west-1a".into())).await;
    assert_eq!(moved, [bad.address]);
    assert_eq!(apply(|endpoint| endpoint.id = "another".into()).await, []);
}

/// A release may move its weights several times in each interval.
#[tokio::test]
async fn views_that_change_all_the_time_keep_no_endpoint_ejected() {
    let good = Backend::saying("good").await.unwrap();
    let (bad, fails) = failing("bad").await;
    let mut view = detecting(&[good.address, bad.address], Duration::from_millis(1));
    let detection = view.clusters[0].outlier_detection.as_mut().unwrap();
    detection.interval = Duration::from_secs(2);
    let proxy = Proxy::running(&view).await;
    assert_eq!(failures(&proxy, 20).await, 3);
    fails.store(false, Ordering::Relaxed);
    until("it answers again", async || {
        view.services[0].routes[0].split.targets[0].weight += 1;
        proxy.apply(&view).await.unwrap();
        proxy.get("/").await.text() == "bad"
    })
    .await;
}
