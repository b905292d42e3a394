//! Who stays on an arm, and who names one.

use testkit::Backend;
use view::observe::{Kind, Outcome};
use view::{NodeView, Pin, PinKey, Sticky, Traffic};

use crate::mesh::{Proxy, gateway};

async fn two_arms(weights: [u32; 2], traffic: Traffic) -> (Backend, Backend, NodeView) {
    let (stable, canary) = (
        Backend::saying("stable").await.unwrap(),
        Backend::saying("canary").await.unwrap(),
    );
    let mut view = gateway(&[
        ("stable", weights[0], &[stable.address]),
        ("canary", weights[1], &[canary.address]),
    ]);
    view.services[0].routes[0].traffic = traffic;
    (stable, canary, view)
}

fn with_weights(view: &NodeView, weights: [u32; 2]) -> NodeView {
    let mut view = view.clone();
    let targets = &mut view.services[0].routes[0].split.targets;
    for (target, weight) in targets.iter_mut().zip(weights) {
        target.weight = weight;
    }
    view
}

fn sticky(key: Sticky) -> Traffic {
    Traffic {
        sticky: Some(key),
        ..Traffic::default()
    }
}

fn get(line: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: crystal.local\r\n{line}\r\n")
}

#[tokio::test]
async fn users_move_to_the_canary_once_and_never_back() {
    let (_stable, _canary, view) =
        two_arms([90, 10], sticky(Sticky::Header("x-user".into()))).await;
    let proxy = Proxy::running(&view).await;
    let mut moved = [false; 60];
    for canary in [10, 30, 60, 90] {
        proxy
            .apply(&with_weights(&view, [100 - canary, canary]))
            .await
            .unwrap();
        for (user, moved) in moved.iter_mut().enumerate() {
            let line = format!("X-User: {user}\r\n");
            // Another connection each time, so another worker.
            for _ in 0..2 {
                let on_canary = proxy.ask(get(&line)).await.text() == "canary";
                assert!(on_canary || !*moved, "user {user} came back at {canary} %");
                *moved = on_canary;
            }
        }
    }
    let on_canary = moved.iter().filter(|&&moved| moved).count();
    assert!((40..60).contains(&on_canary), "{on_canary} of 60 at 90 %");
}

#[tokio::test]
async fn a_cookie_is_given_once_and_keeps_its_owner_on_the_arm() {
    let (_stable, _canary, view) =
        two_arms([50, 50], sticky(Sticky::Cookie("crystal".into()))).await;
    let proxy = Proxy::running(&view).await;
    let mut arms = Vec::new();
    for _ in 0..30 {
        let first = proxy.ask(get("")).await;
        let set = first.header("set-cookie").unwrap();
        let (cookie, attributes) = set.split_once(';').unwrap();
        assert_eq!(
            attributes,
            " Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
        );
        for _ in 0..5 {
            let line = format!("Cookie: theme=dark; {cookie}\r\n");
            let again = proxy.ask(get(&line)).await;
            assert_eq!(
                (again.text(), again.header("set-cookie")),
                (first.text(), None)
            );
        }
        arms.push(first.text());
    }
    assert!(arms.contains(&"stable".into()) && arms.contains(&"canary".into()));

    proxy.apply(&with_weights(&view, [0, 1])).await.unwrap();
    let all = proxy.ask(get("")).await;
    let nothing_to_remember = ("canary".to_owned(), None);
    assert_eq!((all.text(), all.header("set-cookie")), nothing_to_remember);
}

#[tokio::test]
async fn who_fails_is_told_once_by_a_worker_and_by_the_same_name_by_all() {
    let failing = Backend::failing(500).await.unwrap();
    let mut view = gateway(&[
        ("stable", 50, &[failing.address]),
        ("canary", 50, &[failing.address]),
    ]);
    view.services[0].routes[0].traffic = sticky(Sticky::Header("x-user".into()));
    let proxy = Proxy::running(&view).await;
    for _ in 0..40 {
        let response = proxy.ask(get("X-User: 4711\r\n")).await;
        assert_eq!(response.status, 500);
    }
    let observed = proxy.plane.observe().await;
    let cell = &observed[0].cells[0];
    let failures = cell
        .arms
        .iter()
        .filter_map(|arm| arm.outcomes.get(&Outcome::ServerError));
    let users = cell.arms.iter().flat_map(|arm| arm.users.failed.clone());
    let mut users: Vec<u64> = users.collect();
    assert_eq!((cell.kind, failures.sum::<u64>()), (Kind::Kept, 40));
    assert!(users.len() <= 2, "at most once by each worker: {users:?}");
    users.dedup();
    assert_eq!(users.len(), 1);
}

#[tokio::test]
async fn a_request_gets_the_arm_that_it_names_and_is_counted_apart() {
    let pin = Pin {
        by: PinKey::Header("x-serin-version".into()),
        targets: [("epoch".to_owned(), 1), ("vanilla".to_owned(), 0)].into(),
    };
    let traffic = Traffic {
        pin: Some(pin),
        ..Traffic::default()
    };
    let (_stable, _canary, view) = two_arms([100, 0], traffic).await;
    let proxy = Proxy::running(&view).await;
    for (line, text) in [
        ("", "stable"),
        ("X-Serin-Version: epoch\r\n", "canary"),
        ("x-serin-version: epoch\r\n", "canary"),
        ("x-serin-version: vanilla\r\n", "stable"),
        ("x-serin-version: unknown\r\n", "stable"),
    ] {
        assert_eq!(proxy.ask(get(line)).await.text(), text, "{line}");
    }
    let cells = &proxy.plane.observe().await[0].cells;
    let counted: Vec<_> = cells
        .iter()
        .map(|cell| (cell.kind, [0, 1].map(|arm: usize| cell.arms[arm].routed)))
        .collect();
    assert_eq!(counted, [(Kind::Drawn, [2, 0]), (Kind::Pinned, [1, 2])]);
    assert_eq!(cells[1].arms[1].outcomes[&Outcome::Success], 2);
}
