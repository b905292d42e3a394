//! What is applied: the nodes, their listeners, their watched clusters, and how workers are told.
//!
//! Kept behind a lock that only changes take; requests never see it. Workers are told by messages, and
//! a change is done when all of them have answered.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use view::observe::Observations;
use view::{Cluster, NodeView};

use crate::bind;
use crate::counters;
use crate::data_plane::{BoundListener, EndpointHealth};
use crate::discovery::{Surroundings, Watch, Watched};
use crate::error::{ApplyError, Refusal};
use crate::overload::Ceiling;
use crate::pool::Pool;
use crate::route::Program;
use crate::route::program::Listener;
use crate::statistics::WorkerStatistics;
use crate::tls::{Acceptor, CertificateStatus, Connector, Secrets};
use crate::worker::{Apply, ApplyListener, Command};

/// How long a view waits for the names in it; an answer that takes longer comes as an update.
const FIRST_LOOKUP: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Registry {
    /// Empty once the data plane has stopped.
    workers: Vec<mpsc::UnboundedSender<Command>>,
    /// Every node is being removed, and none may come.
    is_closing: bool,
    nodes: HashMap<String, Node>,
    /// Handed over by another process, and not part of any node yet.
    inherited: Vec<TcpListener>,
    secrets: Arc<Secrets>,
    /// Of each listener.
    most_connections: Option<NonZeroUsize>,
    around: Surroundings,
}

#[derive(Debug)]
struct Node {
    listeners: Vec<Bound>,
    watches: HashMap<String, Watch>,
    refusals: Vec<Refusal>,
    view: Arc<NodeView>,
}

/// A listener is known by what it asked for; with port 0 that is not where it is.
#[derive(Debug)]
struct Bound {
    name: String,
    bind: SocketAddr,
    address: SocketAddr,
    /// A set for each worker that does not listen there yet.
    sockets: Vec<Vec<TcpListener>>,
    /// Twins of the workers' sockets, to be handed over to another process.
    twins: Arc<Vec<TcpListener>>,
    /// Where the listener has limits: one for all workers.
    pool: Option<Arc<Pool>>,
    tls: Option<Arc<Acceptor>>,
    ceiling: Option<Arc<Ceiling>>,
}

impl Registry {
    pub(crate) fn new(
        workers: Vec<mpsc::UnboundedSender<Command>>,
        secrets: Arc<Secrets>,
        most_connections: Option<NonZeroUsize>,
        around: Surroundings,
    ) -> Self {
        Self {
            workers,
            is_closing: false,
            nodes: HashMap::new(),
            inherited: Vec::new(),
            secrets,
            most_connections,
            around,
        }
    }

    pub(crate) async fn apply(
        &mut self,
        program: Arc<Program>,
        view: Arc<NodeView>,
    ) -> Result<Vec<BoundListener>, ApplyError> {
        let stopped = || ApplyError::Stopped {
            node: program.node.clone(),
        };
        if self.is_closing || self.workers.is_empty() {
            return Err(stopped());
        }
        let mut listeners = self.bind(&program)?;
        let (clusters, watches) = self.watch(&program).await;
        // A socket that workers are about to close must close.
        if let Some(before) = self.nodes.get_mut(&program.node) {
            before.let_go_of_twins();
        }
        let told = self.tell(|done| {
            let listener = |bound: &mut Bound| ApplyListener {
                address: bound.address,
                sockets: bound.sockets.pop().unwrap_or_default(),
                pool: bound.pool.clone(),
                tls: bound.tls.clone(),
                ceiling: bound.ceiling.clone(),
            };
            Command::Apply(Box::new(Apply {
                program: Arc::clone(&program),
                clusters: clusters.clone(),
                listeners: listeners.iter_mut().map(listener).collect(),
                done,
            }))
        });
        all(told).await.ok_or_else(stopped)?;
        let bound = listeners.iter().map(Bound::told).collect();
        for refusal in &program.refusals {
            tracing::warn!(
                node = refusal.node,
                resource = refusal.resource,
                reason = refusal.reason,
                "part of a view is refused, the rest goes on"
            );
        }
        let node = Node {
            listeners,
            watches,
            refusals: program.refusals.clone(),
            view,
        };
        self.nodes.insert(program.node.clone(), node);
        Ok(bound)
    }

