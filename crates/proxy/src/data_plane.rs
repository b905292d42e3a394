//! The handle: one data plane in a process, hosting any number of nodes.
//!
//! A change runs to its end in the background even if its caller stops waiting, so that what is applied
//! and what is known to be applied never differ. So does the collection of counts, so that none is lost.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use view::NodeView;
use view::observe::Observations;

use crate::access_log::Files;
use crate::balancing::Balancing;
use crate::discovery::{Dns, Surroundings};
use crate::doors;
use crate::error::{ApplyError, Refusal, StartError};
use crate::health::{Generation, HealthStatus};
use crate::overload::{Ceilings, Overload};
use crate::registry::Registry;
use crate::route::Program;
use crate::statistics::{Counted, Statistics};
use crate::tls::{CertificateStatus, Secret, Secrets, renewal};
use crate::worker::{self, Limits};

/// Health checks under way at once; the rest wait, so that many endpoints are no burst of connections.
const HEALTH_CHECKS: usize = 64;

#[derive(Clone, Debug)]
pub struct Options {
    /// Threads that carry traffic.
    pub workers: NonZeroUsize,
    /// How long a client connection may stay without a request.
    pub keep_alive: Duration,
    /// How long a request's head may take to arrive, once it has begun to.
    pub head_timeout: Duration,
    /// How long a client's TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long client connections may take to be replaced once weights have changed: each is asked to
    /// leave at a random moment of this time.
    pub reconnect_within: Duration,
    /// How much longer streams and tunnels that do not end by themselves may go on; `None` is for ever.
    pub cut_moved_after: Option<Duration>,
    /// Client connections that each worker holds at once; further ones wait to be accepted. `None`: as many
    /// as the process may have open files for, and no fewer than it takes before it sheds them.
    pub connections: Option<NonZeroUsize>,
    /// What is shed rather than carried too late.
    pub ceilings: Ceilings,
    pub balancing: Balancing,
    /// Who is asked for endpoints' names; none: whoever this machine asks.
    pub name_servers: Vec<SocketAddr>,
}

impl Default for Options {
    /// A worker for each core, Envoy's hour for idle connections, half a minute for a head and for
    /// connections to move; nothing is cut for a change of weights.
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            keep_alive: Duration::from_secs(3600),
            head_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            reconnect_within: Duration::from_secs(30),
            cut_moved_after: None,
            connections: None,
            ceilings: Ceilings::default(),
            balancing: Balancing::default(),
            name_servers: Vec::new(),
        }
    }
}

/// Where a listener of a view really listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundListener {
    pub name: String,
    pub address: SocketAddr,
}

/// What is known of one endpoint of one node's cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointHealth {
    pub node: String,
    pub cluster: String,
    pub virtual_node: String,
    pub id: String,
    pub address: SocketAddr,
    pub status: HealthStatus,
    /// Why the last check failed, if it did.
    pub reason: Option<String>,
    /// Left out for its errors, whatever its checks say.
    pub is_ejected: bool,
}

/// Runs views. Dropping it stops it at once; `shutdown` lets requests finish first.
#[derive(Debug)]
pub struct DataPlane {
    registry: Arc<Mutex<Registry>>,
    secrets: Arc<Secrets>,
    counted: Arc<std::sync::Mutex<Counted>>,
    background: Background,
}

/// Changes, health checks and name resolution, on a thread of their own: they cost requests nothing.
#[derive(Debug)]
struct Background {
    runtime: Handle,
    /// Ends the thread when dropped.
    _running: oneshot::Sender<()>,
}

impl DataPlane {
    pub fn start(options: Options) -> Result<Self, StartError> {
        let generation = Generation::default();
        let dns = Dns::new(&options.name_servers).map_err(|error| StartError::NameServers {
            source: error.into(),
        })?;
        let logs = Arc::new(Files::default());
        let background = Background::start().map_err(|source| StartError::Background { source })?;
        let limits = Limits {
            keep_alive: options.keep_alive,
            head_timeout: options.head_timeout,
            handshake_timeout: options.handshake_timeout,
            reconnect_within: options.reconnect_within,
            cut_moved_after: options.cut_moved_after,
            connections: options
                .connections
                .unwrap_or_else(|| doors::default_most(options.workers, &options.ceilings)),
        };
        let overload = Overload::new(&options.ceilings);
        let mut workers = Vec::with_capacity(options.workers.get());
        for number in 0..options.workers.get() {
            let (commands, receiver) = mpsc::unbounded_channel();
            worker::start(
                number,
                limits,
                overload.clone(),
                Arc::clone(&generation),
                Arc::clone(&logs),
                receiver,
            )
            .map_err(|source| StartError::Worker {
                worker: number,
                source,
            })?;
            workers.push(commands);
        }
        let secrets = Arc::new(Secrets::default());
        let registry = Registry::new(
            workers,
            Arc::clone(&secrets),
            options.ceilings.listener_connections,
            Surroundings {
                generation,
                balancing: Arc::new(options.balancing),
                dns,
                checks: Arc::new(Semaphore::new(HEALTH_CHECKS)),
                runtime: background.runtime.clone(),
            },
        );
        let registry = Arc::new(Mutex::new(registry));
        let renewing = renewal::run(Arc::downgrade(&registry), Arc::clone(&secrets));
        background.runtime.spawn(renewing);
        Ok(Self {
            registry,
            secrets,
            counted: Arc::default(),
            background,
        })
    }

