//! One address of a cluster, twice: what all workers share of it, and each worker's own connections.
//!
//! Idle connections are kept last in, first out, so that few stay warm and the rest grow old enough
//! to be swept. An endpoint that left its cluster is retired: its connections close as they end.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Instant;
use crate::health::Health;
use crate::http2::Channels;
use crate::outlier::Record;
use crate::socket::Socket;

/// More idle connections than this to one endpoint help nobody.
const MAX_IDLE: usize = 1024;

/// What is known of an endpoint, whoever asks.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: String,
    pub(crate) address: SocketAddr,
    pub(crate) zone: Option<String>,
    /// What it has done, whatever is now known of its place and health.
    pub(crate) record: Arc<Record>,
    is_healthy: AtomicBool,
    health: Mutex<Health>,
}

impl Shared {
    pub(crate) fn new(named: view::Endpoint, health: Health) -> Self {
        let is_healthy = AtomicBool::new(health.is_usable());
        Self {
            id: named.id,
            address: named.address,
            zone: named.zone,
            record: Arc::default(),
            is_healthy,
            health: Mutex::new(health),
        }
    }

    /// The same instance, of which something else is known now.
    pub(crate) fn changed(&self, named: view::Endpoint, health: Health) -> Self {
        Self {
            record: Arc::clone(&self.record),
            ..Self::new(named, health)
        }
    }

    /// As far as health checks tell.
    pub(crate) fn is_healthy(&self) -> bool {
        self.is_healthy.load(Ordering::Relaxed)
    }

    pub(crate) fn health(&self) -> Health {
        self.health
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// True if that makes a difference to who may be sent requests.
    pub(crate) fn set_health(&self, health: Health) -> bool {
        let is_healthy = health.is_usable();
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
        self.is_healthy.swap(is_healthy, Ordering::Relaxed) != is_healthy
    }
}

/// A worker's side of an endpoint.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) shared: Arc<Shared>,
    idle: RefCell<Vec<Idle>>,
    pub(crate) channels: Channels,
    active: Cell<u32>,
    usable_since: Cell<Instant>,
    is_retired: Cell<bool>,
}

#[derive(Debug)]
struct Idle {
    socket: Socket,
    since: Instant,
}

/// A request on its way to an endpoint.
#[derive(Debug)]
pub(crate) struct InFlight(Rc<Endpoint>);

impl Endpoint {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            usable_since: Cell::new(shared.health().since),
            shared,
            idle: RefCell::default(),
            channels: Channels::default(),
            active: Cell::new(0),
            is_retired: Cell::new(false),
        }
    }

    pub(crate) fn active(&self) -> u32 {
        self.active.get()
    }

    pub(crate) fn zone(&self) -> Option<&str> {
        self.shared.zone.as_deref()
    }

    /// Since when it has been in use without a break, as far as `learn_age` has seen.
    pub(crate) fn usable_since(&self) -> Instant {
        self.usable_since.get()
    }

    pub(crate) fn learn_age(&self) {
        self.usable_since.set(self.shared.health().since);
    }

    pub(crate) fn begin(self: &Rc<Self>) -> InFlight {
        self.active.set(self.active.get() + 1);
        InFlight(Rc::clone(self))
    }

    /// The connection used last that is still good.
    pub(crate) fn check_out(&self) -> Option<Socket> {
        let mut idle = self.idle.borrow_mut();
        std::iter::from_fn(|| idle.pop())
            .find_map(|mut idle| (!idle.socket.is_stale()).then_some(idle.socket))
    }

    pub(crate) fn check_in(&self, mut socket: Socket, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        if !self.is_retired.get() && idle.len() < MAX_IDLE {
            socket.release_memory();
            idle.push(Idle { socket, since: now });
        }
    }

    pub(crate) fn retire(&self) {
        self.is_retired.set(true);
        self.idle.borrow_mut().clear();
        self.channels.retire();
    }

    /// Closes what has been idle since before `oldest` or was closed by the other side.
    pub(crate) fn sweep(&self, oldest: Instant) {
        self.idle
            .borrow_mut()
            .retain_mut(|idle| idle.since >= oldest && !idle.socket.is_stale());
        self.channels.sweep(oldest);
    }

    pub(crate) fn is_unused(&self) -> bool {
        self.active.get() == 0 && self.idle.borrow().is_empty() && self.channels.is_empty()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.active.set(self.0.active.get() - 1);
    }
}