    /// Listeners that the node has already are kept; for the others a socket is opened for each worker. Where
    /// one fails, the sockets that the process before handed over stay for a view to come.
    fn bind(&mut self, program: &Program) -> Result<Vec<Bound>, ApplyError> {
        let mut inherited = std::mem::take(&mut self.inherited);
        let handed_over: Vec<SocketAddr> = inherited
            .iter()
            .filter_map(|socket| socket.local_addr().ok())
            .collect();
        let mut all = Vec::with_capacity(program.listeners.len());
        let mut listeners = program.listeners.iter();
        let failed =
            listeners.find_map(
                |listener| match self.bind_one(program, listener, &mut inherited) {
                    Ok(bound) => {
                        all.push(bound);
                        None
                    }
                    Err(error) => Some(error),
                },
            );
        if let Some(error) = failed {
            all.retain(|bound: &Bound| handed_over.contains(&bound.address));
            let given_back = all.into_iter().flat_map(|bound| bound.sockets);
            inherited.extend(given_back.flatten());
            self.inherited = inherited;
            return Err(error);
        }
        self.inherited = inherited;
        Ok(all)
    }

    fn bind_one(
        &self,
        program: &Program,
        listener: &Listener,
        inherited: &mut Vec<TcpListener>,
    ) -> Result<Bound, ApplyError> {
        let before = self.nodes.get(&program.node);
        let before = before.map_or(&[][..], |node| &node.listeners);
        let is_same = |bound: &&Bound| {
            bound.bind == listener.bind && (bound.bind.port() != 0 || bound.name == listener.name)
        };
        let kept = before.iter().find(is_same);
        let tls = self.acceptor(program, listener, kept)?;
        let (address, sockets, twins) = match kept {
            Some(bound) => (bound.address, Vec::new(), Arc::clone(&bound.twins)),
            None => {
                let opened = open(listener.bind, inherited, self.workers.len());
                let (address, sockets, twins) =
                    opened.map_err(|source| not_bound(program, listener, source))?;
                (address, sockets, Arc::new(twins))
            }
        };
        Ok(Bound {
            name: listener.name.clone(),
            bind: listener.bind,
            address,
            sockets,
            twins,
            pool: Pool::new(&listener.limits, kept.and_then(|bound| bound.pool.as_ref())),
            tls,
            ceiling: match kept {
                Some(bound) => bound.ceiling.clone(),
                None => Ceiling::of(self.most_connections),
            },
        })
    }

    /// Goes on with the one before where it is to be the same, and so with its clients' sessions.
    fn acceptor(
        &self,
        program: &Program,
        listener: &Listener,
        before: Option<&Bound>,
    ) -> Result<Option<Arc<Acceptor>>, ApplyError> {
        let Some(tls) = &listener.tls else {
            return Ok(None);
        };
        let before = before.and_then(|bound| bound.tls.as_ref());
        if let Some(same) = before.filter(|before| before.is_for(tls, listener.protocol)) {
            return Ok(Some(Arc::clone(same)));
        }
        let (node, name) = (&program.node, &listener.name);
        let acceptor = Acceptor::new(node, name, tls, listener.protocol, &self.secrets);
        let acceptor = acceptor.map_err(|source| ApplyError::Tls {
            node: node.clone(),
            listener: name.clone(),
            source: Box::new(source),
        })?;
        Ok(Some(Arc::new(acceptor)))
    }

    fn connector(
        &self,
        program: &Program,
        cluster: &Cluster,
        before: Option<&Watch>,
    ) -> Option<Arc<Connector>> {
        let tls = cluster.tls.as_ref()?;
        let before = before.and_then(|watch| watch.watched.tls.as_ref());
        if let Some(same) = before.filter(|before| before.is_for(tls, cluster.protocol)) {
            return Some(Arc::clone(same));
        }
        let (node, name) = (&program.node, &cluster.name);
        let connector = Connector::new(node, name, tls, cluster.protocol, &self.secrets);
        Some(Arc::new(connector))
    }

    /// What listeners and clusters that speak TLS show and believe.
    pub(crate) fn certificates(&self) -> Vec<CertificateStatus> {
        let mut known = Vec::new();
        for node in self.nodes.values() {
            for acceptor in node.listeners.iter().filter_map(|bound| bound.tls.as_ref()) {
                known.extend(acceptor.status());
            }
            for connector in node
                .watches
                .values()
                .filter_map(|watch| watch.watched.tls.as_ref())
            {
                known.extend(connector.status());
            }
        }
        known.sort_by(|a, b| (&a.node, &a.resource).cmp(&(&b.node, &b.resource)));
        known
    }

