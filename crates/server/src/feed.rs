//! Keeps the data plane's views current: every change of the mesh or of the fleet becomes, for each node
//! it touches, one new view.
//!
//! `carried` tells which revision of the mesh every proxy carries. What people should know but no caller
//! waits for (a port that was taken later) is logged.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use compute::Fleet;
use model::{Kind, ResourceId, Snapshot};
use proxy::{ApplyError, DataPlane};
use release::Manifest;
use release::mesh::gateway_listener_port;
use tokio::sync::{Mutex, watch};
use view::{Binding, Entry, NodeView, ProxyProtocol};

use crate::acm::{self, AcmFiles};
use crate::configuration::NodePath;
use crate::identities::Identities;
use crate::ports::Ports;
use crate::{registry, steering};

/// How long requests may go on when their proxy's node was deleted.
const NODE_DRAIN: Duration = Duration::from_secs(30);

/// Before a view that could not be applied is tried again.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Feed {
    manifest: Arc<Manifest>,
    plane: Arc<DataPlane>,
    identities: Arc<Identities>,
    acm: AcmFiles,
    /// By the paths of nodes and gateways.
    proxy_protocol: BTreeMap<NodePath, ProxyProtocol>,
    snapshots: watch::Receiver<Snapshot>,
    fleet: watch::Receiver<Arc<Fleet>>,
    carried: watch::Sender<u64>,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    views: BTreeMap<String, Arc<NodeView>>,
    /// Each node's listener for calls that leave it, or for those that enter the mesh.
    addresses: BTreeMap<String, SocketAddr>,
    ports: Ports,
}

impl Feed {
    pub(crate) fn new(
        manifest: Arc<Manifest>,
        plane: Arc<DataPlane>,
        identities: Arc<Identities>,
        acm: AcmFiles,
        snapshots: watch::Receiver<Snapshot>,
        fleet: watch::Receiver<Arc<Fleet>>,
        ports: Ports,
    ) -> Self {
        Self {
            manifest,
            plane,
            identities,
            acm,
            proxy_protocol: BTreeMap::new(),
            snapshots,
            fleet,
            carried: watch::Sender::new(0),
            current: Mutex::new(Current {
                views: BTreeMap::new(),
                addresses: BTreeMap::new(),
                ports,
            }),
        }
    }

    /// Where the PROXY protocol is spoken, by the paths of nodes and gateways.
    pub(crate) fn speaking(mut self, proxy_protocol: BTreeMap<NodePath, ProxyProtocol>) -> Self {
        self.proxy_protocol = proxy_protocol;
        self
    }

    /// The revision that every proxy carries.
    pub(crate) fn carried(&self) -> watch::Receiver<u64> {
        self.carried.subscribe()
    }

    /// Every node that has a proxy here.
    pub(crate) async fn carrying(&self) -> Vec<String> {
        self.current.lock().await.views.keys().cloned().collect()
    }

    /// Where a node's callers, or the gateway's, connect.
    pub(crate) async fn address(&self, node: &ResourceId) -> Option<SocketAddr> {
        self.current
            .lock()
            .await
            .addresses
            .get(&node.path())
            .copied()
    }

    /// The weight of every target by its split and its arm, as the proxies carry it.
    pub(crate) async fn weights(&self) -> BTreeMap<(String, String), u32> {
        let current = self.current.lock().await;
        let services = current.views.values().flat_map(|view| &view.services);
        let splits = services
            .flat_map(|service| &service.routes)
            .map(|route| &route.split);
        splits
            .flat_map(|split| {
                let targets = split.targets.iter();
                targets.map(|target| ((split.id.clone(), target.arm.clone()), target.weight))
            })
            .collect()
    }

