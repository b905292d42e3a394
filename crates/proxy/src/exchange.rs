//! Carrying one request: an endpoint, a connection, the relay, and what to do when any of them fails.
//!
//! The one place that decides about tries, turns, endpoints, pools and outliers, whichever protocol the
//! client speaks and whichever the service: those differ in how a request is relayed and a failure told,
//! which is `Downstream`. A retry keeps its arm and counts once; that there was one is counted too.

mod failure;
mod times;
mod tries;
mod waiting;

use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use view::Protocol;
use view::observe::Outcome;

use crate::access_log::Flags;
use crate::admission::{Exchange, To};
use crate::clock::{self, Instant};
use crate::endpoint::Endpoint;
use crate::fault::Injected;
use crate::http1::Malformed;
use crate::http2;
use crate::listener::Listener;
use crate::mirror;
use crate::outbound;
use crate::overload::Shed;
use crate::pool::{Queued, Slot, Turn};
use crate::proxy_protocol::{self, Ends, Header};
use crate::reply::Reply;
use crate::socket::Socket;
use crate::stream::Stream;
use crate::timers::Timer;
use crate::worker::Worker;

pub(crate) use failure::Failure;
use failure::speaks_against;
pub(crate) use times::{Expired, Times};
pub(crate) use tries::Tries;
use waiting::while_wanted;

/// For what is not in a cluster; App Mesh's for those that are.
const OUTSIDE_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Whoever a request came from and its response goes to: an HTTP/1.1 connection, an HTTP/2 stream.
pub(crate) trait Downstream {
    /// What comes after an exchange.
    type Then;

    fn worker(&self) -> &Rc<Worker>;

    fn listener(&self) -> &Rc<Listener>;

    /// Wakes the task that carries the request.
    fn timer(&self) -> &Rc<Timer>;

    /// Who connected to whom, for endpoints that are to be told.
    fn ends(&self) -> Option<Ends>;

    /// Whether the client has gone: `Ready(false)` says that it sent more instead.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<bool>;

    /// One try. An error says that nothing of a response has gone out, or that it broke off.
    async fn relay(
        &mut self,
        upstream: &mut Upstream,
        exchange: &mut Exchange,
        tries: &mut Tries,
        now: Instant,
    ) -> Result<Finished, Failure>;

    /// After a response has gone out whole.
    fn finish(&mut self, exchange: &Exchange, keeps_client: bool, now: Instant) -> Self::Then;

    /// After a switch of protocols: bytes both ways until either side has had enough.
    async fn tunnel(&mut self, upstream: Upstream, exchange: &mut Exchange) -> Self::Then;

    /// No try is left: tells the client, as far as it can still be told.
    async fn fail(
        &mut self,
        exchange: &Exchange,
        has_answered: bool,
        failure: &Failure,
    ) -> Self::Then;
}

/// What a request is sent on.
#[derive(Debug)]
pub(crate) enum Upstream {
    Http1(Socket),
    Http2(http2::Lease),
}

/// What a response that went out whole means for both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished {
    pub(crate) outcome: Outcome,
    pub(crate) keeps_client: bool,
    pub(crate) keeps_upstream: bool,
    pub(crate) is_switched: bool,
}

pub(crate) async fn carry<D: Downstream>(client: &mut D, mut exchange: Box<Exchange>) -> D::Then {
    let mut tries = Tries::default();
    if let Some(copy) = exchange.copy.take() {
        mirror::send(client, copy);
    }
    if let Some(injected) = exchange.injected.take()
        && let Err(failure) = Box::pin(suffer(client, &mut exchange, injected)).await
    {
        return fail(client, &mut exchange, &tries, &failure).await;
    }
    exchange.turn = match exchange.turn.take() {
        // In a box, as few requests wait: connections that do not keep no room for it.
        Some(Turn::Later(queued)) => match Box::pin(wait_turn(client, &exchange, queued)).await {
            Ok(slot) => Some(Turn::Now(slot)),
            Err(failure) => return fail(client, &mut exchange, &tries, &failure).await,
        },
        turn => turn,
    };
    let then = loop {
        let failure = match attempt(client, &mut exchange, &mut tries).await {
            Ok(then) => break then,
            Err(failure) => failure,
        };
        if failure.is_the_endpoints(&tries)
            && let Some((outliers, endpoint)) = exchange.outliers().zip(tries.endpoint.as_ref())
        {
            outliers.saw_error(&endpoint.shared, clock::now());
        }
        let jitter = client.worker().rng.borrow_mut().f64();
        match tries.after(&failure, &exchange, jitter) {
            None => break fail(client, &mut exchange, &tries, &failure).await,
            Some(pause) => {
                if let Some(tally) = &mut exchange.tally
                    && failure.is_the_versions(&tries)
                {
                    tally.note_retry();
                }
                if !pause.is_zero() {
                    let times = Times::of_request(&exchange, exchange.body.is_done());
                    let pausing = tokio::time::sleep(pause);
                    // In a box, as few requests pause.
                    let paused = while_wanted(client, &exchange, times, pausing);
                    if let Err(failure) = Box::pin(paused).await {
                        break fail(client, &mut exchange, &tries, &failure).await;
                    }
                }
            }
        }
    };
    client
        .worker()
        .recycle(std::mem::take(&mut exchange.request));
    then
}