    /// Everything that is made of certificates and trust, to be looked at without holding up changes.
    pub(crate) fn renewable(&self) -> (Vec<Arc<Acceptor>>, Vec<Arc<Connector>>) {
        let nodes = self.nodes.values();
        let listeners = nodes.clone().flat_map(|node| &node.listeners);
        let watches = nodes.flat_map(|node| node.watches.values());
        (
            listeners.filter_map(|bound| bound.tls.clone()).collect(),
            watches
                .filter_map(|watch| watch.watched.tls.clone())
                .collect(),
        )
    }

    /// Starts to watch every cluster, in the program's order.
    async fn watch(&self, program: &Program) -> (Vec<Watched>, HashMap<String, Watch>) {
        let before = self.nodes.get(&program.node);
        let mut watches: Vec<(String, Watch)> = program
            .clusters
            .iter()
            .map(|cluster| {
                let before = before.and_then(|node| node.watches.get(&cluster.name));
                let tls = self.connector(program, cluster, before);
                let watch = Watch::start(cluster, tls, before, &self.around);
                (cluster.name.clone(), watch)
            })
            .collect();
        let looked_up = async {
            for (_, watch) in &mut watches {
                watch.looked_up().await;
            }
        };
        // Requests to a name that is still unknown get 503 until it is.
        drop(tokio::time::timeout(FIRST_LOOKUP, looked_up).await);
        let clusters = watches
            .iter()
            .map(|(_, watch)| watch.watched.clone())
            .collect();
        (clusters, watches.into_iter().collect())
    }

    /// The future ends when nothing of the node is left; the removal goes on without it.
    pub(crate) fn remove(
        &mut self,
        node: &str,
        drain: Duration,
    ) -> impl Future<Output = ()> + Send + use<> {
        let mut removed = self.nodes.remove(node);
        self.secrets.forget(node);
        if let Some(removed) = &mut removed {
            removed.let_go_of_twins();
        }
        let told = self.tell(|done| Command::Remove {
            node: node.to_owned(),
            drain,
            done,
        });
        async move {
            all(told).await;
            // Endpoints are checked until the last request has ended.
            drop(removed);
        }
    }

    pub(crate) fn remove_all(
        &mut self,
        drain: Duration,
    ) -> Vec<impl Future<Output = ()> + Send + use<>> {
        self.is_closing = true;
        let nodes: Vec<String> = self.nodes.keys().cloned().collect();
        nodes.iter().map(|node| self.remove(node, drain)).collect()
    }