    /// Follows the mesh and the fleet for ever.
    pub(crate) async fn run(self: Arc<Self>) {
        let (mut snapshots, mut fleet) = (self.snapshots.clone(), self.fleet.clone());
        let mut failed = false;
        loop {
            let changed = tokio::select! {
                changed = snapshots.changed() => changed,
                changed = fleet.changed() => changed,
                () = tokio::time::sleep(RETRY), if failed => Ok(()),
            };
            if changed.is_err() {
                return;
            }
            snapshots.mark_unchanged();
            fleet.mark_unchanged();
            let refreshed = self.refresh().await;
            failed = refreshed.is_err();
            if let Err(error) = refreshed {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "a proxy keeps its last view; trying again");
            }
        }
    }

    /// Brings every node up to date. An error of one node leaves it its last view and goes on with the rest.
    pub(crate) async fn refresh(&self) -> Result<(), ApplyError> {
        let mut current = self.current.lock().await;
        let snapshot = self.snapshots.borrow().clone();
        let instances = registry::instances(&self.fleet.borrow());
        let mut failed = None;
        let mut nodes = BTreeSet::new();
        for node in self.nodes(&snapshot) {
            let binding = self.binding(&node, &mut current.ports);
            let Ok(mut view) = view::compile(&snapshot, &node, &binding) else {
                continue;
            };
            registry::resolve(&mut view, &self.manifest, &instances);
            acm::resolve(&mut view, &self.acm);
            self.provide(&view, &snapshot, &node);
            give_ports(&mut view, &mut current.ports);
            steering::steer(&mut view, &self.manifest);
            nodes.insert(view.node.clone());
            if let Err(error) = self.apply(&mut current, view).await {
                failed = Some(error);
            }
        }
        self.drop_others(&mut current, &nodes);
        match failed {
            Some(error) => Err(error),
            None => {
                self.carried.send_replace(snapshot.revision());
                Ok(())
            }
        }
    }

    /// The nodes that need a proxy here: the gateway, and whoever calls others.
    fn nodes(&self, snapshot: &Snapshot) -> Vec<ResourceId> {
        let mesh = self.manifest.mesh.as_str();
        let gateways = snapshot
            .of_kind(mesh, Kind::VirtualGateway)
            .map(|gateway| gateway.id.clone());
        let callers = snapshot
            .of_kind(mesh, Kind::VirtualNode)
            .filter(|node| matches!(&node.spec, model::Spec::VirtualNode(spec) if !spec.backends().is_empty()))
            .map(|node| node.id.clone());
        gateways.chain(callers).collect()
    }

    fn binding(&self, node: &ResourceId, ports: &mut Ports) -> Binding {
        let mut binding = Binding::loopback();
        if let Some(proxy_protocol) = self.proxy_protocol.get(node.path().as_str()) {
            binding.proxy_protocol = proxy_protocol.clone();
        }
        if *node == self.manifest.virtual_gateway() {
            let spec_port = gateway_listener_port(&self.manifest);
            binding
                .gateway_ports
                .insert(spec_port, self.manifest.gateway.port);
        } else if node.kind() == Kind::VirtualNode {
            match ports.of(&node.path()) {
                Ok(port) => binding.egress_port = Some(port),
                Err(error) => tracing::error!(%error, %node, "could not choose an egress port"),
            }
        }
        binding
    }

    /// A view without its secrets is applied all the same: what needs none of them works.
    fn provide(&self, view: &NodeView, snapshot: &Snapshot, node: &ResourceId) {
        let names = match snapshot.get(node).map(|resource| &resource.spec) {
            Some(model::Spec::VirtualNode(spec)) => view::discovery_names(spec),
            _ => Vec::new(),
        };
        if let Err(error) = self.identities.provide(view, &names) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(error, %node, "a node has no identity");
        }
    }

    async fn apply(&self, current: &mut Current, view: NodeView) -> Result<(), ApplyError> {
        if current
            .views
            .get(&view.node)
            .is_some_and(|last| same_but_revision(last, &view))
        {
            return Ok(());
        }
        let view = Arc::new(view);
        let bound = self.plane.apply(Arc::clone(&view)).await?;
        if let Some(listener) = bound.first() {
            current
                .addresses
                .insert(view.node.clone(), listener.address);
        }
        current.views.insert(view.node.clone(), view);
        Ok(())
    }

    fn drop_others(&self, current: &mut Current, nodes: &BTreeSet<String>) {
        let gone: Vec<String> = current
            .views
            .keys()
            .filter(|node| !nodes.contains(*node))
            .cloned()
            .collect();
        for node in gone {
            current.views.remove(&node);
            current.addresses.remove(&node);
            self.identities.forget(&node);
            let plane = Arc::clone(&self.plane);
            tokio::spawn(async move { plane.remove(&node, NODE_DRAIN).await });
        }
    }
}

/// The listener of a backend over TCP has a port of its own, for good, like the node's egress.
fn give_ports(view: &mut NodeView, ports: &mut Ports) {
    for listener in &mut view.listeners {
        if let Entry::Service { .. } = listener.entry
            && listener.bind.port() == 0
        {
            let name = format!("{}/{}", view.node, listener.name);
            match ports.of(&name) {
                Ok(port) => listener.bind.set_port(port),
                Err(error) => tracing::error!(%error, name, "could not choose an egress port"),
            }
        }
    }
}

fn same_but_revision(one: &NodeView, other: &NodeView) -> bool {
    one.listeners == other.listeners
        && one.services == other.services
        && one.clusters == other.clusters
}
