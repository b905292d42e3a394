//! Requests that go to both arms, and trouble made on purpose.

use std::num::NonZeroUsize;
use std::time::Duration;

use http::Response;
use proxy::Options;
use testkit::raw::{RawServer, Reaction};
use testkit::{Backend, within};
use view::observe::{Kind, Outcome};
use view::{Abort, Delay, Fault, Mirror, NodeView, Portion, Protocol, Traffic};

use crate::http2_peers::{Http2Backend, read};
use crate::mesh::{Proxy, gateway, get, options};

const WHOLE: Portion = Portion(Portion::WHOLE);

fn with(mut view: NodeView, traffic: Traffic) -> NodeView {
    view.services[0].routes[0].traffic = traffic;
    view
}

fn mirrored(methods: &[&str]) -> Traffic {
    Traffic {
        mirror: Some(Mirror {
            share: WHOLE,
            methods: methods.iter().map(|&method| method.to_owned()).collect(),
        }),
        ..Traffic::default()
    }
}

#[tokio::test]
async fn a_copy_goes_to_the_other_arm_and_its_failures_are_judged() {
    let stable = Backend::saying("stable").await.unwrap();
    let canary = Backend::failing(500).await.unwrap();
    let view = gateway(&[
        ("stable", 100, &[stable.address]),
        ("canary", 0, &[canary.address]),
    ]);
    let proxy = Proxy::running(&with(view, mirrored(&["GET"]))).await;
    for _ in 0..20 {
        let response = proxy.get("/").await;
        assert_eq!((response.status, response.text()), (200, "stable".into()));
    }
    testkit::until("the copies", async || canary.requests() >= 20).await;
    let post = "POST / HTTP/1.1\r\nHost: crystal.local\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(proxy.ask(post).await.status, 200);

    let (mut pairs, mut drawn) = (0, 0);
    testkit::until("every pair", async || {
        for cell in proxy
            .plane
            .observe()
            .await
            .iter()
            .flat_map(|node| &node.cells)
        {
            let count = |arm: usize, outcome| cell.arms[arm].outcomes.get(&outcome).copied();
            match cell.kind {
                Kind::Mirrored => {
                    assert_eq!([cell.arms[0].weight, cell.arms[1].weight], [1, 1]);
                    let failed = count(1, Outcome::ServerError);
                    assert_eq!(count(0, Outcome::Success), failed);
                    pairs += failed.unwrap_or_default();
                }
                Kind::Drawn => drawn += count(0, Outcome::Success).unwrap_or_default(),
                other => panic!("{other:?}"),
            }
        }
        pairs == 20
    })
    .await;
    assert_eq!(
        (drawn, canary.requests()),
        (1, 20),
        "only what is safe is copied"
    );
}

#[tokio::test]
async fn copies_for_which_there_is_no_room_are_counted() {
    let stable = Backend::saying("stable").await.unwrap();
    // Takes copies, and never answers one.
    let canary = RawServer::start(|_| Reaction::Wait).await.unwrap();
    let view = gateway(&[
        ("stable", 100, &[stable.address]),
        ("canary", 0, &[canary.address]),
    ]);
    let one_worker = Options {
        workers: NonZeroUsize::MIN,
        ..options()
    };
    let proxy = Proxy::with(&with(view, mirrored(&["GET"])), one_worker).await;
    let mut client = proxy.client().await;
    for _ in 0..103 {
        assert_eq!(client.ask(get("/")).await.unwrap().status, 200);
    }
    let statistics = proxy.plane.statistics().await;
    assert_eq!(statistics.workers[0].dropped_copies, 3);
}

#[tokio::test]
async fn a_copy_says_what_it_is_and_keeps_its_body() {
    let stable = Backend::saying("stable").await.unwrap();
    let canary = RawServer::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await
        .unwrap();
    let view = gateway(&[
        ("stable", 1, &[stable.address]),
        ("canary", 0, &[canary.address]),
    ]);
    let proxy = Proxy::running(&with(view, mirrored(&["POST"]))).await;
    let post = "POST /p HTTP/1.1\r\nHost: crystal.local\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(proxy.ask(post).await.text(), "stable");
    // Head and body may come in pieces.
    testkit::until("the whole copy", async || {
        canary.seen().iter().any(|seen| seen.ends_with("hi"))
    })
    .await;
    let copy = "POST /p HTTP/1.1\r\nHost: crystal.local\r\nContent-Length: 2\r\nx-serin-mirror: 1\r\n\r\nhi";
    assert_eq!(canary.seen(), [copy]);
}

