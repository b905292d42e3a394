//! Views are replaced under load, and no request is lost.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proxy::{ApplyError, DataPlane};
use testkit::raw::RawClient;
use testkit::{Backend, Load, Report};
use view::*;

use crate::mesh::{Proxy, cluster, gateway, gateway_to, get, listener, nobody, options, retrying};

/// Requests a second; what two busy cores do in an unoptimised build with room to spare.
const RATE: f64 = 3000.0;
const CONNECTIONS: u32 = 32;

async fn under_load(proxy: &Proxy, change: impl AsyncFnOnce(&Load)) -> Report {
    let load = Load::start(proxy.address, CONNECTIONS, Some(RATE), get("/"));
    after(&load, 300).await;
    change(&load).await;
    let report = load.stop().await.unwrap();
    assert_eq!(report.failed(), 0, "{:?}", report.failures);
    assert_eq!(
        report.with_status(200),
        report.total(),
        "{:?}",
        report.responses
    );
    report
}

/// Waits until so many more requests have been sent.
async fn after(load: &Load, requests: u64) {
    let goal = load.sent() + requests;
    testkit::until("requests are sent", async || load.sent() >= goal).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn weights_move_from_none_to_all_and_back() {
    let (stable, canary) = (
        Backend::saying("s").await.unwrap(),
        Backend::saying("c").await.unwrap(),
    );
    let with = |share: u32| {
        gateway(&[
            ("stable", 100 - share, &[stable.address]),
            ("canary", share, &[canary.address]),
        ])
    };
    let proxy = Proxy::running(&with(0)).await;
    let report = under_load(&proxy, async |load| {
        for share in [5, 25, 50, 100, 50, 1, 0] {
            proxy.apply(&with(share)).await.unwrap();
            after(load, 300).await;
        }
        let before = canary.requests();
        after(load, 300).await;
        assert_eq!(
            canary.requests(),
            before,
            "once apply has returned, nobody uses the old weights"
        );
    })
    .await;
    assert!(report.with_text("c") > 0 && report.with_text("s") > 0);
    let observed: u64 = proxy.plane.observe().await[0]
        .cells
        .iter()
        .flat_map(|cell| cell.arms.iter().map(|arm| arm.routed))
        .sum();
    assert_eq!(observed, report.total());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn virtual_nodes_and_endpoints_come_and_go() {
    let mut servers = Vec::new();
    for _ in 0..4 {
        servers.push(Backend::saying("x").await.unwrap());
    }
    let address = |index: usize| servers[index].address;
    let proxy = Proxy::running(&gateway_to(address(0))).await;
    under_load(&proxy, async |load| {
        for round in 0..6 {
            let all: Vec<SocketAddr> = (0..3).map(address).collect();
            // An endpoint more, a virtual node more, an endpoint less, a virtual node less.
            let views = [
                gateway(&[("stable", 1, &all[..2])]),
                gateway(&[("stable", 2, &all[..2]), ("canary", 1, &[address(3)])]),
                gateway(&[("canary", 1, &[address(3)]), ("stable", 1, &all[1..])]),
                gateway(&[("stable", 1, &[all[round % 3]])]),
            ];
            for view in &views {
                proxy.apply(view).await.unwrap();
                after(load, 60).await;
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_may_stop_once_its_endpoint_is_removed() {
    let stays = Backend::saying("stays").await.unwrap();
    let proxy = Proxy::running(&gateway_to(stays.address)).await;
    under_load(&proxy, async |load| {
        for _ in 0..5 {
            let leaves = Backend::saying("leaves").await.unwrap();
            proxy
                .apply(&gateway(&[("v", 1, &[stays.address, leaves.address])]))
                .await
                .unwrap();
            after(load, 100).await;
            assert!(leaves.requests() > 0);
            proxy
                .apply(&gateway(&[("v", 1, &[stays.address])]))
                .await
                .unwrap();
            // Requests under way end on the view they began with; then nothing comes any more.
            let mut last = 0;
            testkit::until("its last request has ended", async || {
                after(load, 100).await;
                std::mem::replace(&mut last, leaves.requests()) == leaves.requests()
            })
            .await;
            drop(leaves);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_node_comes_and_goes_without_being_noticed() {
    let backend = Backend::saying("x").await.unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    under_load(&proxy, async |load| {
        for number in 0..5 {
            let mut other = gateway_to(backend.address);
            other.node = format!("mesh/m/virtualNode/{number}");
            let address = proxy.apply(&other).await.unwrap();
            let other_load = Load::start(address, 4, Some(500.0), get("/"));
            after(&other_load, 50).await;
            let report = other_load.stop().await.unwrap();
            assert_eq!(
                (report.failed(), report.with_status(200)),
                (0, report.total())
            );
            after(load, 50).await;
            proxy
                .plane
                .remove(&other.node, Duration::from_secs(5))
                .await;
            assert!(
                tokio::net::TcpStream::connect(address).await.is_err(),
                "nobody listens there"
            );
        }
    })
    .await;
}

/// A server that dies is another matter: that is what the default retry policy is for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_is_survived_by_retries() {
    let stays = Backend::saying("x").await.unwrap();
    let dies = Backend::saying("x").await.unwrap();
    let mut view = gateway(&[("v", 1, &[stays.address, dies.address])]);
    view.services[0].routes[0].retry = retrying(2, &[503]);
    let proxy = Proxy::running(&view).await;
    under_load(&proxy, async |load| {
        drop(dies);
        after(load, 600).await;
    })
    .await;
}

#[tokio::test]
async fn a_taken_port_is_an_error_and_changes_nothing() {
    let backend = Backend::saying("x").await.unwrap();
    let proxy = Proxy::running(&gateway_to(backend.address)).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // Of a stranger, and of our own other node, whose sockets would all too willingly share it.
    for address in [taken.local_addr().unwrap(), proxy.address] {
        let mut view = gateway_to(backend.address);
        view.node = "mesh/m/virtualNode/other".into();
        view.listeners[0].bind = address;
        let error = proxy.apply(&view).await.unwrap_err();
        assert!(matches!(&error, ApplyError::AddressInUse { address: at, .. } if *at == address));
        assert!(error.to_string().contains("already in use"), "{error}");
    }
    assert_eq!(proxy.get("/").await.status, 200);
}

#[tokio::test]
async fn a_view_that_cannot_run_is_refused_and_the_last_good_one_goes_on() {
    let backend = Backend::saying("x").await.unwrap();
    let good = gateway_to(backend.address);
    let proxy = Proxy::running(&good).await;
    let refused = |change: fn(&mut NodeView)| {
        let mut view = gateway_to(nobody());
        change(&mut view);
        view
    };
    for (view, words) in [
        (
            refused(|view| view.services[0].routes[0].matches.path = PathMatch::Regex("(".into())),
            "regular expression",
        ),
        (
            refused(|view| view.listeners[0].protocol = Protocol::Tcp),
            "lds_ingress because a TCP connection names no service to route it to",
        ),
        (
            refused(|view| view.services[0].routes[0].split.targets[0].cluster = 7),
            "does not have",
        ),
        (
            refused(|view| view.listeners.push(view.listeners[0].clone())),
            "name or address of another",
        ),
    ] {
        let error = proxy.apply(&view).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(proxy.get("/").await.status, 200, "{words}");
    }
}

/// The process before still listens there, so that they cannot be opened anew.
#[tokio::test]
async fn sockets_that_were_handed_over_stay_for_a_view_that_can_run() {
    let backend = Backend::saying("x").await.unwrap();
    let before = Proxy::running(&gateway_to(backend.address)).await;
    let heir = DataPlane::start(options()).unwrap();
    heir.inherit(before.plane.sockets().await.unwrap()).await;
    let mut good = gateway_to(backend.address);
    good.listeners[0].bind = before.address;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut bad = good.clone();
    let mut second = listener("second", good.listeners[0].entry.clone());
    second.bind = taken.local_addr().unwrap();
    bad.listeners.push(second);
    for _ in 0..2 {
        let error = heir.apply(Arc::new(bad.clone())).await.unwrap_err();
        assert!(
            matches!(error, ApplyError::AddressInUse { address, .. } if address == bad.listeners[1].bind)
        );
    }
    heir.apply(Arc::new(good)).await.unwrap();
    let address = before.address;
    before.plane.shutdown(Duration::from_secs(5)).await;
    let mut client = RawClient::connect(address).await.unwrap();
    assert_eq!(client.ask(get("/")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_listener_that_leaves_its_view_closes_and_a_new_one_opens() {
    let backend = Backend::saying("x").await.unwrap();
    let mut view = gateway_to(backend.address);
    let proxy = Proxy::running(&view).await;
    let mut client = proxy.client().await;
    assert_eq!(client.ask(get("/")).await.unwrap().status, 200);
    view.listeners[0].name = "another".into();
    view.clusters.push(cluster("unused", &[]));
    let moved = proxy.apply(&view).await.unwrap();
    assert_ne!(moved, proxy.address);
    let last = client.ask(get("/")).await.unwrap();
    assert_eq!(
        (last.status, last.header("connection")),
        (200, Some("close"))
    );
    testkit::until("the old address is closed", async || {
        tokio::net::TcpStream::connect(proxy.address).await.is_err()
    })
    .await;
}
