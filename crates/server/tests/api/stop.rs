//! A server that stops: what was begun is finished, what is not asked for any more ends.

use std::time::Duration;

use testkit::within;

use crate::server::{MESHES, Server, get, start};

const BEGUN: &str =
    "PUT /v20190125/meshes HTTP/1.1\r\nhost: localhost\r\ncontent-length: 18\r\n\r\n{\"meshName\"";

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_server_ends() {
    let server = Server::start("").await;
    let address = server.address();
    let mut idle = server.connect().await;
    assert_eq!(idle.ask(get(MESHES)).await.unwrap().status, 200);
    let mut slow = server.connect().await;
    slow.send(BEGUN).await.unwrap();
    // Answered after the server has read what was sent before.
    assert_eq!(server.ask(get(MESHES)).await.status, 200);

    let Server { daemon, directory } = server;
    let stopping = tokio::spawn(daemon.shutdown());
    assert!(
        within("the idle connection's end", idle.read_to_end())
            .await
            .is_empty()
    );
    slow.send(":\"one\"}").await.unwrap();
    assert_eq!(slow.response(false).await.unwrap().status, 200);
    within("the server's end", stopping).await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    assert!(!directory.path().join("state/server.json").exists());

    let again = Server::start_in(directory, "").await;
    let kept = again.ask(get("/v20190125/meshes/one")).await;
    assert_eq!(kept.status, 200, "what was answered is kept");
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_off() {
    let server = Server::start("limits: { stopTime: 100ms }").await;
    let mut endless = server.connect().await;
    endless.send(BEGUN).await.unwrap();
    assert_eq!(server.ask(get(MESHES)).await.status, 200);
    within("the server's end", server.daemon.shutdown()).await;
    assert!(endless.read_to_end().await.is_empty());
}

#[tokio::test]
async fn two_servers_do_not_share_a_state_directory() {
    let server = Server::start("").await;
    let path = server.directory.path();
    let second = tokio::time::timeout(Duration::from_secs(20), start(path, "")).await;
    let error = second.unwrap().unwrap_err();
    assert!(matches!(error, server::Error::Store(_)), "{error:?}");
    assert_eq!(server.ask(get(MESHES)).await.status, 200);
}