/// Chunks are HTTP/1.1's: in HTTP/2 they would be part of the content.
#[tokio::test]
async fn a_copy_in_http2_has_the_content_without_its_chunks() {
    let stable = Backend::saying("stable").await.unwrap();
    let (copied, mut copies) = tokio::sync::mpsc::unbounded_channel();
    let canary = Http2Backend::serving(move |request, mut respond| {
        let copied = copied.clone();
        async move {
            let (body, trailers) = read(request.into_body()).await?;
            let sum = trailers.and_then(|trailers| trailers.get("x-sum").cloned());
            copied
                .send((String::from_utf8(body).unwrap(), sum))
                .unwrap();
            respond.send_response(Response::new(()), true)?;
            Ok(())
        }
    })
    .await;
    let mut view = gateway(&[
        ("stable", 1, &[stable.address]),
        ("canary", 0, &[canary.address]),
    ]);
    view.clusters[1].protocol = Protocol::Http2;
    let proxy = Proxy::running(&with(view, mirrored(&["POST"]))).await;
    for (framed, content, sum) in [
        ("3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\n\r\n", "hello", None),
        ("5\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n", "hello", Some("7")),
        ("0\r\nX-Sum: 7\r\n\r\n", "", Some("7")),
        ("0\r\n\r\n", "", None),
    ] {
        let head = "POST /p HTTP/1.1\r\nHost: crystal.local\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(proxy.ask(format!("{head}{framed}")).await.text(), "stable");
        let (got, got_sum) = within("the copy", copies.recv()).await.unwrap();
        let got_sum = got_sum.as_ref().map(|sum| sum.to_str().unwrap());
        assert_eq!((got.as_str(), got_sum), (content, sum), "{framed:?}");
    }
}

#[tokio::test]
async fn a_copy_that_hangs_holds_up_nobody() {
    let stable = Backend::saying("stable").await.unwrap();
    let canary = RawServer::start(|_| Reaction::Wait).await.unwrap();
    let view = gateway(&[
        ("stable", 1, &[stable.address]),
        ("canary", 0, &[canary.address]),
    ]);
    let proxy = Proxy::running(&with(view, mirrored(&["GET"]))).await;
    let mut client = proxy.client().await;
    // More than one worker has room for.
    for _ in 0..250 {
        assert_eq!(client.ask(get("/")).await.unwrap().text(), "stable");
    }
    assert!(canary.seen().len() <= 100, "{}", canary.seen().len());
}

#[tokio::test]
async fn a_fault_hits_only_whom_it_is_meant_for_and_is_no_evidence() {
    let backend = Backend::saying("stable").await.unwrap();
    let fault = Fault {
        only_with: Some("x-fault".into()),
        delay: Some(Delay {
            share: WHOLE,
            time: Duration::from_millis(30),
        }),
        abort: Some(Abort {
            share: WHOLE,
            status: 418,
        }),
    };
    let traffic = Traffic {
        fault: Some(fault),
        ..Traffic::default()
    };
    let view = gateway(&[("stable", 1, &[backend.address])]);
    let proxy = Proxy::running(&with(view, traffic)).await;
    assert_eq!(proxy.get("/").await.status, 200);
    let before = tokio::time::Instant::now();
    let hit = proxy
        .ask("GET / HTTP/1.1\r\nHost: crystal.local\r\nX-Fault: 1\r\n\r\n")
        .await;
    assert_eq!(
        (hit.status, hit.text()),
        (418, "a fault was made on purpose\n".into())
    );
    assert!(before.elapsed() >= Duration::from_millis(30));
    assert_eq!(backend.requests(), 1);
    let cells = &proxy.plane.observe().await[0].cells;
    let kinds: Vec<_> = cells
        .iter()
        .map(|cell| (cell.kind, cell.arms[0].routed))
        .collect();
    assert_eq!(kinds, [(Kind::Drawn, 1), (Kind::Faulted, 1)]);
}
