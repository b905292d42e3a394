//! A listener's connection pool: how many of its requests are under way at once, over all workers.
//!
//! App Mesh gave its limits to Envoy's circuit breakers. An HTTP/1.1 connection carries one request, so
//! `maxConnections` requests are under way, `maxPendingRequests` wait, first come, first served, and the
//! rest are refused. Of an ingress the pool also keeps the idle connections: those in use and those at
//! rest never exceed the limit together, as one is opened only by a request under way and only while
//! none is at rest. Of HTTP/2 and gRPC `maxRequests` are under way and none wait. Listeners without limits
//! have no pool, and pay nothing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use view::PoolLimits;

use crate::clock::Instant;
use crate::socket::Socket;

#[derive(Debug)]
pub(crate) struct Pool {
    limits: PoolLimits,
    slots: Arc<Semaphore>,
    waiting: AtomicU32,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    socket: Socket,
    address: SocketAddr,
    since: Instant,
    /// The worker whose event queue the socket is in.
    worker: ThreadId,
}

/// Whether a request may go ahead.
#[derive(Debug)]
pub(crate) enum Turn {
    Now(Slot),
    Later(Queued),
    /// As many are under way and waiting as may be.
    Never,
}

/// A request's place among those under way, until dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

/// A request's place among those waiting, until dropped.
#[derive(Debug)]
pub(crate) struct Queued(Arc<Pool>);

impl Pool {
    /// `None` without a limit. `before` goes on where the limits are the same;
    /// where they are not, what is under way ends under the old ones.
    pub(crate) fn new(limits: &PoolLimits, before: Option<&Arc<Self>>) -> Option<Arc<Self>> {
        if let Some(before) = before.filter(|before| before.limits == *limits) {
            return Some(Arc::clone(before));
        }
        let under_way = limits.max_connections.or(limits.max_requests)?;
        let under_way = usize::try_from(under_way).unwrap_or(usize::MAX);
        Some(Arc::new(Self {
            limits: limits.clone(),
            slots: Arc::new(Semaphore::new(under_way.min(Semaphore::MAX_PERMITS))),
            waiting: AtomicU32::new(0),
            idle: Mutex::default(),
        }))
    }

