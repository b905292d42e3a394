//! The proxy and two real servers, nginx and one on Python's h11, read every message alike: after each of
//! the corpus' messages the answers on all connections are still answers to their own requests.

mod odd;
mod servers;

use servers::Server;
use testkit::raw::{RawClient, RawResponse};

use crate::mesh::{Proxy, gateway_to, get};
use crate::smuggling;

/// The next clients' requests come back on connections that the message before has used.
const PROBES: usize = 3;

#[tokio::test]
async fn nginx_and_the_proxy_never_disagree() {
    stays_synchronised(&Server::nginx().await).await;
}

#[tokio::test]
async fn python_and_the_proxy_never_disagree() {
    stays_synchronised(&Server::python().await).await;
}

async fn stays_synchronised(server: &Server) {
    let proxy = Proxy::running(&gateway_to(server.address)).await;
    for (name, bytes, status) in smuggling::corpus() {
        let mut client = proxy.client().await;
        client.send(&bytes).await.unwrap();
        let answers = String::from_utf8_lossy(&client.read_to_end().await).into_owned();
        assert!(
            answers.starts_with(&format!("HTTP/1.1 {status} ")),
            "{name}: {answers}"
        );
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{name}: {answers}");
        assert_probes_are_answered(&proxy, name).await;
    }
    for message in odd::messages() {
        let mut client = proxy.client().await;
        client.send(&message.bytes).await.unwrap();
        for expected in message.answers {
            let to_head = expected.starts_with("HEAD");
            let answer = final_response(&mut client, to_head).await;
            if message.may_be_refused && answer.status >= 400 {
                break;
            }
            let text = if to_head {
                (*expected).to_owned()
            } else {
                answer.text()
            };
            assert_eq!(
                (answer.status, text.as_str()),
                (200, *expected),
                "{} to {}",
                message.name,
                server.name
            );
        }
        assert_probes_are_answered(&proxy, message.name).await;
    }
    let sent = ["/first ", "/second ", "/probe/"];
    let seen = server.seen();
    assert!(seen.len() > PROBES * (smuggling::corpus().len() + odd::messages().len()));
    for line in seen {
        let target = line.split_once(' ').map_or("", |(_, target)| target);
        let is_known = sent.iter().any(|known| target.starts_with(known));
        assert!(is_known, "{} read {line:?}", server.name);
    }
}

/// After what is only informational.
async fn final_response(client: &mut RawClient, to_head: bool) -> RawResponse {
    loop {
        let response = client.response(to_head).await.unwrap();
        if response.status >= 200 {
            return response;
        }
    }
}

async fn assert_probes_are_answered(proxy: &Proxy, after: &str) {
    for probe in 0..PROBES {
        let path = format!("/probe/{probe}");
        let answer = proxy.ask(get(&path)).await;
        assert_eq!(answer.text(), format!("GET {path}"), "after {after}");
    }
}
