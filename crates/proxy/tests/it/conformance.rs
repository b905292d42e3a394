//! The conformance table: every case is shown on the wire, and `docs/conformance.md` is written from it.
//!
//! Each legal request is followed by a known one on the same connection, so that a case that shifted what
//! either side reads would be seen; what is refused ends its connection. Rules that take more than one
//! message name the test that shows them, and the name must exist.

mod behaviour;
mod document;
mod requests;
mod responses;

use responses::Got;
use testkit::raw::{RawServer, Reaction};

use crate::mesh::{Proxy, gateway_to, get};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SECOND: &str = "GET /second HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test]
async fn each_request_goes_on_as_the_table_says() {
    for case in &requests::CASES {
        let expected = case.passed.unwrap_or(case.sent);
        let whole = expected.to_owned();
        let server = RawServer::start(move |come| {
            if come == whole.as_bytes() || come == SECOND.as_bytes() {
                Reaction::Send(OK.to_vec())
            } else if come.len() >= whole.len() {
                Reaction::SendAndClose(
                    b"HTTP/1.1 599 Otherwise\r\nContent-Length: 0\r\n\r\n".to_vec(),
                )
            } else {
                Reaction::Wait
            }
        })
        .await
        .unwrap();
        let proxy = Proxy::running(&gateway_to(server.address)).await;
        let mut client = proxy.client().await;
        client.send(format!("{}{SECOND}", case.sent)).await.unwrap();
        for _ in 0..2 {
            let response = client.response(false).await;
            let status = response.map(|response| response.status).unwrap_or_default();
            assert_eq!(status, 200, "{}: {:?}", case.what, server.seen());
        }
        assert_eq!(
            server.seen(),
            [format!("{expected}{SECOND}")],
            "{}",
            case.what
        );
    }
}

#[tokio::test]
async fn each_response_comes_back_as_the_table_says() {
    for case in &responses::CASES {
        let answer = case.sent.as_bytes().to_vec();
        let server = RawServer::start(move |come| {
            if come.starts_with(b"GET /second ") {
                Reaction::Send(OK.to_vec())
            } else {
                Reaction::Send(answer.clone())
            }
        })
        .await
        .unwrap();
        let proxy = Proxy::running(&gateway_to(server.address)).await;
        let mut client = proxy.client().await;
        client.send(get("/")).await.unwrap();
        let expected = match case.got {
            Got::AsItCame => case.sent,
            Got::Changed(text) => text,
            Got::BadGateway => {
                let status = client.response(false).await.unwrap().status;
                assert_eq!(status, 502, "{}", case.what);
                ""
            }
        };
        let got = client.read_exactly(expected.len()).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&got), expected, "{}", case.what);
        // And the next response is the next request's.
        client.send(get("/second")).await.unwrap();
        let got = client.read_exactly(OK.len()).await.unwrap();
        assert_eq!(got, OK, "{}", case.what);
    }
}
