//! TCP connections: for each the arm is drawn once, an endpoint found, and bytes go both ways.
//!
//! While nothing has been said, an endpoint that cannot be reached is replaced by another. A connection
//! counts as one request; `outcome` says how what happened is told to the judge.

mod outcome;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::clock::{self, Instant};
use crate::counters::Tally;
use crate::endpoint::{Endpoint, InFlight};
use crate::inbound::{Inbound, Peer};
use crate::listener::Listener;
use crate::node::LocalNode;
use crate::outbound;
use crate::pool::{Slot, Turn};
use crate::route::program::TcpDestination;
use crate::socket::Socket;
use crate::timers::Timer;
use crate::tunnel::Tunnel;
use crate::worker::Worker;

/// App Mesh has no retries for TCP; these are the number and the pauses of its hidden ones for HTTP.
const CONNECT_RETRIES: u32 = 2;
const PAUSE: Duration = Duration::from_millis(25);

/// Why a connection reached nobody.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("no route over TCP, or all weights are 0")]
    NoRoute,
    #[error("the listener's connection pool is full")]
    NoTurn,
    #[error("{virtual_node} has no endpoint")]
    NoEndpoint { virtual_node: String },
    #[error("cannot connect to {endpoint}: {source}")]
    Connect {
        endpoint: SocketAddr,
        source: io::Error,
    },
    #[error("the proxy is stopping")]
    Cut,
}

/// A connection that has been let in.
struct Call<'c> {
    worker: &'c Worker,
    listener: &'c Listener,
    timer: &'c Rc<Timer>,
    node: Rc<LocalNode>,
    client: Socket,
    cluster: usize,
    started: Instant,
}

/// Carries one connection to its end, after its PROXY header and its TLS handshake.
pub(crate) async fn serve(worker: Rc<Worker>, listener: Rc<Listener>, inbound: Inbound) {
    let (client, Peer { remote, .. }) = inbound.into_socket();
    let timer = worker.timers.timer();
    poll_fn(|cx| {
        timer.wakes(cx.waker());
        Poll::Ready(())
    })
    .await;
    let _entered = listener.enter(&timer);
    let started = clock::now();
    let (node, index) = listener.routing();
    let mut tally = None;
    let carried = carry(
        &worker, &listener, &timer, node, index, client, &mut tally, started,
    );
    if let Err(refused) = carried.await {
        tracing::debug!(peer = %remote, address = %listener.address, %refused, "a connection was refused");
        if let Some(tally) = &mut tally {
            tally.end_with(outcome::of_refusal(&refused), None);
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "what one connection is")]
async fn carry(
    worker: &Worker,
    listener: &Listener,
    timer: &Rc<Timer>,
    node: Rc<LocalNode>,
    index: usize,
    client: Socket,
    tally: &mut Option<Tally>,
    started: Instant,
) -> Result<(), Refused> {
    let program = Rc::clone(&node);
    let program = &program.program;
    let (cluster, idle) = match program.tcp_destination(index).ok_or(Refused::NoRoute)? {
        TcpDestination::Local { cluster } => (cluster, None),
        TcpDestination::Route { service, route } => {
            let routed = &program.services[service].routes[route];
            let drawn = routed.split.draw(&mut worker.rng.borrow_mut());
            let drawn = drawn.ok_or(Refused::NoRoute)?;
            *tally = Some(node.count((service, route), &drawn, started));
            (
                routed.split.target(drawn.target).cluster,
                routed.timeouts.idle,
            )
        }
    };
    let idle = [idle, program.listeners[index].timeouts.idle];
    let idle = idle.into_iter().flatten().min();
    let mut call = Call {
        worker,
        listener,
        timer,
        node,
        client,
        cluster,
        started,
    };
    let _slot = call.wait_turn(idle).await?;
    let (endpoint, _in_flight, mut upstream) = call.connect().await?;
    let connected = clock::now();
    let ended = Tunnel {
        worker,
        listener,
        timer,
        client: &mut call.client,
        upstream: &mut upstream,
        idle,
    }
    .run()
    .await;
    let outcome = outcome::of_end(&ended);
    if let Some(outliers) = call.node.clusters[cluster].outliers() {
        match outcome.is_failure() {
            true => outliers.saw_error(&endpoint.shared, clock::now()),
            false => outliers.saw_success(&endpoint.shared),
        }
    }
    if let Some(tally) = tally {
        tally.end_with(outcome, outcome::latency(&ended, started, connected));
    }
    Ok(())
}

impl Call<'_> {
    /// A place among the listener's connections, where their number is limited.
    async fn wait_turn(&self, patience: Option<Duration>) -> Result<Option<Slot>, Refused> {
        let queued = match self.listener.pool().map(|pool| pool.turn()) {
            None => return Ok(None),
            Some(Turn::Now(slot)) => return Ok(Some(slot)),
            Some(Turn::Never) => return Err(Refused::NoTurn),
            Some(Turn::Later(queued)) => queued,
        };
        let deadline = patience.and_then(|patience| self.started.checked_add(patience));
        self.timer.set(deadline);
        let slot = self.while_wanted(Box::pin(queued.slot())).await?;
        slot.map(Some).ok_or(Refused::Cut)
    }

    async fn connect(&self) -> Result<(Rc<Endpoint>, InFlight, Socket), Refused> {
        self.timer.set(None);
        let node = Rc::clone(&self.node);
        let (cluster, settings) = (
            &node.clusters[self.cluster],
            &node.program.clusters[self.cluster],
        );
        let mut failed: Option<Rc<Endpoint>> = None;
        let mut retries = 0;
        loop {
            let picked = cluster.pick(&mut self.worker.rng.borrow_mut(), failed.as_ref());
            let endpoint = picked.ok_or_else(|| Refused::NoEndpoint {
                virtual_node: settings.virtual_node.clone(),
            })?;
            let in_flight = endpoint.begin();
            let (address, timeout) = (endpoint.shared.address, settings.connect_timeout);
            let connecting = Box::pin(outbound::connect(address, timeout, cluster.tls()));
            match self.while_wanted(connecting).await? {
                Ok(upstream) => return Ok((endpoint, in_flight, Socket::new(upstream))),
                Err(source) => {
                    if let Some(outliers) = cluster.outliers() {
                        outliers.saw_error(&endpoint.shared, clock::now());
                    }
                    if retries == CONNECT_RETRIES {
                        let endpoint = endpoint.shared.address;
                        return Err(Refused::Connect { endpoint, source });
                    }
                    // Another endpoint is tried at once; the same one needs a moment.
                    let is_same = failed.is_some_and(|failed| Rc::ptr_eq(&failed, &endpoint));
                    failed = Some(endpoint);
                    if is_same {
                        let jitter = self.worker.rng.borrow_mut().f64();
                        let pause = (PAUSE * (1 << retries)).mul_f64(jitter);
                        self.while_wanted(Box::pin(tokio::time::sleep(pause)))
                            .await?;
                    }
                    retries += 1;
                }
            }
        }
    }

    /// Does something for as long as the listener and the timer last. The client is not watched: one that
    /// has nothing more to say may still listen.
    async fn while_wanted<T>(
        &self,
        mut wanted: std::pin::Pin<Box<impl Future<Output = T>>>,
    ) -> Result<T, Refused> {
        poll_fn(|cx| {
            if let Poll::Ready(done) = wanted.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            if self.listener.is_cut() {
                return Poll::Ready(Err(Refused::Cut));
            }
            if self.timer.is_expired() {
                return Poll::Ready(Err(Refused::NoTurn));
            }
            Poll::Pending
        })
        .await
    }
}
