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

use view::ProxyVersion;
use view::observe::Outcome;

use crate::access_log::{Entry, Flags};
use crate::clock::{self, Instant};
use crate::counters::Tally;
use crate::endpoint::{Endpoint, InFlight};
use crate::inbound::{Inbound, Peer};
use crate::listener::Listener;
use crate::node::LocalNode;
use crate::outbound;
use crate::overload::Admitted;
use crate::pool::{Slot, Turn};
use crate::proxy_protocol::{self, Header};
use crate::route::program::TcpDestination;
use crate::socket::Socket;
use crate::timers::Timer;
use crate::tunnel::{Ended, Tunnel};
use crate::worker::Worker;

/// App Mesh has no retries for TCP; these are the number and the pauses of its hidden ones for HTTP.
const CONNECT_RETRIES: u32 = 2;
const PAUSE: Duration = Duration::from_millis(25);

/// Why a connection reached nobody.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
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

/// A connection whose arm has been drawn.
struct Call {
    worker: Rc<Worker>,
    listener: Rc<Listener>,
    timer: Rc<Timer>,
    client: Socket,
    peer: Peer,
    node: Rc<LocalNode>,
    cluster: usize,
    tally: Option<Tally>,
    idle: Option<Duration>,
    started: Instant,
    _admitted: Admitted,
    /// Its line in the listener's access log.
    log: Option<Box<Entry>>,
}

/// Carries one connection to its end, after its PROXY header and its TLS handshake.
pub(crate) async fn serve(worker: Rc<Worker>, listener: Rc<Listener>, inbound: Inbound) {
    let timer = worker.timers.timer();
    poll_fn(|cx| {
        timer.wakes(cx.waker());
        Poll::Ready(())
    })
    .await;
    let entered = listener.enter(&timer);
    let (remote, address) = (inbound.peer.remote, listener.address);
    let carried = match Call::begin(worker, listener, timer, inbound) {
        Ok(mut call) => call.carry().await,
        Err(refused) => Err(refused),
    };
    if let Err(refused) = carried {
        tracing::debug!(%remote, %address, %refused, "a connection was refused");
    }
    drop(entered);
}

impl Call {
    fn begin(
        worker: Rc<Worker>,
        listener: Rc<Listener>,
        timer: Rc<Timer>,
        inbound: Inbound,
    ) -> Result<Self, Refused> {
        let started = clock::now();
        let Inbound {
            stream,
            early,
            peer,
            admitted,
            ..
        } = inbound;
        let client = Socket::with_unread(stream, early);
        let (node, index) = listener.routing();
        let program = &node.program;
        let mut log = node
            .log(index)
            .map(|log| log.begin(started, None, |_| None));
        if let Some(log) = &mut log {
            log.client = Some(peer.remote);
            // Until one has been found.
            log.flags = Flags::NO_ROUTE;
        }
        let destination = program.tcp_destination(index).ok_or(Refused::NoRoute)?;
        let (cluster, tally, idle) = match destination {
            TcpDestination::Local { cluster } => (cluster, None, None),
            TcpDestination::Route { service, route } => {
                let routed = &program.services[service].routes[route];
                let drawn = routed.split.draw(&mut worker.rng.borrow_mut());
                let drawn = drawn.ok_or(Refused::NoRoute)?;
                let tally = node.count((service, route), &drawn, false, started);
                let cluster = routed.split.target(drawn.target).cluster;
                (cluster, Some(tally), routed.timeouts.idle)
            }
        };
        if let Some(log) = &mut log {
            log.cluster = Some(program.clusters[cluster].name.clone());
        }
        let idle = [idle, program.listeners[index].timeouts.idle];
        Ok(Self {
            idle: idle.into_iter().flatten().min(),
            worker,
            listener,
            timer,
            client,
            peer,
            node,
            cluster,
            tally,
            started,
            _admitted: admitted,
            log,
        })
    }

