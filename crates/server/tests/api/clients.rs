//! What clients send, how fast and how much: nobody holds the server up, and everybody gets an answer.

use std::collections::BTreeSet;

use testkit::{until, within};

use crate::server::{MESHES, Server, get, put};

#[tokio::test]
async fn requests_share_a_connection_and_each_has_an_id() {
    let server = Server::start("").await;
    let mut client = server.connect().await;
    let mut ids = BTreeSet::new();
    for request in [
        put(MESHES, r#"{"meshName":"one"}"#),
        get(MESHES),
        get("/v20190125/meshes/none"),
        get("/v1/health"),
        get("/v1/status"),
        get("/nothing"),
    ] {
        let answer = client.ask(&request).await.unwrap();
        let id = answer.header("x-amzn-requestid").unwrap().to_owned();
        assert_eq!(id.len(), 36, "{request}");
        assert!(ids.insert(id), "{request}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_however_it_is_sent() {
    let server = Server::start("limits: { bodySize: 64B }").await;
    let fits = format!("{:64}", r#"{"meshName":"one"}"#);
    assert_eq!(server.ask(put(MESHES, &fits)).await.status, 200);

    let larger = format!("{fits} ");
    let answer = server.ask(put(MESHES, &larger)).await;
    assert_eq!(answer.status, 413);
    let error = answer.header("x-amzn-errortype").unwrap();
    assert_eq!(error, "RequestEntityTooLargeException");
    assert!(answer.text().contains("64B"), "{}", answer.text());

    let chunk = format!("{:x}\r\n{fits}\r\n", fits.len());
    let head =
        format!("PUT {MESHES} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
    let answer = server.ask(format!("{head}{chunk}{chunk}0\r\n\r\n")).await;
    assert_eq!(answer.status, 413);
}

#[tokio::test]
async fn a_head_that_does_not_come_costs_its_client_the_connection() {
    let server = Server::start("limits: { headTime: 200ms }").await;
    let mut slow = server.connect().await;
    slow.send(format!("GET {MESHES} HTTP/1.1\r\nhost: loc"))
        .await
        .unwrap();
    assert_eq!(
        server.ask(get(MESHES)).await.status,
        200,
        "others are served"
    );
    let said = slow.read_to_end().await;
    assert!(
        !said.starts_with(b"HTTP/1.1 2"),
        "{:?}",
        String::from_utf8_lossy(&said)
    );

    let mut idle = server.connect().await;
    assert_eq!(idle.ask(get(MESHES)).await.unwrap().status, 200);
    assert!(
        idle.read_to_end().await.is_empty(),
        "an idle connection ends too"
    );
}

#[tokio::test]
async fn http2_without_a_request_costs_its_client_the_connection() {
    let server = Server::start("limits: { headTime: 200ms, connections: 1 }").await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = "\0\0\0\x04\0\0\0\0\0";
    for said in [&preface[..14], &format!("{preface}{settings}")] {
        let mut silent = server.connect().await;
        silent.send(said).await.unwrap();
        within("the only slot", silent.read_to_end()).await;
        assert_eq!(server.ask(get(MESHES)).await.status, 200);
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_answered_all_the_same() {
    let server = Server::start("limits: { bodyTime: 200ms }").await;
    let lacking =
        format!("PUT {MESHES} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{{");
    let answer = server.ask(lacking).await;
    assert_eq!(answer.status, 408);
    let error = answer.header("x-amzn-errortype").unwrap();
    assert_eq!(error, "RequestTimeoutException");
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = Server::start("").await;
    let mut client = server.connect().await;
    let head = format!(
        "GET {MESHES} HTTP/1.1\r\nhost: localhost\r\nx: {}",
        "x".repeat(200_000)
    );
    // The server may close before all of it is sent.
    drop(client.send(head).await);
    let said = String::from_utf8_lossy(&client.read_to_end().await).into_owned();
    assert!(
        said.is_empty() || said.starts_with("HTTP/1.1 431"),
        "{said}"
    );
    assert_eq!(server.ask(get(MESHES)).await.status, 200);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let server = Server::start("limits: { connections: 1 }").await;
    let mut first = server.connect().await;
    assert_eq!(first.ask(get(MESHES)).await.unwrap().status, 200);
    let mut second = server.connect().await;
    second.send(get(MESHES)).await.unwrap();
    assert_eq!(
        first.ask(get(MESHES)).await.unwrap().status,
        200,
        "the first is served on"
    );
    drop(first);
    let answer = within("the second's turn", second.response(false))
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn requests_faster_than_the_throttle_are_told_to_come_back() {
    let server = Server::start("throttle: { requestsPerSecond: 1, burst: 3 }").await;
    for _ in 0..3 {
        assert_eq!(server.ask(get(MESHES)).await.status, 200);
    }
    let mut refused = 0;
    until("a refusal", async || {
        let answer = server.ask(get(MESHES)).await;
        refused += u32::from(answer.status == 429);
        answer.header("x-amzn-errortype") == Some("TooManyRequestsException")
    })
    .await;
    let metrics = server.ask(get("/metrics")).await;
    let counted = format!("serin_api_throttled_total {refused}\n");
    assert!(metrics.text().contains(&counted), "{}", metrics.text());
}
