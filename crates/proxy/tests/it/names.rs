//! Names as endpoints: a name server of the test's own says what they mean, and for how long.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proxy::Options;
use testkit::raw::RawClient;
use testkit::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use view::*;

use crate::mesh::{Proxy, node, options};

/// What the name server answers about every name.
#[derive(Clone, Debug)]
enum Says {
    Addresses(Vec<u8>, u32),
    NoSuchName,
    Failure,
}

struct NameServer {
    address: SocketAddr,
    says: Arc<Mutex<Says>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// It thinks about its answer for as long as this holds.
    hesitates: watch::Sender<bool>,
}

impl NameServer {
    async fn start(says: Says) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: socket.local_addr().unwrap(),
            says: Arc::new(Mutex::new(says)),
            asked: Arc::default(),
            hesitates: watch::Sender::new(false),
        };
        let mut hesitates = server.hesitates.subscribe();
        let (says, asked) = (Arc::clone(&server.says), Arc::clone(&server.asked));
        tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query).await {
                let (name, answer) = answer(&query[..length], &says.lock().unwrap());
                asked.lock().unwrap().push(name);
                if hesitates.wait_for(|hesitates| !hesitates).await.is_err() {
                    return;
                }
                drop(socket.send_to(&answer, client).await);
            }
        });
        server
    }

    fn now_says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    fn times_asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// The name that a query (RFC 1035, section 4) asks for, and the answer to it.
fn answer(query: &[u8], says: &Says) -> (String, Vec<u8>) {
    let mut name = String::new();
    let mut at = 12;
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        name.push_str(&String::from_utf8_lossy(&query[at + 1..end]));
        name.push('.');
        at = end;
    }
    let asks_for_v4 = query[at + 1..at + 3] == [0, 1];
    let question = &query[12..at + 5];
    let (code, addresses, ttl) = match says {
        Says::Addresses(last, ttl) if asks_for_v4 => (0, last.as_slice(), *ttl),
        Says::Addresses(_, ttl) => (0, [].as_slice(), *ttl),
        Says::NoSuchName => (3, [].as_slice(), 0),
        Says::Failure => (2, [].as_slice(), 0),
    };
    let mut answer = query[..2].to_vec();
    answer.extend_from_slice(&[
        0x81,
        0x80 | code,
        0,
        1,
        0,
        addresses.len() as u8,
        0,
        0,
        0,
        0,
    ]);
    answer.extend_from_slice(question);
    for last in addresses {
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1]);
        answer.extend_from_slice(&ttl.to_be_bytes());
        answer.extend_from_slice(&[0, 4, 127, 0, 0, *last]);
    }
    (name, answer)
}

/// Servers at 127.0.0.1 and so on, all on one port, each of which says the last part of its address.
async fn servers(count: u8) -> u16 {
    let mut port = 0;
    for last in 1..=count {
        let address = (Ipv4Addr::new(127, 0, 0, last), port);
        let listener = TcpListener::bind(address).await.unwrap();
        port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while stream.write_all(&[b'0' + last]).await.is_ok() {
                        if !matches!(stream.read(&mut [0; 16]).await, Ok(1..)) {
                            return;
                        }
                    }
                });
            }
        });
    }
    port
}

fn naming(port: u16, response: DnsResponse) -> NodeView {
    let mut view = node(Entry::Service { service: 0 }, &[("v", 1, &[])]);
    view.listeners[0].protocol = Protocol::Tcp;
    view.clusters[0].discovery = Discovery::Dns {
        hostname: "db.test.".into(),
        port,
        response,
        ip_preference: IpPreference::Unset,
    };
    view
}

async fn named(server: &NameServer, port: u16, response: DnsResponse) -> Proxy {
    let options = Options {
        name_servers: vec![server.address],
        ..options()
    };
    Proxy::with(&naming(port, response), options).await
}

/// What a release does, ten times a second if it likes.
async fn move_weights(proxy: &Proxy, view: &mut NodeView) {
    view.services[0].routes[0].split.targets[0].weight += 1;
    proxy.apply(view).await.unwrap();
}

async fn connected(proxy: &Proxy) -> (RawClient, char) {
    let mut client = proxy.client().await;
    let heard = client.read_exactly(1).await.unwrap();
    (client, char::from(heard[0]))
}

/// Who answers twenty connections.
async fn heard(proxy: &Proxy) -> String {
    let mut heard = BTreeSet::new();
    for _ in 0..20 {
        heard.insert(connected(proxy).await.1);
    }
    heard.into_iter().collect()
}

