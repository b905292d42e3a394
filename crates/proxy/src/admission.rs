//! From bytes to an exchange: a request's head is read, routed, its arm drawn, and rewritten.
//!
//! All of it happens in one go, while the head lies in the scratch buffer; what outlives that is owned
//! by the exchange. Nothing is added to a request: neither `via`, which Envoy does not add either, nor
//! Envoy's `x-request-id`, `x-forwarded-*` and `x-envoy-*`, which nothing in a mesh needs to work.

use std::num::NonZeroU64;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use view::{ProxyVersion, RetryPolicy};

use crate::access_log::{Entry, Flags, Log};
use crate::clock::{self, Instant};
use crate::cluster::LocalCluster;
use crate::counters::Tally;
use crate::fault::{self, Injected};
use crate::grpc::Grpc;
use crate::http1::request::{self, RequestHead};
use crate::http1::{Body, Malformed, Trailers, fields};
use crate::listener::Listener;
use crate::mirror::{self, Copy};
use crate::node::LocalNode;
use crate::outlier::Outliers;
use crate::overload::{self, Shed};
use crate::pool::{Pool, Turn};
use crate::reply::Reply;
use crate::route::{Asked, Destination, path};
use crate::split::By;
use crate::sticky::header;
use crate::switch::Switch;
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
    /// A field that the response gets: who is new to a sticky split is given a cookie.
    pub(crate) set_cookie: Option<String>,
    pub(crate) injected: Option<Injected>,
    /// The same request, on its way to the other arm.
    pub(crate) copy: Option<Copy>,
    pub(crate) log: Option<Box<Entry>>,
    /// Its place among the listener's requests, where their number is limited.
    pub(crate) turn: Option<Turn>,
    /// Its place among the process's requests, where their number is limited.
    _place: Option<overload::Place>,
    pub(crate) client: Client,
    /// What is sent first: the rewritten head, and what has come of the body.
    pub(crate) request: Vec<u8>,
    /// What of the body is still to come.
    pub(crate) body: Body,
    /// What of the body's trailers has come and not gone on.
    pub(crate) trailers: Trailers,
    /// The body as the head frames it.
    pub(crate) framing: Body,
    /// Longer bodies are refused.
    pub(crate) longest_body: Option<NonZeroU64>,
    /// Bytes of the body that have come over HTTP/1.1, its framing left out.
    pub(crate) received: u64,
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
    /// What it may turn into.
    pub(crate) switch: Option<Switch>,
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
        log: Option<Box<Entry>>,
    },
}

impl Client {
    /// What is assumed of one whose request could not be read.
    pub(crate) const UNKNOWN: Self = Self {
        is_11: true,
        to_head: false,
        keeps_alive: false,
        switch: None,
    };

    fn of(head: &RequestHead<'_, '_>) -> Self {
        Self {
            is_11: head.is_11,
            to_head: head.method == "HEAD",
            keeps_alive: head.keeps_alive(),
            switch: Switch::asked_by(head),
        }
    }