/// Bears a fault that was made on purpose: never tried again.
async fn suffer<D: Downstream>(
    client: &mut D,
    exchange: &mut Exchange,
    injected: Injected,
) -> Result<(), Failure> {
    if let Some(delay) = injected.delay {
        if let Some(log) = &mut exchange.log {
            log.flags = Flags::DELAYED;
        }
        let delaying = tokio::time::sleep(delay);
        while_wanted(client, exchange, Times::unlimited(), delaying).await?;
    }
    match injected.abort {
        Some(status) => Err(Failure::Injected { status }),
        None => Ok(()),
    }
}

async fn wait_turn<D: Downstream>(
    client: &mut D,
    exchange: &Exchange,
    queued: Queued,
) -> Result<Slot, Failure> {
    let times = Times::of_request(exchange, true);
    match while_wanted(client, exchange, times, queued.slot()).await {
        Ok(slot) => slot.ok_or(Failure::Cut),
        Err(Failure::Timeout) => Err(Failure::NoTurn),
        Err(other) => Err(other),
    }
}

async fn attempt<D: Downstream>(
    client: &mut D,
    exchange: &mut Exchange,
    tries: &mut Tries,
) -> Result<D::Then, Failure> {
    let endpoint = match &exchange.to {
        To::Cluster(index) => pick(client.worker(), exchange, *index, tries)?,
        // In a box, as few requests leave the mesh.
        To::Outside { host, port } => Box::pin(find_outside(client, exchange, host, *port)).await?,
    };
    let _in_flight = endpoint.begin();
    tries.endpoint = Some(Rc::clone(&endpoint));
    if let Some(log) = &mut exchange.log {
        log.upstream = Some(endpoint.shared.address);
    }

    let pooled = if speaks_http2(exchange) {
        None
    } else {
        check_out(exchange, &endpoint, tries)
    };
    tries.was_pooled = pooled.is_some();
    let (mut upstream, now) = match pooled {
        Some(upstream) if tries.retries == 0 => (Upstream::Http1(upstream), exchange.started),
        Some(upstream) => (Upstream::Http1(upstream), clock::now()),
        None if speaks_http2(exchange) => {
            let times = Times::of_request(exchange, exchange.body.is_done());
            let leasing = lease(exchange, &endpoint, tries);
            let lease = while_wanted(client, exchange, times, leasing).await??;
            (lease, clock::now())
        }
        None => {
            let header = announcement(client, exchange);
            let times = Times::of_request(exchange, exchange.body.is_done());
            let connecting = connect(exchange, &endpoint, header);
            // In a box: connections keep no room for what is done once in a while.
            let connected = Box::pin(while_wanted(client, exchange, times, connecting)).await?;
            (Upstream::Http1(Socket::new(connected?)), clock::now())
        }
    };

    let finished = client.relay(&mut upstream, exchange, tries, now).await?;
    let now = clock::now();
    if let Some(tally) = &mut exchange.tally {
        tally.end(finished.outcome, now);
    }
    match exchange.outliers() {
        Some(outliers) if speaks_against(finished.outcome) => {
            outliers.saw_error(&endpoint.shared, now);
        }
        Some(outliers) => outliers.saw_success(&endpoint.shared),
        None => {}
    }
    if finished.is_switched {
        return Ok(client.tunnel(upstream, exchange).await);
    }
    // Who announced a client carries no other's requests.
    let keeps_upstream = finished.keeps_upstream && exchange.announces().is_none();
    if let (Upstream::Http1(socket), true) = (upstream, keeps_upstream) {
        match exchange.pool() {
            Some(pool) => pool.check_in(socket, endpoint.shared.address, now),
            None => endpoint.check_in(socket, now),
        }
    }
    Ok(client.finish(exchange, finished.keeps_client, now))
}

fn speaks_http2(exchange: &Exchange) -> bool {
    match exchange.to {
        To::Cluster(cluster) => matches!(
            exchange.node.program.clusters[cluster].protocol,
            Protocol::Http2 | Protocol::Grpc
        ),
        To::Outside { .. } => false,
    }
}

/// An HTTP/1.1 connection that is open already.
fn check_out(exchange: &Exchange, endpoint: &Endpoint, tries: &Tries) -> Option<Socket> {
    match exchange.pool() {
        Some(pool) if tries.shuns_pool => {
            pool.clear();
            None
        }
        Some(pool) => pool.check_out(endpoint.shared.address),
        None if tries.shuns_pool => None,
        None => endpoint.check_out(),
    }
}

