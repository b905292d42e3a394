//! Carrying one request: an endpoint, a connection, the relay, and what to do when any of them fails.
//!
//! A retry keeps its arm and counts once. A request goes out again only while nobody has seen any of
//! its response and all of it is at hand; without a policy, only where it certainly or harmlessly was
//! not processed: on a pooled connection that turned out to be closed. Retries have a budget.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use view::RetryPolicy;
use view::observe::Outcome;

use crate::admission::{Exchange, To};
use crate::budget::Retrying;
use crate::clock::{self, Instant};
use crate::cluster::LocalCluster;
use crate::connection::{Connection, Then};
use crate::endpoint::Endpoint;
use crate::http1::Malformed;
use crate::http1::response::ResponseHead;
use crate::outbound;
use crate::pool::{Queued, Slot, Turn};
use crate::relay::{Finished, Relay};
use crate::reply::Reply;
use crate::socket::Socket;
use crate::tunnel;

/// For what is not in a cluster; App Mesh's for those that are.
const OUTSIDE_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a try got no response through to the client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{cluster} has no endpoint")]
    NoEndpoint { cluster: String },
    #[error("nothing can be sent to {cluster}: {reason}")]
    Unsupported { cluster: String, reason: String },
    #[error("cannot resolve {host}: {source}")]
    Resolve { host: String, source: io::Error },
    #[error("{authority} leads back to this listener")]
    Loop { authority: String },
    #[error("cannot connect to {endpoint}: {source}")]
    Connect { endpoint: String, source: io::Error },
    #[error("the connection to the service broke before it answered")]
    Broken { unsent: bool },
    #[error("the service's answer was not valid: {0}")]
    BadResponse(Malformed),
    #[error("the service answered {0}, which is retried")]
    RetriedStatus(u16),
    #[error("the service did not answer in time")]
    TryTimeout,
    #[error("the service did not answer in time")]
    Timeout,
    #[error("as many requests were under way as the listener's connection pool allows")]
    NoTurn,
    #[error("the request's body is not valid: {0}")]
    BadBody(Malformed),
    #[error("the client stopped in the middle")]
    ClientStalled,
    #[error("the client went away")]
    Cancelled,
    #[error("the proxy is stopping")]
    Cut,
}

impl Failure {
    fn outcome(&self) -> Outcome {
        match self {
            Self::NoEndpoint { .. }
            | Self::Unsupported { .. }
            | Self::Resolve { .. }
            | Self::Loop { .. }
            | Self::Connect { .. } => Outcome::Unavailable,
            Self::Broken { .. } | Self::BadResponse(_) => Outcome::Reset,
            Self::RetriedStatus(_) => Outcome::ServerError,
            Self::TryTimeout | Self::Timeout | Self::NoTurn => Outcome::Timeout,
            Self::BadBody(_) | Self::ClientStalled | Self::Cancelled | Self::Cut => {
                Outcome::Cancelled
            }
        }
    }

    /// As Envoy answers; `None` where there is nobody to answer.
    fn status(&self) -> Option<u16> {
        match self {
            Self::NoEndpoint { .. }
            | Self::Unsupported { .. }
            | Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Broken { .. }
            | Self::RetriedStatus(_) => Some(503),
            Self::ClientStalled => Some(408),
            Self::Loop { .. } => Some(508),
            Self::BadResponse(_) => Some(502),
            Self::TryTimeout | Self::Timeout | Self::NoTurn => Some(504),
            Self::BadBody(malformed) => Some(malformed.status()),
            Self::Cancelled | Self::Cut => None,
        }
    }

    /// Whether the service has worked on the request, so that trying again is work once more.
    fn was_work(&self) -> bool {
        matches!(self, Self::RetriedStatus(_) | Self::TryTimeout)
    }

    /// Whether it speaks against the endpoint. A pooled connection may have been closed in good order.
    fn is_the_endpoints(&self, tries: &Tries) -> bool {
        match self {
            Self::Connect { .. } | Self::BadResponse(_) | Self::TryTimeout | Self::Timeout => true,
            Self::Broken { .. } => !tries.was_pooled || tries.has_answered,
            Self::RetriedStatus(status) => is_server_error(*status),
            _ => false,
        }
    }

    fn is_retried_by(&self, policy: &RetryPolicy) -> bool {
        match self {
            Self::Connect { .. } => policy.on.connect_failure,
            Self::Broken { .. } | Self::TryTimeout => policy.on.reset,
            Self::RetriedStatus(_) => true,
            _ => false,
        }
    }
}