    pub(crate) fn turn(self: &Arc<Self>) -> Turn {
        if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
            return Turn::Now(Slot {
                pool: Arc::clone(self),
                _permit: permit,
            });
        }
        if self.limits.max_connections.is_none() {
            return Turn::Never;
        }
        let queued = Queued(Arc::clone(self));
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        match self.limits.max_pending_requests {
            Some(limit) if before >= limit => Turn::Never,
            _ => Turn::Later(queued),
        }
    }

    /// The connection to `address` used last that is still good, rather one of this worker's.
    pub(crate) fn check_out(&self, address: SocketAddr) -> Option<Socket> {
        loop {
            let mut idle = {
                let mut idle = self.idle();
                let own = thread::current().id();
                let of_own = idle.iter().rposition(|idle| idle.worker == own);
                let position = of_own.or(idle.len().checked_sub(1))?;
                idle.remove(position)
            };
            if idle.address == address && !idle.socket.is_stale() {
                let is_own = idle.worker == thread::current().id();
                let socket = if is_own {
                    Ok(idle.socket)
                } else {
                    idle.socket.adopt()
                };
                match socket {
                    Ok(socket) => return Some(socket),
                    Err(error) => tracing::debug!(%error, "a pooled connection was lost"),
                }
            }
        }
    }

    pub(crate) fn check_in(&self, mut socket: Socket, address: SocketAddr, now: Instant) {
        socket.release_memory();
        self.idle().push(Idle {
            socket,
            address,
            since: now,
            worker: thread::current().id(),
        });
    }

    /// Closes what is at rest: it may be as stale as the connection that just turned out to be.
    pub(crate) fn clear(&self) {
        let closed = std::mem::take(&mut *self.idle());
        drop(closed);
    }

    /// Closes what has been idle since before `oldest` or was closed by the other side.
    pub(crate) fn sweep(&self, oldest: Instant) {
        self.idle()
            .retain_mut(|idle| idle.since >= oldest && !idle.socket.is_stale());
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queued {
    /// Waits for the request's turn; `None` if there will be none because the pool is gone.
    pub(crate) async fn slot(self) -> Option<Slot> {
        let permit = Arc::clone(&self.0.slots).acquire_owned().await.ok()?;
        Some(Slot {
            pool: Arc::clone(&self.0),
            _permit: permit,
        })
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll, Waker};

    fn pool(connections: u32, pending: Option<u32>) -> Arc<Pool> {
        let limits = PoolLimits {
            max_connections: Some(connections),
            max_pending_requests: pending,
            max_requests: None,
        };
        Pool::new(&limits, None).unwrap()
    }

    fn now(pool: &Arc<Pool>) -> Slot {
        match pool.turn() {
            Turn::Now(slot) => slot,
            other => panic!("{other:?}"),
        }
    }

    fn later(pool: &Arc<Pool>) -> Queued {
        match pool.turn() {
            Turn::Later(queued) => queued,
            other => panic!("{other:?}"),
        }
    }

    fn is_ready<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> bool {
        let polled = future.poll(&mut Context::from_waker(Waker::noop()));
        matches!(polled, Poll::Ready(_))
    }

    #[test]
    fn some_go_ahead_some_wait_in_order_and_the_rest_are_refused() {
        let pool = pool(2, Some(2));
        let (first, second) = (now(&pool), now(&pool));
        let mut third = Box::pin(later(&pool).slot());
        let mut fourth = Box::pin(later(&pool).slot());
        assert!(!is_ready(third.as_mut()) && !is_ready(fourth.as_mut()));
        for _ in 0..3 {
            assert!(matches!(pool.turn(), Turn::Never), "refusals take no place");
        }
        drop(first);
        assert!(!is_ready(fourth.as_mut()), "nobody overtakes");
        assert!(is_ready(third.as_mut()));
        drop(third);
        assert!(
            matches!(pool.turn(), Turn::Later(_)),
            "the third no longer waits"
        );
        drop(second);
        assert!(is_ready(fourth.as_mut()));
    }

    #[test]
    fn who_stops_waiting_makes_room() {
        let pool = pool(1, Some(1));
        let slot = now(&pool);
        let mut left = Box::pin(later(&pool).slot());
        assert!(!is_ready(left.as_mut()));
        drop(left);
        drop(later(&pool));
        drop(slot);
        drop(now(&pool));
        assert_eq!(pool.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn without_a_queue_nobody_waits_and_without_its_limit_everybody_may() {
        let none = pool(1, Some(0));
        let _under_way = now(&none);
        assert!(matches!(none.turn(), Turn::Never));
        let endless = pool(1, None);
        let _under_way = now(&endless);
        let _waiting: Vec<_> = (0..10_000).map(|_| later(&endless)).collect();
    }

    #[test]
    fn requests_of_http2_do_not_wait() {
        let limits = PoolLimits {
            max_requests: Some(1),
            ..PoolLimits::default()
        };
        let pool = Pool::new(&limits, None).unwrap();
        let under_way = now(&pool);
        assert!(matches!(pool.turn(), Turn::Never));
        drop(under_way);
        now(&pool);
    }

    #[test]
    fn a_pool_goes_on_while_its_limits_do() {
        let first = pool(1, None);
        let _under_way = now(&first);
        let same = Pool::new(&first.limits, Some(&first)).unwrap();
        assert!(matches!(same.turn(), Turn::Later(_)));
        let wider = PoolLimits {
            max_connections: Some(2),
            ..PoolLimits::default()
        };
        now(&Pool::new(&wider, Some(&first)).unwrap());
        assert!(Pool::new(&PoolLimits::default(), Some(&first)).is_none());
    }
}
