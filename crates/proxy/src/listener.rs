//! One worker's share of a listening address, through all the views that keep it.
//!
//! Connections hold the listener and ask it for the view in force at each request, so that replacing a
//! view is replacing one pointer. Draining lets nobody in and lets those inside finish.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use view::Protocol;

use crate::clock::{self, Instant};
use crate::doors::Doors;
use crate::inbound;
use crate::node::LocalNode;
use crate::overload::{Ceiling, Shed};
use crate::pool::Pool;
use crate::route::program::Entry;
use crate::timers::Timer;
use crate::tls::Acceptor;
use crate::worker::Worker;

/// How long to wait after the process ran out of sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// No system's queue of accepted connections is longer; further ones came while it was emptied.
const MAX_QUEUE: usize = 4096;
/// How long a drained connection without a request may stay: its client may be about to send one, and
/// closing in its face would lose it.
const IDLE_GRACE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    /// The worker's.
    doors: Rc<Doors>,
    /// On the connections of all workers here.
    ceiling: Option<Arc<Ceiling>>,
    /// The view in force, and which of its listeners this is.
    routing: RefCell<(Rc<LocalNode>, usize)>,
    pool: RefCell<Option<Arc<Pool>>>,
    tls: RefCell<Option<Arc<Acceptor>>>,
    connections: RefCell<BTreeMap<u64, Rc<Timer>>>,
    /// Those of them that want to know at once that they are asked to move.
    long_lived: RefCell<BTreeMap<u64, Rc<Timer>>>,
    asked_to_move: Cell<Option<Instant>>,
    last_connection: Cell<u64>,
    state: Cell<State>,
    idle_grace: Cell<Duration>,
    /// Sockets that connections may still come from.
    accepting: Cell<usize>,
    stop: Notify,
    emptied: Notify,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Draining,
    Cut,
}

/// A connection in its listener's books, for as long as it lasts.
#[derive(Debug)]
pub(crate) struct Entered {
    listener: Rc<Listener>,
    connection: u64,
}

impl Listener {
    pub(crate) fn new(
        address: SocketAddr,
        doors: Rc<Doors>,
        ceiling: Option<Arc<Ceiling>>,
        node: Rc<LocalNode>,
        index: usize,
        pool: Option<Arc<Pool>>,
        tls: Option<Arc<Acceptor>>,
    ) -> Self {
        Self {
            address,
            doors,
            ceiling,
            routing: RefCell::new((node, index)),
            pool: RefCell::new(pool),
            tls: RefCell::new(tls),
            connections: RefCell::default(),
            long_lived: RefCell::default(),
            asked_to_move: Cell::new(None),
            last_connection: Cell::new(0),
            state: Cell::new(State::Open),
            idle_grace: Cell::new(IDLE_GRACE),
            accepting: Cell::new(0),
            stop: Notify::new(),
            emptied: Notify::new(),
        }
    }

    pub(crate) fn replace(
        &self,
        node: Rc<LocalNode>,
        index: usize,
        pool: Option<Arc<Pool>>,
        tls: Option<Arc<Acceptor>>,
    ) {
        let before = Rc::clone(&self.routing.borrow().0);
        let is_reweighed = before.program.weighs_differently(&node.program);
        // One that is kept demands what it did.
        let is_resecured =
            self.tls.borrow().as_ref().map(Arc::as_ptr) != tls.as_ref().map(Arc::as_ptr);
        *self.routing.borrow_mut() = (node, index);
        *self.pool.borrow_mut() = pool;
        *self.tls.borrow_mut() = tls;
        if is_reweighed || is_resecured {
            self.asked_to_move.set(Some(clock::now()));
            for long_lived in self.long_lived.borrow().values() {
                long_lived.wake();
            }
        }
    }

    /// When its connections were, last.
    pub(crate) fn asked_to_move(&self) -> Option<Instant> {
        self.asked_to_move.get()
    }

    /// Who lets requests through, where their number is limited.
    pub(crate) fn pool(&self) -> Option<Arc<Pool>> {
        self.pool.borrow().clone()
    }

    /// What new connections are secured with, where they are.
    pub(crate) fn tls(&self) -> Option<Arc<Acceptor>> {
        self.tls.borrow().clone()
    }

    pub(crate) fn routing(&self) -> (Rc<LocalNode>, usize) {
        let routing = self.routing.borrow();
        (Rc::clone(&routing.0), routing.1)
    }

    /// Whether requests leave the mesh's node here, perhaps to the outside.
    pub(crate) fn is_egress(&self) -> bool {
        let (node, index) = &*self.routing.borrow();
        matches!(node.program.listeners[*index].entry, Entry::Egress { .. })
    }

