//! TCP: bytes both ways, the draw of an arm for each connection, and how connections are counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use testkit::raw::RawClient;
use testkit::{until, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use view::observe::Outcome;
use view::*;

use crate::mesh::{Proxy, nobody, node};

/// A listener whose connections go to one service over TCP.
pub(crate) fn tcp(arms: &[(&str, u32, &[SocketAddr])]) -> NodeView {
    over_tcp(node(Entry::Service { service: 0 }, arms))
}

fn over_tcp(mut view: NodeView) -> NodeView {
    view.listeners[0].protocol = Protocol::Tcp;
    for cluster in &mut view.clusters {
        cluster.protocol = Protocol::Tcp;
    }
    view
}

/// Accepts connections and does with each what it is told.
pub(crate) async fn serving<F>(handler: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handler(stream));
        }
    });
    address
}

/// Sends back what it gets, and ends when the client has.
pub(crate) async fn echoing() -> SocketAddr {
    serving(|mut stream| async move {
        let (mut read, mut write) = stream.split();
        drop(copy(&mut read, &mut write).await);
        drop(write.shutdown().await);
    })
    .await
}

/// Says its name and goes on listening.
async fn saying(name: &'static str) -> SocketAddr {
    serving(move |mut stream| async move {
        stream.write_all(name.as_bytes()).await.unwrap();
        drop(stream.read_to_end(&mut Vec::new()).await);
    })
    .await
}

pub(crate) fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

/// The outcomes of all connections, by arm, once so many have ended.
async fn outcomes(proxy: &Proxy, ended: u64) -> BTreeMap<(String, Outcome), u64> {
    let mut seen = BTreeMap::new();
    until("all connections are counted", async || {
        for cell in proxy
            .plane
            .observe()
            .await
            .into_iter()
            .flat_map(|node| node.cells)
        {
            for arm in cell.arms {
                for (outcome, count) in arm.outcomes {
                    *seen.entry((arm.name.clone(), outcome)).or_default() += count;
                }
            }
        }
        seen.values().sum::<u64>() >= ended
    })
    .await;
    seen
}

async fn only_outcome(proxy: &Proxy) -> Outcome {
    outcomes(proxy, 1).await.keys().next().unwrap().1
}

