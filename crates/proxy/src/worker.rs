//! One thread of the data plane: its runtime, its sockets, and everything that is its own.
//!
//! Nothing here is shared with another thread, so nothing here locks; what workers share hangs below
//! the view: endpoints' health and records, and the pools of listeners with limits. The handle speaks to
//! workers by messages only; every worker gets each of them and answers when it has acted.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::net::TcpListener;
use tokio::runtime::LocalOptions;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_local;
use view::observe::Observations;

use crate::access_log::Files;
use crate::clock;
use crate::counters::Counters;
use crate::discovery::Watched;
use crate::doors::Doors;
use crate::health::Generation;
use crate::inbound::MAX_HANDSHAKES;
use crate::listener::Listener;
use crate::mirror::Copies;
use crate::node::LocalNode;
use crate::outside::Outside;
use crate::overload::{Ceiling, Overload, Shed};
use crate::pool::Pool;
use crate::route::Program;
use crate::statistics::WorkerStatistics;
use crate::timers::Timers;
use crate::tls::Acceptor;

/// Room for a rewritten head to be longer than the head that was read.
pub(crate) const HEADROOM: usize = 1024;
/// Large reads make large bodies cheap.
const SCRATCH: usize = HEADROOM + 256 * 1024;
/// Buffers beyond this size are not kept for the next request.
const KEPT_BUFFER: usize = 16 * 1024;
const KEPT_BUFFERS: usize = 256;

const SWEEP_INTERVAL: Duration = Duration::from_secs(5);
/// Idle connections to endpoints are closed after this.
const POOLED_IDLE: Duration = Duration::from_secs(60);
/// How long connections of a listener that left its view may finish; App Mesh's agent waited as long.
const LISTENER_DRAIN: Duration = Duration::from_secs(20);

pub(crate) enum Command {
    Apply(Box<Apply>),
    Remove {
        node: String,
        drain: Duration,
        done: oneshot::Sender<()>,
    },
    Observe {
        reply: oneshot::Sender<Vec<Observations>>,
    },
    Inspect {
        reply: oneshot::Sender<WorkerStatistics>,
    },
}

pub(crate) struct Apply {
    pub(crate) program: Arc<Program>,
    /// In the order of the program's clusters.
    pub(crate) clusters: Vec<Watched>,
    /// In the order of the program's listeners.
    pub(crate) listeners: Vec<ApplyListener>,
    pub(crate) done: oneshot::Sender<()>,
}

pub(crate) struct ApplyListener {
    pub(crate) address: SocketAddr,
    /// None: the worker listens there already.
    pub(crate) sockets: Vec<std::net::TcpListener>,
    pub(crate) pool: Option<Arc<Pool>>,
    pub(crate) tls: Option<Arc<Acceptor>>,
    /// On its connections, for as long as the workers listen there.
    pub(crate) ceiling: Option<Arc<Ceiling>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) keep_alive: Duration,
    pub(crate) head_timeout: Duration,
    /// For a TLS handshake, waiting for its turn included.
    pub(crate) handshake_timeout: Duration,
    pub(crate) reconnect_within: Duration,
    pub(crate) cut_moved_after: Option<Duration>,
    pub(crate) connections: NonZeroUsize,
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) limits: Limits,
    /// Borrowed only inside a poll, so one is enough for all connections.
    pub(crate) scratch: RefCell<Box<[u8]>>,
    pub(crate) rng: RefCell<Rng>,
    pub(crate) timers: Rc<Timers>,
    pub(crate) outside: Outside,
    /// Room for TLS handshakes under way.
    pub(crate) handshakes: Semaphore,
    /// What all workers carry at most, and what this one has turned away.
    pub(crate) overload: Overload,
    pub(crate) shed: Shed,
    doors: Rc<Doors>,
    buffers: RefCell<Vec<Vec<u8>>>,
    counters: Counters,
    generation: Generation,
    logs: Arc<Files>,
    /// Of mirrored requests.
    pub(crate) copies: Copies,
    nodes: RefCell<HashMap<String, Node>>,
}

#[derive(Debug)]
struct Node {
    current: Rc<LocalNode>,
    listeners: Vec<Rc<Listener>>,
}

/// Starts a worker's thread; it ends when the sender of `commands` is gone.
pub(crate) fn start(
    number: usize,
    limits: Limits,
    overload: Overload,
    generation: Generation,
    logs: Arc<Files>,
    commands: mpsc::UnboundedReceiver<Command>,
) -> io::Result<()> {
    // The runtime cannot move between threads, so that it failed is learnt from the new one.
    let (started, result) = std::sync::mpsc::channel();
    std::thread::Builder::new()
        .name(format!("proxy-{number}"))
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default());
            match runtime {
                Ok(runtime) => {
                    drop(started);
                    runtime.block_on(Worker::new(limits, overload, generation, logs).run(commands));
                }
                Err(error) => drop(started.send(error)),
            }
        })?;
    match result.recv() {
        Ok(error) => Err(error),
        Err(std::sync::mpsc::RecvError) => Ok(()),
    }
}

impl Worker {
    fn new(
        limits: Limits,
        overload: Overload,
        generation: Generation,
        logs: Arc<Files>,
    ) -> Rc<Self> {
        Rc::new(Self {
            limits,
            scratch: RefCell::new(vec![0; SCRATCH].into_boxed_slice()),
            rng: RefCell::new(Rng::new()),
            timers: Rc::default(),
            outside: Outside::default(),
            handshakes: Semaphore::new(MAX_HANDSHAKES),
            overload,
            shed: Shed::default(),
            doors: Rc::new(Doors::new(limits.connections)),
            buffers: RefCell::default(),
            counters: Counters::default(),
            generation,
            logs,
            copies: Copies::default(),
            nodes: RefCell::default(),
        })
    }