    pub(crate) fn wants_websocket(&self) -> bool {
        self.switch == Some(Switch::WebSocket)
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

    /// The same request for another cluster; it has all that it needs, and nobody waits for it.
    fn copied(&self, cluster: usize, tally: Tally, request: Vec<u8>, head_length: usize) -> Self {
        Self {
            node: Rc::clone(&self.node),
            to: To::Cluster(cluster),
            route: self.route,
            tally: Some(tally),
            set_cookie: None,
            injected: None,
            copy: None,
            log: None,
            turn: None,
            _place: None,
            client: self.client,
            request,
            body: self.body,
            trailers: Trailers::default(),
            framing: self.framing,
            longest_body: None,
            received: self.received,
            head_length,
            replay: None,
            is_whole: true,
            grpc: None,
            is_idempotent: self.is_idempotent,
            started: self.started,
            per_request: self.per_request,
            idle: self.idle,
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
        Err(malformed) => return Some(refused(listener, malformed)),
    };
    let mut body = head.body();
    let declared = match body {
        Body::Length(length) => length,
        _ => 0,
    };
    let rest = &input[head.length..];
    let (mut received, mut trailers) = (0, Trailers::default());
    let passed = match body.pass(rest, Some(&mut received), &mut trailers) {
        Ok(passed) => passed,
        Err(malformed) => return Some(refused(listener, malformed)),
    };
    let body_here = &rest[..passed.used];
    let begin_body = |request: &mut Vec<u8>| {
        request.extend_from_slice(&rest[..passed.as_is]);
        request.extend_from_slice(&passed.trailers);
    };
    let length = head.length + body_here.len();
    let answer = |reply: Reply, flags, mut log: Option<Box<Entry>>| {
        let is_followed_by_requests = body.is_done() && !head.is_connect();
        let length = is_followed_by_requests.then_some(length);
        if let Some(log) = &mut log {
            log.answered_here(&reply, flags);
        }
        Some(Admission::Answer {
            reply,
            client: Client::of(&head),
            length,
            log,
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
    let mut log = node
        .log(index)
        .map(|log| entry(log, &head, &path_and_query, received, started));
    if overload::is_too_long(declared.max(received), worker.overload.longest_body) {
        Shed::one(&worker.shed.bodies);
        let malformed = Malformed::BodyTooLong;
        let reply = Reply::new(malformed.status(), malformed);
        return answer(reply, Flags::BAD_REQUEST, log);
    }
    let Ok(place) = worker.overload.request(head.lines) else {
        Shed::one(&worker.shed.requests);
        let reply = Reply::full("this proxy carries as many requests as it may");
        return answer(reply, Flags::OVERLOADED, log);
    };
    let destination = match node
        .program
        .route(index, head.target.authority, &path_and_query, asked)
    {
        Ok(destination) => destination,
        Err(reason) => return answer(Reply::new(404, reason), Flags::NO_ROUTE, log),
    };

    let turn = listener.pool().map(|pool| pool.turn());
    if let Some(Turn::Never) = turn {
        let reply = Reply::overloaded(
            "as many requests are under way and waiting as this listener's connection pool allows",
        );
        return answer(reply, Flags::OVERFLOW, log);
    }
    let own = &node.program.listeners[index].timeouts;
    let mut request = worker.buffer();
    let mut set_cookie = None;
    let mut injected = None;
    let mut copy = None;
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
            let rng = &mut worker.rng.borrow_mut();
            let fault = routed.fault.as_ref();
            injected = fault.and_then(|fault| fault::inject(fault, head.lines, rng));
            let mirror = routed.mirror.as_ref().filter(|mirror| {
                let is_whole = body.is_done() && Switch::asked_by(&head).is_none();
                is_whole
                    && injected.is_none()
                    && mirror::takes(mirror, head.method, body_here.len())
                    && fault::hits(mirror.share, rng)
            });
            let place = mirror.and_then(|_| worker.copies.place());
            let Some(assignment) = routed.split.assign(head.lines, rng) else {
                let reason = format!("all weights of a route of virtual service {name:?} are 0");
                return answer(Reply::new(503, reason), Flags::NO_ENDPOINT, log);
            };
            head.rewrite(&path_and_query, host, &mut request);
            let other = 1_usize.wrapping_sub(assignment.target);
            let pair = place
                .filter(|_| assignment.by != By::Name)
                .and_then(|place| {
                    let targets = [assignment.target, other];
                    let tallies = node.count_pair((service, route), targets, started)?;
                    Some((place, tallies))
                });
            let asked_for = path::without_query(&path_and_query);
            let tally = match pair {
                Some((place, [mut tally, mut of_copy])) => {
                    tally.asks_for(head.method, asked_for);
                    of_copy.asks_for(head.method, asked_for);
                    let cluster = routed.split.target(other).cluster;
                    let mut request = worker.buffer();
                    head.rewrite(&path_and_query, host, &mut request);
                    mirror::mark(&mut request);
                    copy = Some((place, of_copy, cluster, request));
                    tally
                }
                None => {
                    let route = (service, route);
                    let mut tally = node.count(route, &assignment, injected.is_some(), started);
                    tally.asks_for(head.method, asked_for);
                    tally
                }
            };
            let cluster = routed.split.target(assignment.target).cluster;
            if let Some(log) = &mut log {
                log.route = Some(routed.name.clone());
            }
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
    begin_body(&mut request);
    let per_request = shorter(own.per_request, timeouts.and_then(|t| t.per_request));
    let idle = shorter(own.idle, timeouts.and_then(|t| t.idle));
    if let (Some(log), To::Cluster(cluster)) = (&mut log, &to) {
        log.cluster = Some(node.program.clusters[*cluster].name.clone());
    }
    let mut exchange = Box::new(Exchange {
        to,
        route,
        tally,
        set_cookie,
        injected,
        copy: None,
        log,
        turn,
        _place: place,
        client: Client::of(&head),
        request,
        body,
        trailers,
        framing: head.body(),
        longest_body: worker.overload.longest_body,
        received,
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
    exchange.copy = copy.map(|(place, tally, cluster, mut request)| {
        let head_length = request.len();
        begin_body(&mut request);
        let exchange = Box::new(exchange.copied(cluster, tally, request, head_length));
        Copy { exchange, place }
    });
    Some(Admission::Carry { exchange, length })
}

fn refused(listener: &Listener, malformed: Malformed) -> Admission {
    let mut admission = Admission::refused(malformed);
    let (node, index) = listener.routing();
    if let (Admission::Answer { reply, log, .. }, Some(to)) = (&mut admission, node.log(index)) {
        let mut entry = to.begin(clock::now(), Some("HTTP/1.1"), |_| None);
        entry.answered_here(reply, Flags::BAD_REQUEST);
        *log = Some(entry);
    }
    admission
}

/// The line that a request will be.
fn entry(
    log: &Rc<Log>,
    head: &RequestHead<'_, '_>,
    path_and_query: &str,
    received: u64,
    started: Instant,
) -> Box<Entry> {
    let protocol = if head.is_11 { "HTTP/1.1" } else { "HTTP/1.0" };
    let mut entry = log.begin(started, Some(protocol), |name| match name {
        ":method" => Some(head.method.into()),
        ":path" => (!head.is_connect()).then(|| path_and_query.into()),
        ":authority" => Some(head.target.authority.text.into()),
        ":scheme" => Some("http".into()),
        name => Some(String::from_utf8_lossy(header(head.lines, name).next()?)),
    });
    entry.received = received;
    entry
}

impl Admission {
    /// What the request will be in the access log.
    pub(crate) fn log(&mut self) -> Option<&mut Entry> {
        match self {
            Self::Carry { exchange, .. } => exchange.log.as_deref_mut(),
            Self::Answer { log, .. } => log.as_deref_mut(),
        }
    }

    pub(crate) fn refused(malformed: Malformed) -> Self {
        let reply = Reply::new(malformed.status(), malformed);
        Self::Answer {
            reply,
            client: Client::UNKNOWN,
            length: None,
            log: None,
        }
    }
}

fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