    pub(crate) fn observe(&self) -> impl Future<Output = Vec<Observations>> + Send + use<> {
        let told = self.tell(|reply| Command::Observe { reply });
        async {
            let mut counted = Vec::new();
            for answer in told {
                // A worker that has ended takes nothing from what the others have counted.
                counted.extend(answer.await.unwrap_or_default());
            }
            counters::merge(counted)
        }
    }

    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        let mut refusals: Vec<Refusal> = self
            .nodes
            .values()
            .flat_map(|node| node.refusals.iter().cloned())
            .collect();
        refusals.sort_by(|a, b| (&a.node, &a.resource).cmp(&(&b.node, &b.resource)));
        refusals
    }

    pub(crate) fn endpoint_health(&self) -> Vec<EndpointHealth> {
        let mut known = Vec::new();
        for (node, entry) in &self.nodes {
            for (cluster, watch) in &entry.watches {
                for endpoint in watch.watched.endpoints.load().iter() {
                    let health = endpoint.health();
                    known.push(EndpointHealth {
                        node: node.clone(),
                        cluster: cluster.clone(),
                        virtual_node: watch.virtual_node.clone(),
                        id: endpoint.id.clone(),
                        address: endpoint.address,
                        status: health.status,
                        reason: health.reason,
                        is_ejected: endpoint.record.is_ejected(),
                    });
                }
            }
        }
        known.sort_by(|a, b| {
            (&a.node, &a.cluster, a.address).cmp(&(&b.node, &b.cluster, b.address))
        });
        known
    }

    pub(crate) fn views(&self) -> Vec<Arc<NodeView>> {
        let mut views: Vec<_> = self
            .nodes
            .values()
            .map(|node| Arc::clone(&node.view))
            .collect();
        views.sort_by(|a, b| a.node.cmp(&b.node));
        views
    }

    pub(crate) fn listeners(&self) -> Vec<BoundListener> {
        let bound = self.nodes.values().flat_map(|node| &node.listeners);
        let mut listeners: Vec<_> = bound.map(Bound::told).collect();
        listeners.sort_by_key(|listener| listener.address);
        listeners
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing
    }

    pub(crate) fn inspect(&self) -> impl Future<Output = Vec<WorkerStatistics>> + Send + use<> {
        let told = self.tell(|reply| Command::Inspect { reply });
        async { all(told).await.unwrap_or_default() }
    }

    /// Twins of all listening sockets, for another process to accept from.
    pub(crate) fn sockets(&self) -> io::Result<Vec<TcpListener>> {
        let bound = self.nodes.values().flat_map(|node| &node.listeners);
        twins(bound.flat_map(|bound| bound.twins.iter()))
    }

    /// Sockets for views to come. Those of the process before that no view asked for go.
    pub(crate) fn inherit(&mut self, sockets: Vec<TcpListener>) {
        self.inherited = sockets;
    }

    /// Ends the workers.
    pub(crate) fn stop(&mut self) {
        self.workers.clear();
    }

    /// Sends a command to every worker and returns where they will answer.
    fn tell<T>(
        &self,
        mut command: impl FnMut(oneshot::Sender<T>) -> Command,
    ) -> Vec<oneshot::Receiver<T>> {
        let tell = |worker: &mpsc::UnboundedSender<Command>| {
            let (reply, answer) = oneshot::channel();
            // A worker that has ended drops the command, and the answer shows it.
            drop(worker.send(command(reply)));
            answer
        };
        self.workers.iter().map(tell).collect()
    }
}

impl Bound {
    fn told(&self) -> BoundListener {
        BoundListener {
            name: self.name.clone(),
            address: self.address,
        }
    }
}

impl Node {
    fn let_go_of_twins(&mut self) {
        for bound in &mut self.listeners {
            bound.twins = Arc::default();
        }
    }
}

/// Where a listener is, a set of sockets for each worker, and a twin of each of them.
type Opened = (SocketAddr, Vec<Vec<TcpListener>>, Vec<TcpListener>);

/// Takes the inherited ones where there are any.
fn open(
    address: SocketAddr,
    inherited: &mut Vec<TcpListener>,
    workers: usize,
) -> io::Result<Opened> {
    let is_there = |socket: &mut TcpListener| socket.local_addr().is_ok_and(|own| own == address);
    let mut adopted: Vec<TcpListener> = inherited.extract_if(.., is_there).collect();
    if adopted.is_empty() {
        let (address, sockets) = bind::listen(address, workers)?;
        let twins = twins(sockets.iter())?;
        let sockets = sockets.into_iter().map(|socket| vec![socket]);
        return Ok((address, sockets.collect(), twins));
    }
    let sets = match bind::adopt(address, &mut adopted, workers) {
        Ok(sets) => sets,
        Err(error) => {
            inherited.append(&mut adopted);
            return Err(error);
        }
    };
    match twins(sets.iter().flatten()) {
        Ok(twins) => Ok((address, sets, twins)),
        Err(error) => {
            inherited.extend(sets.into_iter().flatten());
            Err(error)
        }
    }
}

fn twins<'s>(sockets: impl Iterator<Item = &'s TcpListener>) -> io::Result<Vec<TcpListener>> {
    sockets.map(TcpListener::try_clone).collect()
}

/// What all workers answered; `None` if one has ended.
async fn all<T>(told: Vec<oneshot::Receiver<T>>) -> Option<Vec<T>> {
    let mut answers = Vec::with_capacity(told.len());
    for answer in told {
        answers.push(answer.await.ok()?);
    }
    Some(answers)
}

fn not_bound(program: &Program, listener: &Listener, source: io::Error) -> ApplyError {
    let (node, listener, address) = (program.node.clone(), listener.name.clone(), listener.bind);
    match source.kind() {
        io::ErrorKind::AddrInUse => ApplyError::AddressInUse {
            node,
            listener,
            address,
        },
        _ => ApplyError::Listen {
            node,
            listener,
            address,
            source,
        },
    }
}
