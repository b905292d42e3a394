//! Carrying one request: an endpoint, a connection, the relay, and what to do when any of them fails.
//!
//! A retry keeps its arm and counts once. A request goes out again only while nobody has seen any of
//! its response and all of it is at hand; without a policy, only where it certainly or harmlessly was
//! not processed: on a pooled connection that turned out to be closed.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;
use view::RetryPolicy;
use view::observe::Outcome;

use crate::admission::{Exchange, To};
use crate::clock::{self, Instant};
use crate::connection::{Connection, Then};
use crate::endpoint::Endpoint;
use crate::http1::Malformed;
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
            | Self::Resolve { .. }
            | Self::Loop { .. }
            | Self::Connect { .. } => Outcome::Unavailable,
            Self::Broken { .. } | Self::BadResponse(_) => Outcome::Reset,
            Self::RetriedStatus(_) => Outcome::ServerError,
            Self::TryTimeout | Self::Timeout => Outcome::Timeout,
            Self::BadBody(_) | Self::ClientStalled | Self::Cancelled | Self::Cut => {
                Outcome::Cancelled
            }
        }
    }

    /// As Envoy answers; `None` where there is nobody to answer.
    fn status(&self) -> Option<u16> {
        match self {
            Self::NoEndpoint { .. }
            | Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Broken { .. }
            | Self::RetriedStatus(_) => Some(503),
            Self::ClientStalled => Some(408),
            Self::Loop { .. } => Some(508),
            Self::BadResponse(_) => Some(502),
            Self::TryTimeout | Self::Timeout => Some(504),
            Self::BadBody(malformed) => Some(malformed.status()),
            Self::Cancelled | Self::Cut => None,
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
    /// The client has seen part of a response.
    pub(crate) has_answered: bool,
}

impl Tries {
    /// Whether a response of this status is thrown away for another try.
    pub(crate) fn retries_status(&self, exchange: &Exchange, status: u16) -> bool {
        exchange.is_replayable
            && !self.has_answered
            && exchange.retry().is_some_and(|policy| {
                self.retries < policy.max_retries && policy.on.status_codes.contains(&status)
            })
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
        if self.retries >= policy.max_retries || !failure.is_retried_by(policy) {
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
    let then = loop {
        let failure = match attempt(connection, &mut exchange, &mut tries).await {
            Ok(then) => break then,
            Err(failure) => failure,
        };
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

async fn attempt(
    connection: &mut Connection,
    exchange: &mut Exchange,
    tries: &mut Tries,
) -> Result<Then, Failure> {
    let endpoint = find_endpoint(connection, exchange, tries).await?;
    let _in_flight = endpoint.begin();
    tries.avoid = Some(Rc::clone(&endpoint));

    let pooled = if tries.shuns_pool {
        None
    } else {
        endpoint.check_out()
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
    if is_switched {
        tunnel::run(connection, upstream).await;
        return Ok(Then::Close);
    }
    if keeps_upstream {
        endpoint.check_in(upstream, now);
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
        To::Cluster(cluster) => exchange.node.clusters[*cluster]
            .pick(&mut worker.rng.borrow_mut(), tries.avoid.as_ref())
            .ok_or_else(|| Failure::NoEndpoint {
                cluster: exchange.node.program.clusters[*cluster]
                    .virtual_node
                    .clone(),
            }),
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

async fn connect(exchange: &Exchange, endpoint: &Endpoint) -> Result<Socket, Failure> {
    let timeout = match exchange.to {
        To::Cluster(cluster) => exchange.node.program.clusters[cluster].connect_timeout,
        To::Outside { .. } => OUTSIDE_CONNECT_TIMEOUT,
    };
    let address = endpoint.shared.address;
    let connected = tokio::time::timeout(timeout, TcpStream::connect(address)).await;
    let stream = connected
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
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