/// Room for a stream on an HTTP/2 connection, which is opened if need be.
async fn lease(
    exchange: &Exchange,
    endpoint: &Rc<Endpoint>,
    tries: &mut Tries,
) -> Result<Upstream, Failure> {
    let address = endpoint.shared.address;
    let header = exchange
        .announces()
        .map(|version| proxy_protocol::header(version, Header::Own));
    let connecting = || connect(exchange, endpoint, header.clone());
    let leased = endpoint
        .channels
        .lease(address, tries.shuns_pool, connecting);
    let (lease, was_open) = leased.await?;
    tries.was_pooled = was_open;
    if exchange.client.wants_websocket() && !lease.takes_websockets().await? {
        return Err(Failure::NoWebSocket);
    }
    Ok(Upstream::Http2(lease))
}

fn pick(
    worker: &Worker,
    exchange: &Exchange,
    cluster: usize,
    tries: &Tries,
) -> Result<Rc<Endpoint>, Failure> {
    exchange.node.clusters[cluster]
        .pick(&mut worker.rng.borrow_mut(), &tries.failed)
        .ok_or_else(|| no_endpoint(exchange, cluster))
}

async fn find_outside<D: Downstream>(
    client: &mut D,
    exchange: &Exchange,
    host: &str,
    port: u16,
) -> Result<Rc<Endpoint>, Failure> {
    let worker = Rc::clone(client.worker());
    let times = Times::of_request(exchange, exchange.body.is_done());
    let resolving = worker.outside.endpoint(host, port);
    let resolved = while_wanted(client, exchange, times, resolving).await?;
    let endpoint = resolved.map_err(|source| Failure::Resolve {
        host: host.to_owned(),
        source,
    })?;
    if worker.forwards_from(endpoint.shared.address) {
        return Err(Failure::Loop {
            authority: format!("{host}:{port}"),
        });
    }
    Ok(endpoint)
}

fn no_endpoint(exchange: &Exchange, cluster: usize) -> Failure {
    let program = &exchange.node.program;
    let name = program.clusters[cluster].virtual_node.clone();
    match program.refusal(cluster) {
        None => Failure::NoEndpoint { cluster: name },
        Some(refusal) => Failure::Unsupported {
            cluster: name,
            reason: refusal.reason.clone(),
        },
    }
}

/// What a connection for this client alone begins with, if its endpoint is to be told who that is.
fn announcement<D: Downstream>(client: &D, exchange: &Exchange) -> Option<Vec<u8>> {
    let version = exchange.announces()?;
    let header = client.ends().map_or(Header::Own, Header::Relayed);
    Some(proxy_protocol::header(version, header))
}

/// A connection to `endpoint`, within the time that its cluster allows.
fn connect(
    exchange: &Exchange,
    endpoint: &Endpoint,
    header: Option<Vec<u8>>,
) -> impl Future<Output = Result<Stream, Failure>> + use<> {
    let address = endpoint.shared.address;
    let node = Rc::clone(&exchange.node);
    let cluster = match exchange.to {
        To::Cluster(cluster) => Some(cluster),
        To::Outside { .. } => None,
    };
    async move {
        let (timeout, tls) = match cluster {
            Some(cluster) => (
                node.program.clusters[cluster].connect_timeout,
                node.clusters[cluster].tls(),
            ),
            None => (OUTSIDE_CONNECT_TIMEOUT, None),
        };
        let connected = outbound::connect(address, timeout, tls, header.as_deref()).await;
        connected.map_err(|source| Failure::Connect {
            endpoint: address.to_string(),
            source,
        })
    }
}

async fn fail<D: Downstream>(
    client: &mut D,
    exchange: &mut Exchange,
    tries: &Tries,
    failure: &Failure,
) -> D::Then {
    let now = clock::now();
    if let Failure::BadBody(Malformed::BodyTooLong) = failure {
        Shed::one(&client.worker().shed.bodies);
    }
    if let Some(tally) = &mut exchange.tally {
        tally.end(failure.outcome(), now);
    }
    let retries_used_up = tries.are_used_up(exchange);
    if let Some(log) = &mut exchange.log {
        log.flags = Flags::of_failure(failure, retries_used_up);
        if let Some(status) = failure.status().filter(|_| !tries.has_answered) {
            log.answered_here(&Reply::new(status, failure), log.flags);
        }
    }
    client.fail(exchange, tries.has_answered, failure).await
}

/// How an answer of this status counts.
pub(crate) fn outcome_of(status: u16) -> Outcome {
    match status {
        ..300 => Outcome::Success,
        300..400 => Outcome::Redirect,
        400..500 => Outcome::ClientError,
        500.. => Outcome::ServerError,
    }
}
