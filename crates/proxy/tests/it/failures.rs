//! What a client gets, and what is counted, when a service does not answer as it should.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use testkit::backend::with_status;
use testkit::raw::{RawServer, Reaction};
use testkit::{Backend, Load, until, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use view::NodeView;
use view::observe::Outcome;

use crate::mesh::{Proxy, gateway, gateway_to, get, nobody, options, retrying};

/// The outcomes counted so far, and the requests.
async fn counted(proxy: &Proxy) -> (u64, Vec<(Outcome, u64)>) {
    let observed = proxy.plane.observe().await;
    let arms: Vec<_> = observed
        .iter()
        .flat_map(|o| &o.cells)
        .flat_map(|cell| &cell.arms)
        .collect();
    let outcomes = arms.iter().flat_map(|arm| arm.outcomes.iter());
    (
        arms.iter().map(|arm| arm.routed).sum(),
        outcomes.map(|(&o, &count)| (o, count)).collect(),
    )
}

#[tokio::test]
async fn failures_are_answered_in_words_and_counted() {
    let silent = RawServer::start(|_| Reaction::Wait).await.unwrap();
    let closing = RawServer::start(|_| Reaction::SendAndClose(vec![]))
        .await
        .unwrap();
    let babbling = RawServer::answering("220 smtp ready\r\n\r\n")
        .await
        .unwrap();
    let failing = Backend::failing(500).await.unwrap();
    let limited = |mut view: NodeView| {
        view.services[0].routes[0].timeouts.per_request = Some(Duration::from_millis(50));
        view
    };
    for (view, status, words, outcome) in [
        (
            gateway(&[("v", 1, &[])]),
            503,
            "v has no endpoint",
            Outcome::Unavailable,
        ),
        (
            gateway_to(nobody()),
            503,
            "cannot connect to 127.0.0.1",
            Outcome::Unavailable,
        ),
        (
            gateway_to(closing.address),
            503,
            "broke before it answered",
            Outcome::Reset,
        ),
        (
            gateway_to(babbling.address),
            502,
            "answer was not valid",
            Outcome::Reset,
        ),
        (
            limited(gateway_to(silent.address)),
            504,
            "did not answer in time",
            Outcome::Timeout,
        ),
        (gateway_to(failing.address), 500, "", Outcome::ServerError),
    ] {
        let proxy = Proxy::running(&view).await;
        let mut client = proxy.client().await;
        let response = client.ask(get("/")).await.unwrap();
        assert_eq!(response.status, status, "{words}");
        assert!(response.text().contains(words), "{}", response.text());
        assert_eq!(
            response.header("connection"),
            None,
            "{words}: the client may ask again"
        );
        assert_eq!(
            client.ask(get("/")).await.unwrap().status,
            status,
            "{words}"
        );
        assert_eq!(counted(&proxy).await, (2, vec![(outcome, 2)]), "{words}");
    }
}

#[tokio::test]
async fn without_weights_nothing_is_drawn() {
    let backend = Backend::saying("x").await.unwrap();
    let proxy = Proxy::running(&gateway(&[("v", 0, &[backend.address])])).await;
    let response = proxy.get("/").await;
    assert_eq!(response.status, 503);
    assert!(
        response.text().contains("all weights"),
        "{}",
        response.text()
    );
    assert_eq!(counted(&proxy).await, (0, vec![]));
}

#[tokio::test]
async fn a_response_that_breaks_off_is_not_made_whole() {
    let server = RawServer::start(|_| {
        Reaction::SendAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec())
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let mut client = proxy.client().await;
    client.send(get("/")).await.unwrap();
    assert!(client.read_to_end().await.ends_with(b"\r\n\r\nhalf"));
    assert_eq!(counted(&proxy).await, (1, vec![(Outcome::Reset, 1)]));
}

/// Without chunks the end of the connection is the end of the body, so only a reset tells that some is missing.
#[tokio::test]
async fn a_response_that_breaks_off_is_not_whole_for_a_client_without_chunks_either() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (sent, end) in [
        ("4\r\nhalf\r\n", Err(ErrorKind::ConnectionReset)),
        ("4\r\nhalf\r\nnonsense\r\n", Err(ErrorKind::ConnectionReset)),
        ("4\r\nhalf\r\n0\r\n\r\n", Ok(())),
    ] {
        let answer = [CHUNKED, sent].concat().into_bytes();
        let server = RawServer::start(move |_| Reaction::SendAndClose(answer.clone()))
            .await
            .unwrap();
        let proxy = Proxy::running(&gateway_to(server.address)).await;
        let mut client = TcpStream::connect(proxy.address).await.unwrap();
        let request = b"GET / HTTP/1.0\r\nHost: crystal.local\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut response = Vec::new();
        let read = within("the end", client.read_to_end(&mut response)).await;
        let read = read.map(drop).map_err(|error| error.kind());
        assert_eq!(read, end, "{sent:?}");
    }
}

/// What callers do not see is counted all the same: once, for the version that was drawn. A policy is needed
/// where the connection was new, none where it came from the pool.
#[tokio::test]
async fn a_first_try_that_failed_is_counted_though_another_hid_it() {
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (policy, is_pooled) in [(retrying(2, &[]), false), (None, true)] {
        // Breaks on every request that it has not seen yet.
        let seen = Mutex::new(HashSet::new());
        let breaking = RawServer::start(move |come| {
            let is_fine = come.starts_with(b"GET /fine ");
            let is_new = seen.lock().unwrap().insert(come.to_vec());
            match is_new && !is_fine {
                true => Reaction::SendAndClose(vec![]),
                false => Reaction::Send(OK.into()),
            }
        })
        .await
        .unwrap();
        let steady = RawServer::answering(OK).await.unwrap();
        let (stable, canary) = ([steady.address], [breaking.address]);
        let mut view = gateway(&[("stable", 1, &stable), ("canary", 1, &canary)]);
        view.services[0].routes[0].retry = policy;
        let proxy = Proxy::running(&view).await;
        let mut client = proxy.client().await;
        while is_pooled && breaking.seen().is_empty() {
            assert_eq!(client.ask(get("/fine")).await.unwrap().status, 200);
        }
        proxy.plane.observe().await;

        for number in 0..40 {
            let request = get(&format!("/{number}"));
            assert_eq!(client.ask(request).await.unwrap().text(), "ok");
        }
        let observed = proxy.plane.observe().await;
        let arms = &observed[0].cells[0].arms;
        let counts = |arm: usize| (arms[arm].outcomes.clone(), arms[arm].retried);
        let all = |routed| [(Outcome::Success, routed)].into();
        assert_eq!(counts(0), (all(arms[0].routed), 0));
        assert_eq!(counts(1), (all(arms[1].routed), arms[1].routed));
    }
}

#[tokio::test]
async fn another_endpoint_is_tried_where_the_policy_says_so() {
    let alive = Backend::saying("alive").await.unwrap();
    let mut view = gateway(&[("v", 1, &[nobody(), alive.address])]);
    view.services[0].routes[0].retry = retrying(1, &[]);
    let proxy = Proxy::running(&view).await;
    for _ in 0..20 {
        assert_eq!(proxy.get("/").await.text(), "alive");
    }
    assert_eq!(
        counted(&proxy).await,
        (20, vec![(Outcome::Success, 20)]),
        "a retry counts once"
    );

    view.services[0].routes[0].retry = None;
    proxy.apply(&view).await.unwrap();
    let mut refused = 0;
    for _ in 0..20 {
        refused += u32::from(proxy.get("/").await.status == 503);
    }
    assert!(
        refused > 0,
        "without a policy the first failure is the answer"
    );
}

/// Endpoints that are gone have nothing to do, so whichever has less to do is one of them.
#[tokio::test]
async fn each_retry_goes_to_an_endpoint_that_has_not_failed() {
    let alive = Backend::saying("alive").await.unwrap();
    let endpoints = [nobody(), alive.address, nobody()];
    let mut view = gateway(&[("v", 1, &endpoints)]);
    view.services[0].routes[0].retry = retrying(2, &[]);
    let proxy = Proxy::running(&view).await;
    for _ in 0..40 {
        assert_eq!(proxy.get("/").await.text(), "alive");
    }
}

/// A server that fails so many times before it answers.
async fn failing_first(times: u32, status: u16) -> (Backend, Arc<AtomicU32>) {
    let tries = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&tries);
    let backend = Backend::answering(move |request| {
        if counter.fetch_add(1, Ordering::Relaxed) < times {
            with_status(status, "failed")
        } else {
            with_status(200, &String::from_utf8_lossy(request.body()))
        }
    });
    (backend.await.unwrap(), tries)
}

