//! From bytes to an exchange: a request's head is read, routed, its arm drawn, and rewritten.
//!
//! All of it happens in one go, while the head lies in the scratch buffer; what outlives that is owned
//! by the exchange. Nothing is added to a request: neither `via`, which Envoy does not add either, nor
//! Envoy's `x-request-id`, `x-forwarded-*` and `x-envoy-*`, which nothing in a mesh needs to work.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use view::{ProxyVersion, RetryPolicy};

use crate::clock::{self, Instant};
use crate::cluster::LocalCluster;
use crate::counters::Tally;
use crate::grpc::Grpc;
use crate::http1::request::{self, RequestHead};
use crate::http1::{Body, Malformed, fields};
use crate::listener::Listener;
use crate::node::LocalNode;
use crate::outlier::Outliers;
use crate::pool::{Pool, Turn};
use crate::reply::Reply;
use crate::route::{Asked, Destination, path};
use crate::split::By;
use crate::translate::Replay;
use crate::worker::Worker;

/// A request that has been admitted, until its response has ended.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The view it began with, and ends with.
    pub(crate) node: Rc<LocalNode>,
    pub(crate) to: To,
    /// The service and route that sent it there.
    route: Option<(usize, usize)>,
    pub(crate) tally: Option<Tally>,
    /// A line that the response's head gets: who is new to a sticky split is given a cookie.
    pub(crate) set_cookie: Option<String>,
    /// Its place among the listener's requests, where their number is limited.
    pub(crate) turn: Option<Turn>,
    pub(crate) client: Client,
    /// What is sent first: the rewritten head, and what has come of the body.
    pub(crate) request: Vec<u8>,
    /// What of the body is still to come.
    pub(crate) body: Body,
    /// The body as the head frames it.
    pub(crate) framing: Body,
    /// How much of `request` is head.
    pub(crate) head_length: usize,
    /// What has come of the body, where the two sides speak different protocols.
    pub(crate) replay: Option<Replay>,
    /// `request` is all there is.
    is_whole: bool,
    /// What a gRPC client says about its call.
    pub(crate) grpc: Option<Grpc>,
    pub(crate) is_idempotent: bool,
    pub(crate) started: Instant,
    pub(crate) per_request: Option<Duration>,
    pub(crate) idle: Option<Duration>,
}

#[derive(Debug)]
pub(crate) enum To {
    /// An index into the node's clusters.
    Cluster(usize),
    Outside {
        host: String,
        port: u16,
    },
}

/// What a response must know of the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) is_11: bool,
    pub(crate) to_head: bool,
    pub(crate) keeps_alive: bool,
    pub(crate) wants_websocket: bool,
}

#[derive(Debug)]
pub(crate) enum Admission {
    /// To be carried; the exchange took `length` bytes.
    Carry {
        exchange: Box<Exchange>,
        length: usize,
    },
    /// To be answered at once. `length`: where the next request starts, `None` if nobody can tell.
    Answer {
        reply: Reply,
        client: Client,
        length: Option<usize>,
    },
}

impl Client {
    /// What is assumed of one whose request could not be read.
    pub(crate) const UNKNOWN: Self = Self {
        is_11: true,
        to_head: false,
        keeps_alive: false,
        wants_websocket: false,
    };

    fn of(head: &RequestHead<'_, '_>) -> Self {
        Self {
            is_11: head.is_11,
            to_head: head.method == "HEAD",
            keeps_alive: head.keeps_alive(),
            wants_websocket: head.fields.websocket,
        }
    }
}

impl Exchange {
    /// Whether its endpoint is to be told who connected, and how.
    pub(crate) fn announces(&self) -> Option<ProxyVersion> {
        match self.to {
            To::Cluster(cluster) => self.node.program.clusters[cluster].sends_proxy_header,
            To::Outside { .. } => None,
        }
    }

    pub(crate) fn cluster(&self) -> Option<&LocalCluster> {
        match self.to {
            To::Cluster(cluster) => Some(&self.node.clusters[cluster]),
            To::Outside { .. } => None,
        }
    }

    /// Who is to be told how the endpoint did.
    pub(crate) fn outliers(&self) -> Option<&Outliers> {
        self.cluster()?.outliers()
    }

    /// Who keeps the connections to the application, where that is not this worker alone.
    pub(crate) fn pool(&self) -> Option<&Arc<Pool>> {
        match &self.turn {
            Some(Turn::Now(slot)) if self.is_ingress() => Some(&slot.pool),
            _ => None,
        }
    }

