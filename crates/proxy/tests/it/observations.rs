//! What is counted, and under which weights.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use testkit::backend::with_status;
use testkit::raw::{RawServer, Reaction};
use testkit::{Backend, Load};
use view::observe::Outcome;

use crate::mesh::{NODE, Proxy, SPLIT, gateway, gateway_to, get};

#[tokio::test]
async fn a_single_target_is_observed_too() {
    let backend = Backend::answering(|request| {
        with_status(request.uri().path()[1..].parse().unwrap_or(200), "")
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    for status in [200, 201, 302, 404, 418, 500, 503] {
        assert_eq!(proxy.get(&format!("/{status}")).await.status, status);
    }
    let observed = proxy.plane.observe().await;
    assert_eq!((observed.len(), observed[0].node.as_str()), (1, NODE));
    let cell = &observed[0].cells[0];
    assert_eq!(
        (
            observed[0].cells.len(),
            cell.split.as_str(),
            cell.arms.len()
        ),
        (1, SPLIT, 1)
    );
    let arm = &cell.arms[0];
    assert_eq!(
        (arm.name.as_str(), arm.weight, arm.routed),
        ("stable", 1, 7)
    );
    let outcomes: Vec<_> = arm
        .outcomes
        .iter()
        .map(|(&outcome, &count)| (outcome, count))
        .collect();
    assert_eq!(
        outcomes,
        [
            (Outcome::Success, 2),
            (Outcome::Redirect, 1),
            (Outcome::ClientError, 2),
            (Outcome::ServerError, 2)
        ]
    );
    assert_eq!(arm.latency.count(), 7);
    assert_eq!(
        proxy.plane.observe().await,
        vec![],
        "increments, not totals"
    );
}

#[tokio::test]
async fn who_stops_waiting_for_counts_loses_none() {
    let backend = Backend::saying("s").await.unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let load = Load::start(proxy.address, 8, None, get("/"));
    let mut cx = Context::from_waker(Waker::noop());
    let (mut given_up, mut observed) = (0, Vec::new());
    testkit::until("enough requests", async || {
        let looking = pin!(proxy.plane.statistics());
        given_up += u32::from(looking.poll(&mut cx).is_pending());
        if let Poll::Ready(some) = pin!(proxy.plane.observe()).poll(&mut cx) {
            observed.extend(some);
        }
        load.sent() > 2000
    })
    .await;
    let report = load.stop().await.unwrap();
    assert!(given_up > 0, "no caller was interrupted");
    observed.extend(proxy.plane.observe().await);
    let arms = observed.iter().flat_map(|of| &of.cells[0].arms);
    assert_eq!(arms.map(|arm| arm.routed).sum::<u64>(), report.total());
    let statistics = proxy.plane.statistics().await;
    assert_eq!(statistics.arms[0].arm.routed, report.total());
}

#[tokio::test]
async fn the_share_measured_is_the_share_set() {
    let (stable, canary) = (
        Backend::saying("s").await.unwrap(),
        Backend::saying("c").await.unwrap(),
    );
    let view = gateway(&[
        ("stable", 7, &[stable.address]),
        ("canary", 1, &[canary.address]),
    ]);
    let proxy = Proxy::running(&view).await;
    let load = Load::start(proxy.address, 8, None, get("/"));
    testkit::until("enough requests", async || load.sent() > 4000).await;
    let report = load.stop().await.unwrap();
    assert_eq!(
        (report.failed(), report.total()),
        (0, report.with_status(200))
    );

    let observed = proxy.plane.observe().await;
    let arms = &observed[0].cells[0].arms;
    assert_eq!(arms[0].routed, report.with_text("s"));
    assert_eq!(arms[1].routed, report.with_text("c"));
    let (total, share) = (report.total() as f64, 1.0 / 8.0);
    let deviation = (total * share * (1.0 - share)).sqrt();
    // Six and a half standard deviations: a false alarm in 10^10 runs.
    let off = (arms[1].routed as f64 - total * share).abs() / deviation;
    assert!(off < 6.5, "{} of {total}", arms[1].routed);
}

#[tokio::test]
async fn a_request_counts_under_the_weights_that_drew_it() {
    let server = RawServer::start(|come| match come {
        come if come.starts_with(b"GET /slow") => {
            Reaction::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal".to_vec())
        }
        _ => Reaction::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec()),
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway(&[("v", 5, &[server.address])])).await;
    let mut slow = proxy.client().await;
    slow.send(get("/slow")).await.unwrap();
    slow.read_until(b"hal").await.unwrap();
    proxy
        .apply(&gateway(&[("v", 50, &[server.address])]))
        .await
        .unwrap();
    proxy.get("/").await;

    let arms = |observed: Vec<view::observe::Observations>| {
        let cells = observed.into_iter().flat_map(|o| o.cells);
        let mut arms: Vec<_> = cells.map(|cell| cell.arms[0].clone()).collect();
        arms.sort_by_key(|arm| arm.weight);
        arms.iter()
            .map(|a| (a.weight, a.routed, a.outcomes.values().sum()))
            .collect::<Vec<_>>()
    };
    assert_eq!(arms(proxy.plane.observe().await), [(5, 1, 0), (50, 1, 1)]);
    drop(slow);
    testkit::until("the old request ends under its old weight", async || {
        arms(proxy.plane.observe().await) == [(5, 0, 1)]
    })
    .await;
}

#[tokio::test]
async fn what_each_arm_answered_is_told_by_template_where_there_are_several() {
    let answering = async || {
        Backend::answering(|request| {
            let status = if request.uri().path().starts_with("/gone") {
                404
            } else {
                200
            };
            with_status(status, "")
        })
        .await
        .unwrap()
    };
    let (stable, canary) = (answering().await, answering().await);
    let view = gateway(&[
        ("stable", 1, &[stable.address]),
        ("canary", 0, &[canary.address]),
    ]);
    let proxy = Proxy::running(&view).await;
    for path in ["/orders/7?page=2", "/orders/8", "/gone/9"] {
        proxy.get(path).await;
    }
    let observed = proxy.plane.observe().await;
    let told: Vec<Vec<_>> = observed[0].cells[0]
        .arms
        .iter()
        .map(|arm| {
            let answers = arm.answers.iter();
            answers
                .map(|(case, answered)| {
                    let path = case.path.as_deref().unwrap_or("other");
                    let name = format!("{} {path} {}", case.method, case.class);
                    (name, answered.callers)
                })
                .collect()
        })
        .collect();
    let expected = [("GET /gone/{} 4xx", 1), ("GET /orders/{} 2xx", 2)];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(told, [expected.to_vec(), vec![]]);
}