#[tokio::test]
async fn statuses_are_retried_as_often_as_the_policy_says() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    for (failures, expected) in [(2, (200, "body")), (3, (503, "failed"))] {
        let (backend, tries) = failing_first(failures, 503).await;
        let mut view = gateway_to(backend.address);
        view.services[0].routes[0].retry = retrying(2, &[503]);
        let proxy = Proxy::running(&view).await;
        let response = proxy.ask(post).await;
        assert_eq!((response.status, response.text().as_str()), expected);
        assert_eq!(tries.load(Ordering::Relaxed), 3);
    }
    let (backend, tries) = failing_first(1, 500).await;
    let mut view = gateway_to(backend.address);
    view.services[0].routes[0].retry = retrying(2, &[503]);
    assert_eq!(Proxy::running(&view).await.ask(post).await.status, 500);
    assert_eq!(
        tries.load(Ordering::Relaxed),
        1,
        "another status is the answer"
    );
}

/// Three tries each would triple the load on what fails already. What is not tried again is answered as
/// the service answered.
#[tokio::test]
async fn retries_of_many_requests_have_a_budget() {
    let failing = Backend::failing(503).await.unwrap();
    let mut view = gateway_to(failing.address);
    view.services[0].routes[0].retry = retrying(2, &[503]);
    let proxy = Proxy::running(&view).await;
    let load = Load::start(proxy.address, 40, None, get("/"));
    until("many have failed", async || load.sent() > 2_000).await;
    let report = load.stop().await.unwrap();
    assert_eq!(report.with_status(503), report.total());
    let retries = failing.requests() - report.total();
    assert!(
        retries > 0 && retries < report.total() / 2,
        "{retries} of {}",
        report.total()
    );
}