    /// Whether all that came of the request is at hand and can be sent again.
    pub(crate) fn is_replayable(&self) -> bool {
        match &self.replay {
            Some(replay) => replay.is_complete(),
            None => self.is_whole,
        }
    }

    fn is_ingress(&self) -> bool {
        self.route.is_none() && matches!(self.to, To::Cluster(_))
    }

    pub(crate) fn retry(&self) -> Option<&RetryPolicy> {
        let (service, route) = self.route?;
        self.node.program.services[service].routes[route]
            .retry
            .as_ref()
    }
}

/// `None` until the whole head is there.
pub(crate) fn admit(worker: &Worker, listener: &Listener, input: &[u8]) -> Option<Admission> {
    let mut lines = fields::no_lines();
    let head = match request::parse(input, &mut lines) {
        Ok(None) => return None,
        Ok(Some(head)) => head,
        Err(malformed) => return Some(Admission::refused(malformed)),
    };
    let mut body = head.body();
    let rest = &input[head.length..];
    let body_here = match body.advance(rest) {
        Ok(length) => &rest[..length],
        Err(malformed) => return Some(Admission::refused(malformed)),
    };
    let length = head.length + body_here.len();
    let answer = |reply| {
        let length = body.is_done().then_some(length);
        Some(Admission::Answer {
            reply,
            client: Client::of(&head),
            length,
        })
    };

    let started = clock::now();
    let (node, index) = listener.routing();
    let path_and_query = path::normalize(&head.target.path_and_query);
    let asked_path = path::without_query(&path_and_query);
    let asked = Asked {
        method: head.method,
        authority: head.target.authority.text,
        path: asked_path,
        query: path_and_query.get(asked_path.len() + 1..),
        lines: head.lines,
    };
    let destination = match node
        .program
        .route(index, head.target.authority, &path_and_query, asked)
    {
        Ok(destination) => destination,
        Err(reason) => return answer(Reply::new(404, reason)),
    };

    let turn = listener.pool().map(|pool| pool.turn());
    if let Some(Turn::Never) = turn {
        return answer(Reply::overloaded(
            "as many requests are under way and waiting as this listener's connection pool allows",
        ));
    }
    let own = &node.program.listeners[index].timeouts;
    let mut request = worker.buffer();
    let mut set_cookie = None;
    let (to, route, tally, timeouts) = match destination {
        Destination::Local { cluster } => {
            head.rewrite(&path_and_query, None, &mut request);
            (To::Cluster(cluster), None, None, None)
        }
        Destination::Outside => {
            head.rewrite(&path_and_query, None, &mut request);
            let authority = head.target.authority;
            let port = authority.port.unwrap_or(80);
            (
                To::Outside {
                    host: authority.host.to_owned(),
                    port,
                },
                None,
                None,
                None,
            )
        }
        Destination::Route {
            service,
            route,
            host,
            path_and_query,
        } => {
            let name = &node.program.services[service].name;
            let routed = &node.program.services[service].routes[route];
            let assignment = routed
                .split
                .assign(head.lines, &mut worker.rng.borrow_mut());
            let Some(assignment) = assignment else {
                let reason = format!("all weights of a route of virtual service {name:?} are 0");
                return answer(Reply::new(503, reason));
            };
            head.rewrite(&path_and_query, host, &mut request);
            let tally = node.count((service, route), &assignment, started);
            let cluster = routed.split.target(assignment.target).cluster;
            if let By::User(user) = assignment.by {
                set_cookie = user.set_cookie;
            }
            (
                To::Cluster(cluster),
                Some((service, route)),
                Some(tally),
                Some(&routed.timeouts),
            )
        }
    };
    let head_length = request.len();
    request.extend_from_slice(body_here);
    let per_request = shorter(own.per_request, timeouts.and_then(|t| t.per_request));
    let idle = shorter(own.idle, timeouts.and_then(|t| t.idle));
    let exchange = Box::new(Exchange {
        to,
        route,
        tally,
        set_cookie,
        turn,
        client: Client::of(&head),
        request,
        body,
        framing: head.body(),
        head_length,
        replay: None,
        is_whole: body.is_done(),
        grpc: None,
        is_idempotent: matches!(
            head.method,
            "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
        ),
        started,
        per_request,
        idle,
        node,
    });
    Some(Admission::Carry { exchange, length })
}

impl Admission {
    pub(crate) fn refused(malformed: Malformed) -> Self {
        let reply = Reply::new(malformed.status(), malformed);
        Self::Answer {
            reply,
            client: Client::UNKNOWN,
            length: None,
        }
    }
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