/// The tries of one request.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    retries: u32,
    /// The endpoint that failed last.
    avoid: Option<Rc<Endpoint>>,
    /// The pool has let this request down once; it gets a connection of its own.
    shuns_pool: bool,
    /// The last try took its connection from the pool.
    was_pooled: bool,
    /// Its place in the retry budget, once it has needed one.
    retrying: Option<Retrying>,
    /// The client has seen part of a response.
    pub(crate) has_answered: bool,
}

impl Tries {
    /// Whether a response is thrown away for another try.
    pub(crate) fn retries_answer(
        &mut self,
        exchange: &Exchange,
        head: &ResponseHead<'_, '_>,
    ) -> bool {
        let by_policy = |policy: &RetryPolicy| {
            self.retries < policy.max_retries && policy.on.status_codes.contains(&head.status)
        };
        exchange.is_replayable
            && !self.has_answered
            && exchange.retry().is_some_and(by_policy)
            && !head.says_overloaded()
            && self.is_within_budget(exchange)
    }

    /// A request that is being retried keeps its place in the budget to its end.
    fn is_within_budget(&mut self, exchange: &Exchange) -> bool {
        if self.retrying.is_none() {
            self.retrying = exchange.cluster().and_then(LocalCluster::begin_retry);
        }
        self.retrying.is_some()
    }

    /// Whether to try again, and after what pause.
    fn after(&mut self, failure: &Failure, exchange: &Exchange, jitter: f64) -> Option<Duration> {
        if self.has_answered || !exchange.is_replayable {
            return None;
        }
        if let Failure::Broken { unsent } = failure
            && self.was_pooled
            && (*unsent || exchange.is_idempotent)
        {
            self.shuns_pool = true;
            return Some(Duration::ZERO);
        }
        let policy = exchange.retry()?;
        if self.retries >= policy.max_retries
            || !failure.is_retried_by(policy)
            || (failure.was_work() && !self.is_within_budget(exchange))
        {
            return None;
        }
        let pause = policy
            .backoff_base
            .saturating_mul(1 << self.retries.min(16));
        self.retries += 1;
        Some(pause.min(policy.backoff_max).mul_f64(jitter))
    }
}

pub(crate) async fn carry(connection: &mut Connection, mut exchange: Box<Exchange>) -> Then {
    let mut tries = Tries::default();
    exchange.turn = match exchange.turn.take() {
        // In a box, as few requests wait: connections that do not keep no room for it.
        Some(Turn::Later(queued)) => {
            match Box::pin(wait_turn(connection, &exchange, queued)).await {
                Ok(slot) => Some(Turn::Now(slot)),
                Err(failure) => return fail(connection, &mut exchange, &tries, &failure).await,
            }
        }
        turn => turn,
    };
    let then = loop {
        let failure = match attempt(connection, &mut exchange, &mut tries).await {
            Ok(then) => break then,
            Err(failure) => failure,
        };
        if failure.is_the_endpoints(&tries)
            && let Some((outliers, endpoint)) = exchange.outliers().zip(tries.avoid.as_ref())
        {
            outliers.saw_error(&endpoint.shared, clock::now());
        }
        let jitter = connection.worker.rng.borrow_mut().f64();
        match tries.after(&failure, &exchange, jitter) {
            None => break fail(connection, &mut exchange, &tries, &failure).await,
            Some(pause) if pause.is_zero() => {}
            Some(pause) => tokio::time::sleep(pause).await,
        }
    };
    connection
        .worker
        .recycle(std::mem::take(&mut exchange.request));
    then
}

/// Waits as long as the request's time, its client and the listener last.
async fn wait_turn(
    connection: &mut Connection,
    exchange: &Exchange,
    queued: Queued,
) -> Result<Slot, Failure> {
    let until = deadline(exchange.started, exchange.per_request);
    connection.timer.set(until);
    let mut slot = pin!(queued.slot());
    let mut watches_client = exchange.body.is_done();
    poll_fn(|cx| {
        if let Poll::Ready(slot) = slot.as_mut().poll(cx) {
            return Poll::Ready(slot.ok_or(Failure::Cut));
        }
        if connection.listener.is_cut() {
            return Poll::Ready(Err(Failure::Cut));
        }
        if connection.timer.is_expired() {
            return Poll::Ready(Err(Failure::NoTurn));
        }
        if watches_client {
            match connection.client.poll_gone(cx) {
                Poll::Ready(true) => return Poll::Ready(Err(Failure::Cancelled)),
                Poll::Ready(false) => watches_client = false,
                Poll::Pending => {}
            }
        }
        Poll::Pending
    })
    .await
}