#[tokio::test]
async fn a_try_has_its_own_time() {
    let (first, tries) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let counter = Arc::clone(&tries);
    let server = RawServer::start(move |_| match first.fetch_add(1, Ordering::Relaxed) {
        0 => Reaction::Wait,
        _ => {
            counter.fetch_add(1, Ordering::Relaxed);
            Reaction::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())
        }
    })
    .await
    .unwrap();
    let mut view = gateway_to(server.address);
    let mut policy = retrying(1, &[]).unwrap();
    policy.per_try_timeout = Some(Duration::from_millis(50));
    view.services[0].routes[0].retry = Some(policy);
    view.services[0].routes[0].timeouts.per_request = Some(Duration::from_secs(15));
    let proxy = Proxy::running(&view).await;
    assert_eq!(proxy.get("/").await.text(), "ok");
    assert_eq!(tries.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_body_that_is_not_at_hand_is_not_sent_twice() {
    let server = RawServer::start(|come| match come.ends_with(b"half") {
        true => Reaction::SendAndClose(vec![]),
        false => Reaction::Wait,
    })
    .await
    .unwrap();
    let mut view = gateway_to(server.address);
    view.services[0].routes[0].retry = retrying(3, &[503]);
    let proxy = Proxy::running(&view).await;
    let mut client = proxy.client().await;
    client
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf")
        .await
        .unwrap();
    assert_eq!(client.response(false).await.unwrap().status, 503);
    assert_eq!(server.seen().len(), 1);
}

/// An interim response is not the answer: what comes of the request is still said.
#[tokio::test]
async fn a_service_that_breaks_after_100_continue_is_answered_for() {
    let server = RawServer::start(|come| match come {
        come if come.ends_with(b"body") => Reaction::SendAndClose(vec![]),
        come if come.ends_with(b"\r\n\r\n") => {
            Reaction::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec())
        }
        _ => Reaction::Wait,
    })
    .await
    .unwrap();
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    let mut client = proxy.client().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    client.send(head).await.unwrap();
    assert_eq!(client.response(false).await.unwrap().status, 100);
    client.send("body").await.unwrap();
    assert_eq!(client.response(false).await.unwrap().status, 503);
}