    /// Adds a node or replaces its view; returns when every worker uses it. Listeners that stay keep
    /// their sockets and connections, and requests under way end on the view they began with. Clusters
    /// and listeners that this proxy cannot carry are left out and told by `refusals`.
    pub async fn apply(&self, view: Arc<NodeView>) -> Result<Vec<BoundListener>, ApplyError> {
        let program = Arc::new(Program::compile(&view)?);
        let registry = Arc::clone(&self.registry);
        let carried = Arc::clone(&view);
        let applying = async move { registry.lock().await.apply(program, carried).await };
        let applied = self.background.runtime.spawn(applying).await;
        applied.unwrap_or_else(|_| {
            Err(ApplyError::Stopped {
                node: view.node.clone(),
            })
        })
    }

    /// Takes a node away: lets nobody in, answers with `Connection: close`, cuts what is left after
    /// `drain`. Returns when nothing is left.
    pub async fn remove(&self, node: &str, drain: Duration) {
        let removal = self.registry.lock().await.remove(node, drain);
        // Where the background has ended, so has everything that could be removed.
        drop(self.background.runtime.spawn(removal).await);
    }

    /// What happened since the last call, on every node. Splits without requests are left out.
    pub async fn observe(&self) -> Vec<Observations> {
        self.collect().await;
        self.counted().report()
    }

    /// What happened since the start; takes nothing from `observe`.
    pub async fn statistics(&self) -> Statistics {
        let inspection = self.registry.lock().await.inspect();
        let workers = inspection.await;
        self.collect().await;
        let arms = self.counted().totals();
        Statistics { arms, workers }
    }

    /// Takes from the workers what they have counted. In the background: a caller that stops waiting
    /// leaves it for the next one.
    async fn collect(&self) {
        let (registry, counted) = (Arc::clone(&self.registry), Arc::clone(&self.counted));
        let collecting = self.background.runtime.spawn(async move {
            let observation = registry.lock().await.observe();
            let fresh = observation.await;
            locked(&counted).add(fresh);
        });
        if let Err(error) = collecting.await {
            tracing::error!(%error, "what the workers have counted could not be collected");
        }
    }

    /// The views that are applied, by node.
    pub async fn views(&self) -> Vec<Arc<NodeView>> {
        self.registry.lock().await.views()
    }

    pub async fn listeners(&self) -> Vec<BoundListener> {
        self.registry.lock().await.listeners()
    }

    /// Whether it drains, or has ended.
    pub async fn is_closing(&self) -> bool {
        self.registry.lock().await.is_closing()
    }

    /// Removes every node. Nothing can be applied afterwards.
    pub async fn drain(&self, drain: Duration) {
        let removals = self.registry.lock().await.remove_all(drain);
        for removal in removals {
            removal.await;
        }
    }

    /// Twins of all listening sockets, for another process to accept from when this one drains.
    pub async fn sockets(&self) -> io::Result<Vec<TcpListener>> {
        self.registry.lock().await.sockets()
    }

    /// Sockets that another process listened on, for views to come; those that none has asked for by the
    /// next call are closed.
    pub async fn inherit(&self, sockets: Vec<TcpListener>) {
        self.registry.lock().await.inherit(sockets);
    }

    /// What of the applied views is not carried, and why: requests to such a cluster get 503.
    pub async fn refusals(&self) -> Vec<Refusal> {
        self.registry.lock().await.refusals()
    }

    pub async fn endpoint_health(&self) -> Vec<EndpointHealth> {
        self.registry.lock().await.endpoint_health()
    }

    /// Sets or replaces what views of `node` call `Sds { secret: name }`. New connections have it at once;
    /// those that were open go on. Forgotten when the node is removed.
    pub fn set_secret(&self, node: &str, name: &str, secret: Secret) {
        self.secrets.set(node, name, secret);
    }

    /// What every listener and cluster that speaks TLS shows and believes, and what is wrong with it.
    pub async fn certificates(&self) -> Vec<CertificateStatus> {
        self.registry.lock().await.certificates()
    }

    /// Removes every node, then ends the workers and returns what was not observed yet. Nothing can be
    /// applied afterwards.
    pub async fn shutdown(&self, drain: Duration) -> Vec<Observations> {
        self.drain(drain).await;
        let last = self.observe().await;
        self.registry.lock().await.stop();
        last
    }

    fn counted(&self) -> MutexGuard<'_, Counted> {
        locked(&self.counted)
    }
}

fn locked(counted: &std::sync::Mutex<Counted>) -> MutexGuard<'_, Counted> {
    counted.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Background {
    fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (running, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("proxy-background".to_owned())
            .spawn(move || {
                // Ends either way: by a message that nobody sends, or by the handle's end.
                drop(runtime.block_on(ended));
            })?;
        Ok(Self {
            runtime: handle,
            _running: running,
        })
    }
}