#[tokio::test]
async fn bytes_pass_both_ways_and_either_side_may_end_first() {
    let proxy = Proxy::running(&tcp(&[("v", 1, &[echoing().await])])).await;
    let sent: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let (mut read, mut write) = TcpStream::connect(proxy.address)
        .await
        .unwrap()
        .into_split();
    let all = sent.clone();
    let sending = tokio::spawn(async move {
        write.write_all(&all).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut back = Vec::new();
    within(
        "all comes back after the client's end",
        read.read_to_end(&mut back),
    )
    .await
    .unwrap();
    sending.await.unwrap();
    assert!(back == sent, "{} of {} bytes", back.len(), sent.len());
    assert_eq!(only_outcome(&proxy).await, Outcome::Success);
}

#[tokio::test]
async fn a_service_may_speak_first_and_a_client_may_only_listen() {
    let service = serving(|mut stream| async move {
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        stream.write_all(b"you had nothing to say").await.unwrap();
    });
    let proxy = Proxy::running(&tcp(&[("v", 1, &[service.await])])).await;
    let mut client = proxy.client().await;
    client.finish().await.unwrap();
    assert_eq!(client.read_to_end().await, b"you had nothing to say");
}

#[tokio::test]
async fn a_receiver_that_reads_slowly_holds_its_sender_back() {
    let service = serving(|mut stream| async move {
        let chunk = vec![b'x'; 1 << 20];
        for _ in 0..64 {
            if stream.write_all(&chunk).await.is_err() {
                return;
            }
        }
    });
    let proxy = Proxy::running(&tcp(&[("v", 1, &[service.await])])).await;
    let mut client = TcpStream::connect(proxy.address).await.unwrap();
    let mut received = 0;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match within("more", client.read(&mut buffer)).await.unwrap() {
            0 => break,
            read => received += read,
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(received, 64 << 20);
}

#[tokio::test]
async fn each_connection_draws_its_arm_at_random_by_weight() {
    let arms: [(&str, u32, &[SocketAddr]); 2] = [
        ("stable", 3, &[saying("s").await]),
        ("canary", 1, &[saying("c").await]),
    ];
    let proxy = Proxy::running(&tcp(&arms)).await;
    let mut heard = String::new();
    for _ in 0..200 {
        let mut client = proxy.client().await;
        heard.push(char::from(client.read_exactly(1).await.unwrap()[0]));
    }
    let canary = heard.matches('c').count();
    assert!((20..=85).contains(&canary), "{canary} of 200 for a quarter");
    let seen = outcomes(&proxy, 200).await;
    assert_eq!(
        seen[&("canary".to_owned(), Outcome::Success)],
        canary as u64
    );
    let turns = heard
        .as_bytes()
        .windows(2)
        .filter(|two| two[0] != two[1])
        .count();
    assert!(
        (40..=115).contains(&turns),
        "{turns} turns are no random draw"
    );
}

#[tokio::test]
async fn an_endpoint_that_nobody_listens_on_is_replaced_before_the_first_byte() {
    let endpoints = [nobody(), echoing().await];
    let proxy = Proxy::running(&tcp(&[("v", 1, &endpoints)])).await;
    for _ in 0..20 {
        let mut client = proxy.client().await;
        client.send("ping").await.unwrap();
        assert_eq!(client.read_exactly(4).await.unwrap(), b"ping");
    }
    let seen = outcomes(&proxy, 20).await;
    assert_eq!(
        seen,
        BTreeMap::from([(("v".to_owned(), Outcome::Success), 20)])
    );
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_closes_the_connection() {
    let proxy = Proxy::running(&tcp(&[("v", 1, &[nobody()])])).await;
    assert_eq!(proxy.client().await.read_to_end().await, b"");
    assert_eq!(only_outcome(&proxy).await, Outcome::Unavailable);

    let proxy = Proxy::running(&tcp(&[("v", 1, &[])])).await;
    assert_eq!(proxy.client().await.read_to_end().await, b"");
    assert_eq!(only_outcome(&proxy).await, Outcome::Unavailable);

    let proxy = Proxy::running(&tcp(&[("v", 0, &[echoing().await])])).await;
    assert_eq!(proxy.client().await.read_to_end().await, b"");
    assert_eq!(proxy.plane.observe().await, vec![], "no arm was drawn");
}

#[tokio::test]
async fn a_service_that_breaks_is_a_reset_to_the_client_and_to_the_judge() {
    let service = serving(|mut stream| async move {
        stream.write_all(b"half").await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        reset(&stream);
    });
    let proxy = Proxy::running(&tcp(&[("v", 1, &[service.await])])).await;
    let mut client = TcpStream::connect(proxy.address).await.unwrap();
    let mut half = [0; 4];
    client.read_exact(&mut half).await.unwrap();
    client.write_all(b"more").await.unwrap();
    let end = within("the end", client.read(&mut half)).await;
    assert_eq!(end.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(only_outcome(&proxy).await, Outcome::Reset);
}

#[tokio::test]
async fn a_service_that_hangs_up_without_a_word_has_failed() {
    let hanging_up = serving(|stream| async move { drop(stream) }).await;
    let proxy = Proxy::running(&tcp(&[("v", 1, &[hanging_up])])).await;
    assert_eq!(proxy.client().await.read_to_end().await, b"");
    assert_eq!(only_outcome(&proxy).await, Outcome::Reset);
}

#[tokio::test]
async fn a_client_that_breaks_is_nobodys_failure_and_the_service_learns_of_it() {
    let (told, mut tells) = tokio::sync::mpsc::unbounded_channel();
    let service = serving(move |mut stream| {
        let told = told.clone();
        async move {
            stream.write_all(b"hello").await.unwrap();
            told.send(stream.read(&mut [0; 1]).await.map_err(|error| error.kind()))
                .unwrap();
        }
    });
    let proxy = Proxy::running(&tcp(&[("v", 1, &[service.await])])).await;
    let mut client = TcpStream::connect(proxy.address).await.unwrap();
    client.read_exact(&mut [0; 5]).await.unwrap();
    reset(&client);
    drop(client);
    let end = within("the service learns", tells.recv()).await.unwrap();
    assert_eq!(end, Err(std::io::ErrorKind::ConnectionReset));
    assert_eq!(only_outcome(&proxy).await, Outcome::Cancelled);
}

#[tokio::test]
async fn silence_ends_a_connection_and_is_a_time_out_where_an_answer_was_owed() {
    let mute = serving(|mut stream| async move {
        drop(stream.read_to_end(&mut Vec::new()).await);
    });
    let mut view = tcp(&[("v", 1, &[mute.await])]);
    view.services[0].routes[0].timeouts.idle = Some(Duration::from_millis(100));
    let proxy = Proxy::running(&view).await;
    let mut asking = proxy.client().await;
    asking.send("are you there?").await.unwrap();
    assert_eq!(asking.read_to_end().await, b"");
    assert_eq!(only_outcome(&proxy).await, Outcome::Timeout);
    assert_eq!(proxy.client().await.read_to_end().await, b"");
    assert_eq!(only_outcome(&proxy).await, Outcome::Success);
}

#[tokio::test]
async fn what_is_said_in_time_keeps_a_connection_alive() {
    let mut view = tcp(&[("v", 1, &[echoing().await])]);
    view.services[0].routes[0].timeouts.idle = Some(Duration::from_millis(300));
    let proxy = Proxy::running(&view).await;
    let mut client = proxy.client().await;
    for _ in 0..7 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.send("ping").await.unwrap();
        assert_eq!(client.read_exactly(4).await.unwrap(), b"ping");
    }
    assert_eq!(client.read_to_end().await, b"", "and then silence ends it");
}

#[tokio::test]
async fn an_ingress_passes_connections_to_its_application_up_to_its_limit() {
    let mut view = over_tcp(node(
        Entry::Ingress { cluster: 0 },
        &[("v", 1, &[echoing().await])],
    ));
    view.listeners[0].limits = PoolLimits {
        max_connections: Some(1),
        max_pending_requests: Some(1),
        max_requests: None,
    };
    let proxy = Proxy::running(&view).await;
    let ping = async |client: &mut RawClient| {
        client.send("ping").await.unwrap();
        client.read_exactly(4).await.unwrap()
    };
    let mut first = proxy.client().await;
    assert_eq!(ping(&mut first).await, b"ping");
    let mut waiting = [proxy.client().await, proxy.client().await];
    // One of the two waits, the other finds no place to.
    let (refused, mut left) = {
        let [one, other] = &mut waiting;
        let one_end = async { (one.read_to_end().await, 1) };
        let other_end = async { (other.read_to_end().await, 0) };
        tokio::select! { end = one_end => end, end = other_end => end }
    };
    assert_eq!(refused, b"");
    drop(first);
    let left = &mut waiting[std::mem::take(&mut left)];
    assert_eq!(ping(left).await, b"ping");
}

#[tokio::test]
async fn a_listener_that_leaves_lets_connections_finish_and_then_cuts_them() {
    let proxy = Proxy::running(&tcp(&[("v", 1, &[echoing().await])])).await;
    let mut client = proxy.client().await;
    client.send("ping").await.unwrap();
    assert_eq!(client.read_exactly(4).await.unwrap(), b"ping");
    let removing = proxy
        .plane
        .remove(crate::mesh::NODE, Duration::from_millis(300));
    let talking = async {
        client.send("pong").await.unwrap();
        assert_eq!(client.read_exactly(4).await.unwrap(), b"pong");
        client.read_to_end().await
    };
    let ((), rest) = tokio::join!(removing, talking);
    assert_eq!(rest, b"");
    assert_eq!(only_outcome(&proxy).await, Outcome::Cancelled);
}

#[tokio::test]
async fn a_gateway_has_no_tcp() {
    let view = over_tcp(crate::mesh::gateway_to(echoing().await));
    let plane = proxy::DataPlane::start(crate::mesh::options()).unwrap();
    let refused = plane
        .apply(std::sync::Arc::new(view))
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("names no service"), "{refused}");
}
