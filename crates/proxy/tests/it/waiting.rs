//! What a request waits for before it is answered lasts no longer than its time, its client and the proxy.

use std::time::Duration;

use testkit::{until, within};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use view::observe::Outcome;
use view::{NodeView, Protocol};

use crate::mesh::{NODE, Proxy, gateway_to, get, nobody, retrying};

/// Longer than any test has patience.
const VERY_LONG: Duration = Duration::from_secs(1_000_000);

/// Connecting to it takes for ever: it accepts nobody, and its queue is full.
struct Busy {
    listener: TcpListener,
    _queue: Vec<TcpStream>,
}

impl Busy {
    async fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let (address, mut queue) = (listener.local_addr().unwrap(), Vec::new());
        let patience = Duration::from_millis(300);
        while let Ok(queued) = tokio::time::timeout(patience, TcpStream::connect(address)).await {
            queue.push(queued.unwrap());
        }
        Self {
            listener,
            _queue: queue,
        }
    }
}

/// Views under which requests wait: for a connection, for one with room for a stream, for another try.
fn waiting(busy: &Busy) -> [NodeView; 3] {
    let mut connecting = gateway_to(busy.listener.local_addr().unwrap());
    connecting.clusters[0].connect_timeout = VERY_LONG;
    let mut leasing = connecting.clone();
    leasing.clusters[0].protocol = Protocol::Http2;
    let mut pausing = gateway_to(nobody());
    let retry = &mut pausing.services[0].routes[0].retry;
    *retry = retrying(1, &[]);
    if let Some(retry) = retry {
        (retry.backoff_base, retry.backoff_max) = (VERY_LONG, VERY_LONG);
    }
    [connecting, leasing, pausing]
}

/// How many requests have come, and what became of them.
async fn counted(proxy: &Proxy) -> (u64, Vec<Outcome>) {
    let observed = proxy.plane.observe().await;
    let cells = observed.iter().flat_map(|observed| &observed.cells);
    let arms: Vec<_> = cells.flat_map(|cell| &cell.arms).collect();
    let outcomes = arms.iter().flat_map(|arm| arm.outcomes.keys());
    (
        arms.iter().map(|arm| arm.routed).sum(),
        outcomes.copied().collect(),
    )
}

#[tokio::test]
async fn a_requests_time_runs_while_it_waits() {
    let busy = Busy::start().await;
    for mut view in waiting(&busy) {
        let limit = Some(Duration::from_millis(100));
        view.services[0].routes[0].timeouts.per_request = limit;
        let proxy = Proxy::running(&view).await;
        let mut client = proxy.client().await;
        for _ in 0..2 {
            assert_eq!(client.ask(get("/")).await.unwrap().status, 504);
        }
        assert_eq!(counted(&proxy).await, (2, vec![Outcome::Timeout]));
    }
}

#[tokio::test]
async fn who_has_left_is_waited_for_no_longer() {
    let busy = Busy::start().await;
    for view in waiting(&busy) {
        let proxy = Proxy::running(&view).await;
        let mut client = proxy.client().await;
        client.send(get("/")).await.unwrap();
        until("the request has come", async || counted(&proxy).await.0 > 0).await;
        drop(client);
        until("it is given up", async || {
            counted(&proxy).await.1 == [Outcome::Cancelled]
        })
        .await;
    }
}

#[tokio::test]
async fn what_still_waits_is_cut_in_the_end() {
    let busy = Busy::start().await;
    for view in waiting(&busy) {
        let proxy = Proxy::running(&view).await;
        let mut client = proxy.client().await;
        client.send(get("/")).await.unwrap();
        until("the request has come", async || counted(&proxy).await.0 > 0).await;
        let removal = proxy.plane.remove(NODE, Duration::from_millis(50));
        within("the removal", removal).await;
        assert_eq!(client.read_to_end().await, b"");
    }
}