/// A server may close a connection that was kept, at any moment; nobody should notice.
#[tokio::test]
async fn a_stale_connection_is_replaced() {
    for method in ["GET", "DELETE"] {
        // Closes after every answer without saying so.
        let server = RawServer::start(|_| {
            Reaction::SendAndClose(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())
        })
        .await
        .unwrap();
        let proxy = Proxy::running(&gateway_to(server.address)).await;
        let mut client = proxy.client().await;
        for _ in 0..100 {
            let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.ask(request).await.unwrap().text(), "ok");
        }
        let (routed, outcomes) = counted(&proxy).await;
        assert_eq!((routed, outcomes), (100, vec![(Outcome::Success, 100)]));
    }
}

#[tokio::test]
async fn a_stream_that_stops_moving_is_cut() {
    let server = RawServer::start(|_| {
        Reaction::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec())
    })
    .await
    .unwrap();
    let mut view = gateway_to(server.address);
    view.services[0].routes[0].timeouts.idle = Some(Duration::from_millis(40));
    let proxy = Proxy::running(&view).await;
    let mut client = proxy.client().await;
    client.send(get("/")).await.unwrap();
    assert!(client.read_to_end().await.ends_with(b"half"));
    assert_eq!(counted(&proxy).await, (1, vec![(Outcome::Timeout, 1)]));
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_is_nobodys_failure() {
    let large = 64 << 20;
    let body = hyper::body::Bytes::from(vec![b'x'; large]);
    let backend = Backend::answering(move |_| hyper::Response::new(body.clone()));
    let backend = backend.await.unwrap();
    let mut view = gateway_to(backend.address);
    view.services[0].routes[0].timeouts.idle = Some(Duration::from_millis(150));
    let proxy = Proxy::running(&view).await;
    let mut uploads = proxy.client().await;
    uploads
        .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf")
        .await
        .unwrap();
    assert_eq!(uploads.response(false).await.unwrap().status, 408);
    let outcomes = vec![(Outcome::Cancelled, 1)];
    assert_eq!(counted(&proxy).await, (1, outcomes.clone()));

    let mut downloads = proxy.client().await;
    downloads.send(get("/")).await.unwrap();
    let mut ended = (0, vec![]);
    until("its time is up", async || {
        let (routed, outcomes) = counted(&proxy).await;
        ended.0 += routed;
        ended.1.extend(outcomes);
        !ended.1.is_empty()
    })
    .await;
    assert_eq!(ended, (1, outcomes));
    assert!(downloads.read_to_end().await.len() < large);
}

#[tokio::test]
async fn a_head_must_come_in_time_and_an_idle_connection_does_not_stay_for_ever() {
    let backend = Backend::saying("x").await.unwrap();
    let short = Duration::from_millis(60);
    let options = proxy::Options {
        head_timeout: short,
        keep_alive: 2 * short,
        ..options()
    };
    let proxy = Proxy::with(&gateway_to(backend.address), options).await;
    let mut slow = proxy.client().await;
    slow.send("GET / HT").await.unwrap();
    assert_eq!(slow.response(false).await.unwrap().status, 408);
    assert_eq!(slow.read_to_end().await, b"");

    let mut idle = proxy.client().await;
    assert_eq!(idle.ask(get("/")).await.unwrap().status, 200);
    assert_eq!(idle.read_to_end().await, b"");
}
