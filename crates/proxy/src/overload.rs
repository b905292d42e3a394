//! What a data plane carries at most over all its workers, and what it does with the rest.
//!
//! Beyond a ceiling, new work is shed as early and as cheaply as can be: a connection is closed as soon as
//! it is accepted, a request is answered before it is routed. What is inside goes on, and so do health checks:
//! a node that is full is not a node that is ill, and whoever took it for one would send its load to the
//! others. Without a ceiling nothing is counted.

use std::cell::Cell;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use httparse::Header;

use crate::sticky::header;

/// Health checks that are let in beyond the ceiling of requests; a client that calls itself one takes
/// no more than this.
const CHECKS_BEYOND: usize = 64;

/// Who sends health checks: proxies of this mesh, Envoy, load balancers of AWS, Kubernetes.
const CHECKERS: [&[u8]; 4] = [
    crate::health::USER_AGENT.as_bytes(),
    b"Envoy/HC",
    b"ELB-HealthChecker/",
    b"kube-probe/",
];

/// Beyond these, new work is shed; `None` is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ceilings {
    /// Client connections of the process.
    pub connections: Option<NonZeroUsize>,
    /// Client connections of each listener.
    pub listener_connections: Option<NonZeroUsize>,
    /// Requests under way in the process.
    pub requests: Option<NonZeroUsize>,
    /// Bytes of one request's body.
    pub body: Option<NonZeroU64>,
}

/// So many at once.
#[derive(Debug)]
pub(crate) struct Ceiling {
    most: usize,
    inside: AtomicUsize,
}

/// A place below a ceiling, until dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Ceiling>);

/// A connection's places: below the process's ceiling, and below its listener's.
#[derive(Debug)]
pub(crate) struct Admitted {
    _places: [Option<Place>; 2],
}

/// The ceilings that all workers share.
#[derive(Clone, Debug)]
pub(crate) struct Overload {
    connections: Option<Arc<Ceiling>>,
    requests: Option<Arc<Ceiling>>,
    pub(crate) longest_body: Option<NonZeroU64>,
}

/// What one worker has turned away.
#[derive(Debug, Default)]
pub(crate) struct Shed {
    pub(crate) connections: Cell<u64>,
    pub(crate) requests: Cell<u64>,
    pub(crate) bodies: Cell<u64>,
}

/// There is no room below a ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Ceiling {
    pub(crate) fn of(most: Option<NonZeroUsize>) -> Option<Arc<Self>> {
        most.map(|most| {
            Arc::new(Self {
                most: most.get(),
                inside: AtomicUsize::new(0),
            })
        })
    }

    fn enter(self: &Arc<Self>, beyond: usize) -> Result<Place, Full> {
        let most = self.most.saturating_add(beyond);
        let one_more = |inside| (inside < most).then_some(inside + 1);
        let entered = self
            .inside
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        match entered {
            Ok(_) => Ok(Place(Arc::clone(self))),
            Err(_) => Err(Full),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Overload {
    pub(crate) fn new(ceilings: &Ceilings) -> Self {
        Self {
            connections: Ceiling::of(ceilings.connections),
            requests: Ceiling::of(ceilings.requests),
            longest_body: ceilings.body,
        }
    }

    /// A new connection of a listener with this ceiling.
    pub(crate) fn connection(&self, listener: Option<&Arc<Ceiling>>) -> Result<Admitted, Full> {
        let enter = |ceiling: &Arc<Ceiling>| ceiling.enter(0);
        Ok(Admitted {
            _places: [
                listener.map(enter).transpose()?,
                self.connections.as_ref().map(enter).transpose()?,
            ],
        })
    }

    /// A new request with these lines in its head.
    pub(crate) fn request(&self, lines: &[Header<'_>]) -> Result<Option<Place>, Full> {
        let Some(requests) = &self.requests else {
            return Ok(None);
        };
        let place = requests.enter(0).or_else(|full| match is_check(lines) {
            true => requests.enter(CHECKS_BEYOND),
            false => Err(full),
        });
        place.map(Some)
    }
}

/// Whether a body of which so much has come, or is to come, is more than there may be.
pub(crate) fn is_too_long(body: u64, most: Option<NonZeroU64>) -> bool {
    most.is_some_and(|most| body > most.get())
}

impl Shed {
    pub(crate) fn one(count: &Cell<u64>) {
        count.set(count.get() + 1);
    }
}

fn is_check(lines: &[Header<'_>]) -> bool {
    header(lines, "user-agent").any(|agent| CHECKERS.iter().any(|name| agent.starts_with(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overload(requests: usize, connections: usize) -> Overload {
        Overload::new(&Ceilings {
            connections: NonZeroUsize::new(connections),
            requests: NonZeroUsize::new(requests),
            ..Ceilings::default()
        })
    }

    fn from(agent: &'static str) -> [Header<'static>; 1] {
        [Header {
            name: "User-Agent",
            value: agent.as_bytes(),
        }]
    }

    #[test]
    fn who_leaves_makes_room_and_who_is_refused_takes_none() {
        let overload = overload(2, 1);
        let first = overload.request(&[]).unwrap();
        let _second = overload.request(&[]).unwrap();
        for _ in 0..3 {
            assert_eq!(overload.request(&[]).err(), Some(Full));
        }
        drop(first);
        let _third = overload.request(&[]).unwrap();
        assert!(overload.request(&[]).is_err());
    }

    #[test]
    fn a_connection_that_one_ceiling_refuses_takes_no_room_below_the_other() {
        let (overload, listener) = (overload(1, 1), Ceiling::of(NonZeroUsize::new(2)));
        let listener = listener.as_ref();
        let inside = overload.connection(listener).unwrap();
        for _ in 0..3 {
            assert!(overload.connection(listener).is_err());
        }
        drop(inside);
        assert!(overload.connection(listener).is_ok());
    }

    #[test]
    fn health_checks_have_some_room_beyond() {
        let overload = overload(1, 1);
        let _inside = overload.request(&from("curl/8")).unwrap();
        assert!(overload.request(&from("curl/8")).is_err());
        let agents = ["serin health check", "Envoy/HC", "kube-probe/1.33"];
        let checks: Vec<_> = (0..CHECKS_BEYOND)
            .map(|number| overload.request(&from(agents[number % 3])).unwrap())
            .collect();
        assert!(overload.request(&from("Envoy/HC")).is_err());
        drop(checks);
        assert!(
            overload.request(&from("my Envoy/HC")).is_err(),
            "one is still inside"
        );
    }

    #[test]
    fn without_ceilings_everybody_gets_in() {
        let overload = Overload::new(&Ceilings::default());
        let all: Vec<_> = (0..10_000)
            .map(|_| {
                (
                    overload.request(&[]).unwrap(),
                    overload.connection(None).unwrap(),
                )
            })
            .collect();
        assert_eq!(all.len(), 10_000);
        assert!(!is_too_long(u64::MAX, overload.longest_body));
    }
}