    async fn carry(&mut self) -> Result<(), Refused> {
        let reached = match self.wait_turn().await {
            Ok(slot) => self.connect().await.map(|reached| (slot, reached)),
            Err(refused) => Err(refused),
        };
        let (_slot, (endpoint, _in_flight, upstream)) = reached.inspect_err(|refused| {
            if let Some(tally) = &mut self.tally {
                tally.end_with(outcome::of_refusal(refused), None);
            }
            if let Some(log) = &mut self.log {
                log.flags = Flags::of_refusal(refused);
            }
        })?;
        let connected = clock::now();
        let ended = self.pass(upstream).await;
        if let Some(log) = &mut self.log {
            log.flags = Flags::of_end(&ended.how);
        }
        let outcome = outcome::of_end(&ended);
        if let Some(outliers) = self.node.clusters[self.cluster].outliers() {
            match outcome {
                Outcome::Success => outliers.saw_success(&endpoint.shared),
                Outcome::Cancelled => {}
                _ => outliers.saw_error(&endpoint.shared, clock::now()),
            }
        }
        if let Some(tally) = &mut self.tally {
            tally.end_with(outcome, outcome::latency(&ended, self.started, connected));
        }
        Ok(())
    }

    async fn pass(&mut self, mut upstream: Socket) -> Ended {
        let mut tunnel = Tunnel {
            worker: &self.worker,
            listener: &self.listener,
            timer: &self.timer,
            client: &mut self.client,
            upstream: &mut upstream,
            idle: self.idle,
            log: self.log.as_deref_mut(),
        };
        tunnel.run().await
    }

    /// A place among the listener's connections, where their number is limited.
    async fn wait_turn(&self) -> Result<Option<Slot>, Refused> {
        let queued = match self.listener.pool().map(|pool| pool.turn()) {
            None => return Ok(None),
            Some(Turn::Now(slot)) => return Ok(Some(slot)),
            Some(Turn::Never) => return Err(Refused::NoTurn),
            Some(Turn::Later(queued)) => queued,
        };
        let deadline = self.idle.and_then(|idle| self.started.checked_add(idle));
        self.timer.set(deadline);
        let slot = self.while_wanted(Box::pin(queued.slot())).await?;
        slot.map(Some).ok_or(Refused::Cut)
    }

    async fn connect(&mut self) -> Result<(Rc<Endpoint>, InFlight, Socket), Refused> {
        self.timer.set(None);
        let cluster = &self.node.clusters[self.cluster];
        let settings = &self.node.program.clusters[self.cluster];
        let header = settings
            .sends_proxy_header
            .map(|version| self.announce(version));
        let mut failed: Vec<Rc<Endpoint>> = Vec::new();
        let mut retries = 0;
        loop {
            let picked = cluster.pick(&mut self.worker.rng.borrow_mut(), &failed);
            let endpoint = picked.ok_or_else(|| Refused::NoEndpoint {
                virtual_node: settings.virtual_node.clone(),
            })?;
            let in_flight = endpoint.begin();
            if let Some(log) = &mut self.log {
                log.upstream = Some(endpoint.shared.address);
            }
            let connecting = outbound::connect(
                endpoint.shared.address,
                settings.connect_timeout,
                cluster.tls(),
                header.as_deref(),
            );
            let source = match self.while_wanted(Box::pin(connecting)).await? {
                Ok(upstream) => return Ok((endpoint, in_flight, Socket::new(upstream))),
                Err(source) => source,
            };
            if let Some(outliers) = cluster.outliers() {
                outliers.saw_error(&endpoint.shared, clock::now());
            }
            if retries == CONNECT_RETRIES {
                let endpoint = endpoint.shared.address;
                return Err(Refused::Connect { endpoint, source });
            }
            // Another endpoint is tried at once; the same one needs a moment.
            let is_same = failed.iter().any(|failed| Rc::ptr_eq(failed, &endpoint));
            failed.push(endpoint);
            if is_same {
                let jitter = self.worker.rng.borrow_mut().f64();
                let pause = (PAUSE * (1 << retries)).mul_f64(jitter);
                let pausing = Box::pin(tokio::time::sleep(pause));
                self.while_wanted(pausing).await?;
            }
            retries += 1;
        }
    }

    /// What the endpoint is told of who connected.
    fn announce(&self, version: ProxyVersion) -> Vec<u8> {
        let header = match self.client.local_address() {
            Ok(local) => Header::Relayed(self.peer.ends(local)),
            Err(_) => Header::Own,
        };
        proxy_protocol::header(version, header)
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
