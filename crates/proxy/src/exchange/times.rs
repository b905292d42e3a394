//! The limits on one try's time: the request's, the try's own, and how long nothing may move.

use std::time::Duration;

use crate::admission::Exchange;
use crate::clock::{self, Instant};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    request: Option<Instant>,
    /// What a gRPC client gave the request; it runs from the request's beginning.
    client: Option<Instant>,
    this_try: Option<Instant>,
    idle: Option<Instant>,
    /// Something has moved since the idle limit was set last.
    pub(crate) moved: bool,
}

/// Which limit has been reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expired {
    Request,
    Client,
    Try,
    Idle,
}

impl Times {
    /// `is_whole`: all of the request has been received, which is when, as with Envoy, its time starts.
    pub(crate) fn new(exchange: &Exchange, is_whole: bool, now: Instant) -> Self {
        let per_try = exchange.retry().and_then(|policy| policy.per_try_timeout);
        Self {
            this_try: deadline(now, per_try),
            idle: deadline(now, exchange.idle),
            ..Self::of_request(exchange, is_whole)
        }
    }

    /// Between tries, and before one has a connection.
    pub(super) fn of_request(exchange: &Exchange, is_whole: bool) -> Self {
        let grpc = exchange.grpc.as_ref();
        Self {
            request: deadline(exchange.started, exchange.per_request.filter(|_| is_whole)),
            client: deadline(exchange.started, grpc.and_then(|grpc| grpc.timeout)),
            ..Self::unlimited()
        }
    }

    /// All of the request has been received. True if that changed anything.
    pub(crate) fn request_is_whole(&mut self, exchange: &Exchange) -> bool {
        let starts = self.request.is_none() && exchange.per_request.is_some();
        if starts {
            self.request = deadline(clock::now(), exchange.per_request);
        }
        starts
    }

    /// The service has answered: there will be no other try.
    pub(crate) fn has_answered(&mut self) {
        self.this_try = None;
    }

    /// For a tunnel, which lasts as long as both sides want and one of them says something now and then.
    pub(crate) fn of_tunnel(idle: Option<Duration>, now: Instant) -> Self {
        Self {
            idle: deadline(now, idle),
            ..Self::unlimited()
        }
    }

    pub(super) fn unlimited() -> Self {
        Self {
            request: None,
            client: None,
            this_try: None,
            idle: None,
            moved: false,
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        [self.request, self.client, self.this_try, self.idle]
            .into_iter()
            .flatten()
            .min()
    }

    /// The timer went off: is it a time-out, or a deadline that has moved since?
    pub(crate) fn expired(&mut self, idle: Option<Duration>, now: Instant) -> Option<Expired> {
        let is_over = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        if is_over(self.request) {
            return Some(Expired::Request);
        }
        if is_over(self.client) {
            return Some(Expired::Client);
        }
        if is_over(self.this_try) {
            return Some(Expired::Try);
        }
        if is_over(self.idle) {
            // Asking the time for every read would cost more than being late by at most as much again.
            if !std::mem::replace(&mut self.moved, false) {
                return Some(Expired::Idle);
            }
            self.idle = deadline(now, idle);
        }
        None
    }
}

/// When a request's time is up, if it has a limit.
fn deadline(from: Instant, limit: Option<Duration>) -> Option<Instant> {
    from.checked_add(limit?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_lasts_while_something_is_said_in_it() {
        let idle = Some(Duration::from_secs(10));
        let mut now = clock::now();
        let mut times = Times::of_tunnel(idle, now);
        for _ in 0..5 {
            now = times.next().unwrap();
            times.moved = true;
            assert_eq!(times.expired(idle, now), None);
        }
        now = times.next().unwrap();
        assert_eq!(times.expired(idle, now), Some(Expired::Idle));
        assert_eq!(Times::of_tunnel(None, now).next(), None);
    }
}