    async fn run(self: Rc<Self>, mut commands: mpsc::UnboundedReceiver<Command>) {
        let timers = Rc::clone(&self.timers);
        spawn_local(async move { timers.run().await });
        spawn_local(Rc::clone(&self).sweep());
        while let Some(command) = commands.recv().await {
            match command {
                Command::Apply(apply) => self.apply(*apply),
                Command::Remove { node, drain, done } => self.remove(&node, drain, done),
                Command::Inspect { reply } => answer(reply, self.statistics()),
                Command::Observe { reply } => answer(reply, self.counters.report()),
            }
        }
    }

    fn apply(self: &Rc<Self>, apply: Apply) {
        let Apply {
            program,
            clusters,
            listeners,
            done,
        } = apply;
        let mut nodes = self.nodes.borrow_mut();
        let before = nodes.remove(&program.node);
        let current = Rc::new(LocalNode::new(
            Arc::clone(&program),
            clusters,
            &self.generation,
            &self.counters,
            &self.logs,
            before.as_ref().map(|before| &*before.current),
        ));
        let mut left = match before {
            Some(before) => {
                before.current.retire(Some(&current));
                before.listeners
            }
            None => Vec::new(),
        };
        let mut kept = Vec::with_capacity(listeners.len());
        for (index, told) in listeners.into_iter().enumerate() {
            let ApplyListener {
                address,
                sockets,
                pool,
                tls,
                ceiling,
            } = told;
            let listener = match left.iter().position(|listener| listener.address == address) {
                Some(position) => {
                    let listener = left.swap_remove(position);
                    listener.replace(Rc::clone(&current), index, pool, tls);
                    listener
                }
                None => {
                    let current = Rc::clone(&current);
                    let doors = Rc::clone(&self.doors);
                    let listener =
                        Listener::new(address, doors, ceiling, current, index, pool, tls);
                    Rc::new(listener)
                }
            };
            for socket in sockets {
                self.listen(&listener, socket);
            }
            kept.push(listener);
        }
        for listener in left {
            spawn_local(async move { listener.drain(LISTENER_DRAIN).await });
        }
        nodes.insert(
            program.node.clone(),
            Node {
                current,
                listeners: kept,
            },
        );
        answer(done, ());
    }

    fn listen(self: &Rc<Self>, listener: &Rc<Listener>, socket: std::net::TcpListener) {
        match TcpListener::from_std(socket) {
            Ok(socket) => {
                listener.begins_to_accept();
                spawn_local(Rc::clone(listener).accept(Rc::clone(self), socket));
            }
            Err(error) => {
                tracing::error!(address = %listener.address, %error, "a worker cannot listen");
            }
        }
    }

    fn remove(&self, node: &str, drain: Duration, done: oneshot::Sender<()>) {
        let Some(node) = self.nodes.borrow_mut().remove(node) else {
            return answer(done, ());
        };
        spawn_local(async move {
            let draining: Vec<_> = node
                .listeners
                .into_iter()
                .map(|listener| spawn_local(async move { listener.drain(drain).await }))
                .collect();
            for listener in draining {
                if let Err(error) = listener.await {
                    tracing::error!(%error, "draining a listener failed");
                }
            }
            node.current.retire(None);
            answer(done, ());
        });
    }

    fn statistics(&self) -> WorkerStatistics {
        let nodes = self.nodes.borrow();
        let listeners = nodes.values().flat_map(|node| &node.listeners);
        WorkerStatistics {
            connections: listeners.map(|listener| listener.connections()).sum(),
            shed_connections: self.shed.connections.get(),
            shed_requests: self.shed.requests.get(),
            shed_bodies: self.shed.bodies.get(),
            dropped_copies: self.copies.dropped(),
        }
    }

    /// Closes pooled connections that nobody will use again, for ever.
    async fn sweep(self: Rc<Self>) {
        loop {
            tokio::time::sleep(SWEEP_INTERVAL).await;
            let now = clock::now();
            let Some(oldest) = now.checked_sub(POOLED_IDLE) else {
                continue;
            };
            for node in self.nodes.borrow().values() {
                for cluster in &node.current.clusters {
                    cluster.sweep(oldest);
                }
                for pool in node.listeners.iter().filter_map(|listener| listener.pool()) {
                    pool.sweep(oldest);
                }
            }
            self.outside.sweep(oldest);
        }
    }

    /// Whether a request forwarded there would come back here and be forwarded again.
    pub(crate) fn forwards_from(&self, address: SocketAddr) -> bool {
        self.nodes
            .borrow()
            .values()
            .flat_map(|node| &node.listeners)
            .any(|listener| {
                let own = listener.address;
                own.port() == address.port()
                    && (own.ip() == address.ip()
                        || (own.ip().is_unspecified() && is_local(address.ip())))
                    && listener.is_egress()
            })
    }

    pub(crate) fn buffer(&self) -> Vec<u8> {
        self.buffers.borrow_mut().pop().unwrap_or_default()
    }

    pub(crate) fn recycle(&self, mut buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        if buffer.capacity() <= KEPT_BUFFER && buffers.len() < KEPT_BUFFERS {
            buffer.clear();
            buffers.push(buffer);
        }
    }
}

/// Whether the address is one of this machine's: only those can be bound.
fn is_local(address: std::net::IpAddr) -> bool {
    address.is_loopback()
        || address.is_unspecified()
        || std::net::UdpSocket::bind((address, 0)).is_ok()
}

/// Whoever asked may have stopped waiting; that is no concern of the worker.
fn answer<T>(to: oneshot::Sender<T>, value: T) {
    drop(to.send(value));
}