    pub(crate) fn expects_proxy_header(&self) -> bool {
        let (node, index) = &*self.routing.borrow();
        node.program.listeners[*index].expects_proxy_header
    }

    /// What clients speak here; those of HTTP/1.1 may speak HTTP/2 as well.
    pub(crate) fn protocol(&self) -> Protocol {
        let (node, index) = &*self.routing.borrow();
        node.program.listeners[*index].protocol
    }

    /// How many there are.
    pub(crate) fn connections(&self) -> usize {
        self.connections.borrow().len()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.state.get() != State::Open
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.state.get() == State::Cut
    }

    pub(crate) fn idle_grace(&self) -> Duration {
        self.idle_grace.get()
    }

    pub(crate) fn enter(self: &Rc<Self>, timer: &Rc<Timer>) -> Entered {
        let connection = self.last_connection.get() + 1;
        self.last_connection.set(connection);
        self.doors.enter();
        self.connections
            .borrow_mut()
            .insert(connection, Rc::clone(timer));
        Entered {
            listener: Rc::clone(self),
            connection,
        }
    }

    /// Accepts connections until the listener is drained.
    pub(crate) async fn accept(self: Rc<Self>, worker: Rc<Worker>, socket: TcpListener) {
        loop {
            tokio::select! {
                biased;
                () = self.stop.notified() => break,
                accepted = self.next_of(&socket) => match accepted {
                    Ok((stream, remote)) => self.welcome(&worker, stream, remote),
                    Err(error) => {
                        tracing::warn!(address = %self.address, %error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        // For the worker's next socket here, if there are several.
        self.stop.notify_one();
        self.welcome_the_queue(&worker, socket);
        // Those that were welcomed enter when their tasks run, which is before this one runs again.
        tokio::task::yield_now().await;
        self.accepting.set(self.accepting.get() - 1);
        self.emptied.notify_one();
    }

    /// Before `accept` is started.
    pub(crate) fn begins_to_accept(&self) {
        self.accepting.set(self.accepting.get() + 1);
    }

    async fn next_of(&self, socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            self.doors.room().await;
            tokio::select! {
                biased;
                () = self.doors.filled() => {}
                accepted = socket.accept() => return accepted,
            }
        }
    }

    /// Connections that the kernel has accepted already would be reset with the socket.
    fn welcome_the_queue(self: &Rc<Self>, worker: &Rc<Worker>, socket: TcpListener) {
        let Ok(socket) = socket.into_std() else {
            return;
        };
        for _ in 0..MAX_QUEUE {
            let Ok((stream, remote)) = socket.accept() else {
                return;
            };
            let stream = stream
                .set_nonblocking(true)
                .and_then(|()| TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                self.welcome(worker, stream, remote);
            }
        }
    }

    fn welcome(self: &Rc<Self>, worker: &Rc<Worker>, stream: TcpStream, remote: SocketAddr) {
        let Ok(admitted) = worker.overload.connection(self.ceiling.as_ref()) else {
            return Shed::one(&worker.shed.connections);
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "the client left before it was served");
            return;
        }
        inbound::welcome(worker, self, admitted, stream, remote);
    }

    /// Ends all connections: as they finish until `drain` has passed, then at once.
    pub(crate) async fn drain(&self, drain: Duration) {
        let deadline = clock::now() + drain;
        self.idle_grace.set(IDLE_GRACE.min(drain));
        self.enter_state(State::Draining);
        self.stop.notify_one();
        if tokio::time::timeout_at(deadline, self.empty())
            .await
            .is_err()
        {
            self.enter_state(State::Cut);
            self.empty().await;
        }
    }

    fn enter_state(&self, state: State) {
        self.state.set(state);
        for connection in self.connections.borrow().values() {
            connection.wake();
        }
    }

    async fn empty(&self) {
        while self.accepting.get() > 0 || !self.connections.borrow().is_empty() {
            self.emptied.notified().await;
        }
    }
}

impl Entered {
    /// The connection may last for as long as nobody asks it to move.
    pub(crate) fn is_long_lived(&self, timer: &Rc<Timer>) {
        let mut long_lived = self.listener.long_lived.borrow_mut();
        long_lived.insert(self.connection, Rc::clone(timer));
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut connections = self.listener.connections.borrow_mut();
        connections.remove(&self.connection);
        self.listener
            .long_lived
            .borrow_mut()
            .remove(&self.connection);
        self.listener.doors.leave();
        if connections.is_empty() {
            self.listener.emptied.notify_one();
        }
    }
}