async fn attempt(
    connection: &mut Connection,
    exchange: &mut Exchange,
    tries: &mut Tries,
) -> Result<Then, Failure> {
    let endpoint = find_endpoint(connection, exchange, tries).await?;
    let _in_flight = endpoint.begin();
    tries.avoid = Some(Rc::clone(&endpoint));

    let pooled = match exchange.pool() {
        Some(pool) if tries.shuns_pool => {
            pool.clear();
            None
        }
        Some(pool) => pool.check_out(endpoint.shared.address),
        None if tries.shuns_pool => None,
        None => endpoint.check_out(),
    };
    tries.was_pooled = pooled.is_some();
    let (mut upstream, now) = match pooled {
        Some(upstream) if tries.retries == 0 => (upstream, exchange.started),
        Some(upstream) => (upstream, clock::now()),
        None => (connect(exchange, &endpoint).await?, clock::now()),
    };

    let relay = Relay::new(connection, &mut upstream, exchange, tries, now);
    let Finished {
        status,
        keeps_client,
        keeps_upstream,
        is_switched,
    } = relay.run().await?;
    let now = clock::now();
    if let Some(tally) = &mut exchange.tally {
        tally.end(outcome_of(status), now);
    }
    match exchange.outliers() {
        Some(outliers) if is_server_error(status) => outliers.saw_error(&endpoint.shared, now),
        Some(outliers) => outliers.saw_success(&endpoint.shared),
        None => {}
    }
    if is_switched {
        tunnel::run(connection, upstream).await;
        return Ok(Then::Close);
    }
    if keeps_upstream {
        match exchange.pool() {
            Some(pool) => pool.check_in(upstream, endpoint.shared.address, now),
            None => endpoint.check_in(upstream, now),
        }
    }
    if keeps_client {
        connection.client.release_memory();
        connection
            .timer
            .set(now.checked_add(connection.worker.limits.keep_alive));
        Ok(Then::NextRequest)
    } else {
        Ok(Then::closing(exchange))
    }
}

async fn find_endpoint(
    connection: &Connection,
    exchange: &Exchange,
    tries: &Tries,
) -> Result<Rc<Endpoint>, Failure> {
    let worker = &connection.worker;
    match &exchange.to {
        To::Cluster(index) => exchange.node.clusters[*index]
            .pick(&mut worker.rng.borrow_mut(), tries.avoid.as_ref())
            .ok_or_else(|| no_endpoint(exchange, *index)),
        To::Outside { host, port } => {
            let endpoint = worker
                .outside
                .endpoint(host, *port)
                .await
                .map_err(|source| Failure::Resolve {
                    host: host.clone(),
                    source,
                })?;
            if worker.forwards_from(endpoint.shared.address) {
                return Err(Failure::Loop {
                    authority: format!("{host}:{port}"),
                });
            }
            Ok(endpoint)
        }
    }
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

async fn connect(exchange: &Exchange, endpoint: &Endpoint) -> Result<Socket, Failure> {
    let (timeout, tls) = match exchange.to {
        To::Cluster(cluster) => (
            exchange.node.program.clusters[cluster].connect_timeout,
            exchange.node.clusters[cluster].tls(),
        ),
        To::Outside { .. } => (OUTSIDE_CONNECT_TIMEOUT, None),
    };
    let address = endpoint.shared.address;
    let stream = outbound::connect(address, timeout, tls)
        .await
        .map_err(|source| Failure::Connect {
            endpoint: address.to_string(),
            source,
        })?;
    Ok(Socket::new(stream))
}

async fn fail(
    connection: &mut Connection,
    exchange: &mut Exchange,
    tries: &Tries,
    failure: &Failure,
) -> Then {
    let now = clock::now();
    if let Some(tally) = &mut exchange.tally {
        tally.end(failure.outcome(), now);
    }
    match failure.status() {
        Some(status) if !tries.has_answered => {
            let client = exchange.client;
            let keeps = client.keeps_alive && exchange.body.is_done();
            let then = if keeps && !connection.listener.is_draining() {
                Then::NextRequest
            } else {
                Then::closing(exchange)
            };
            connection
                .answer(&Reply::new(status, failure), client, then)
                .await
        }
        _ => Then::Close,
    }
}

impl Then {
    fn closing(exchange: &Exchange) -> Self {
        if exchange.client.keeps_alive || !exchange.body.is_done() {
            Self::Linger
        } else {
            Self::Close
        }
    }
}

fn is_server_error(status: u16) -> bool {
    outcome_of(status) == Outcome::ServerError
}

fn outcome_of(status: u16) -> Outcome {
    match status {
        ..300 => Outcome::Success,
        300..400 => Outcome::Redirect,
        400..500 => Outcome::ClientError,
        500.. => Outcome::ServerError,
    }
}

/// When a request's time is up, if it has a limit.
pub(crate) fn deadline(from: Instant, limit: Option<Duration>) -> Option<Instant> {
    from.checked_add(limit?)
}