#[tokio::test]
async fn every_address_is_an_endpoint_until_its_name_no_longer_means_it() {
    let server = NameServer::start(Says::Addresses(vec![1, 2], 1)).await;
    let port = servers(3).await;
    let proxy = named(&server, port, DnsResponse::Strict).await;
    assert_eq!(heard(&proxy).await, "12");
    assert_eq!(server.asked.lock().unwrap()[0].to_lowercase(), "db.test.");
    let mut to_first = loop {
        let (client, from) = connected(&proxy).await;
        if from == '1' {
            break client;
        }
    };
    server.now_says(Says::Addresses(vec![3, 2], 1));
    until("the new address is used and the old is not", async || {
        heard(&proxy).await == "23"
    })
    .await;
    to_first.send("still there?").await.unwrap();
    assert_eq!(
        to_first.read_exactly(1).await.unwrap(),
        b"1",
        "what is under way goes on"
    );

    server.now_says(Says::NoSuchName);
    until("nobody is left", async || {
        proxy.client().await.read_exactly(1).await.is_err()
    })
    .await;
    server.now_says(Says::Addresses(vec![1], 1));
    until("and all is well again", async || {
        matches!(
            proxy.client().await.read_exactly(1).await.as_deref(),
            Ok(b"1")
        )
    })
    .await;
}

#[tokio::test]
async fn a_load_balancers_name_is_one_address_at_a_time() {
    let server = NameServer::start(Says::Addresses(vec![1, 2], 1)).await;
    let port = servers(2).await;
    let proxy = named(&server, port, DnsResponse::Logical).await;
    assert_eq!(heard(&proxy).await, "1");
    let (mut old, _) = connected(&proxy).await;
    let asked = server.times_asked();
    server.now_says(Says::Addresses(vec![2, 1], 1));
    until("it is looked up twice", async || {
        server.times_asked() >= asked + 2
    })
    .await;
    assert_eq!(
        heard(&proxy).await,
        "1",
        "another order is no other address"
    );
    server.now_says(Says::Addresses(vec![2], 1));
    until("the new address is used", async || {
        heard(&proxy).await == "2"
    })
    .await;
    old.send("still there?").await.unwrap();
    assert_eq!(old.read_exactly(1).await.unwrap(), b"1");
}

#[tokio::test]
async fn what_cannot_be_looked_up_again_goes_on_being_used() {
    let server = NameServer::start(Says::Addresses(vec![1], 1)).await;
    let port = servers(1).await;
    let proxy = named(&server, port, DnsResponse::Strict).await;
    server.now_says(Says::Failure);
    let asked = server.times_asked();
    until("it is looked up in vain", async || {
        server.times_asked() >= asked + 4
    })
    .await;
    assert_eq!(heard(&proxy).await, "1");
}

#[tokio::test]
async fn an_answer_that_holds_is_not_asked_for_again() {
    let long = NameServer::start(Says::Addresses(vec![1], 300)).await;
    let short = NameServer::start(Says::Addresses(vec![1], 1)).await;
    let port = servers(1).await;
    let _one = named(&long, port, DnsResponse::Strict).await;
    let _other = named(&short, port, DnsResponse::Strict).await;
    let asked = long.times_asked();
    assert_eq!(asked, 1);
    until("a second or two have passed", async || {
        short.times_asked() >= 3
    })
    .await;
    assert_eq!(long.times_asked(), asked);
}

#[tokio::test]
async fn a_new_view_does_not_forget_that_a_name_was_denied() {
    let server = NameServer::start(Says::Addresses(vec![1], 1)).await;
    let port = servers(1).await;
    let proxy = named(&server, port, DnsResponse::Strict).await;
    assert_eq!(heard(&proxy).await, "1");
    let mut view = naming(port, DnsResponse::Strict);
    server.now_says(Says::NoSuchName);
    until("nobody is left", async || {
        move_weights(&proxy, &mut view).await;
        proxy.client().await.read_exactly(1).await.is_err()
    })
    .await;
}

/// Views that change faster than the name server answers would otherwise all wait for it, and none would learn
/// what it says.
#[tokio::test]
async fn a_new_view_goes_on_with_the_lookup_of_the_one_before() {
    let server = NameServer::start(Says::Addresses(vec![1], 300)).await;
    server.hesitates.send_replace(true);
    let port = servers(1).await;
    let proxy = named(&server, port, DnsResponse::Strict).await;
    let mut view = naming(port, DnsResponse::Strict);
    let changes = async {
        for _ in 0..5 {
            move_weights(&proxy, &mut view).await;
        }
    };
    let patience = Duration::from_secs(6);
    let in_time = tokio::time::timeout(patience, changes).await;
    assert!(in_time.is_ok(), "only the first view waits for its names");
    server.hesitates.send_replace(false);
    until("it is answered", async || {
        proxy.client().await.read_exactly(1).await.is_ok()
    })
    .await;
}
