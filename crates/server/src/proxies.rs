//! The proxies that run on their own: who they are, what they carry, and the views they are sent.
//!
//! Each has one stream ([`conversation`]). What is known of a proxy outlives its stream, so that one that
//! comes back counts nothing twice, and one that is gone is still seen for a while.

pub(crate) mod conversation;
mod secrets;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use compute::Fleet;
use link::{Condition, Hello, Intake};
use model::{ResourceId, Snapshot, Timestamp};
use release::Manifest;
use tokio::sync::{oneshot, watch};
use view::{Binding, NodeView};

use crate::authorities::Authorities;
use crate::traffic::Traffic;
use crate::{registry, steering};

/// How long a release waits for a proxy that is away and carries older weights.
const AWAY: Duration = Duration::from_secs(60);

/// How long a proxy is remembered that does not come back.
const REMEMBERED: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(crate) struct Proxies {
    pub(crate) traffic: Arc<Traffic>,
    sight: Sight,
    /// Of whom proxies have their identities.
    authorities: Arc<Authorities>,
    /// By instance.
    known: Mutex<BTreeMap<String, Remote>>,
}

/// What views are made of.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    pub(crate) snapshots: watch::Receiver<Snapshot>,
    /// Where a manifest's tasks run here: its mesh finds them without Cloud Map.
    pub(crate) tasks: Option<(Arc<Manifest>, watch::Receiver<Arc<Fleet>>)>,
}

/// A proxy elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) node: ResourceId,
    pub(crate) version: String,
    pub(crate) connected: bool,
    pub(crate) last_seen: Timestamp,
    /// The newest revision of the mesh that it acts on.
    pub(crate) carried: Option<u64>,
    /// The view that it cannot apply, and why.
    pub(crate) refused: Option<(u64, String)>,
    pub(crate) condition: Condition,
    /// Which of its reports came, and which are kept for good.
    intake: Arc<watch::Sender<Intake>>,
    /// Ends its present stream when dropped.
    _stream: Arc<oneshot::Sender<()>>,
}

impl Proxies {
    pub(crate) fn new(traffic: Arc<Traffic>, sight: Sight, authorities: Arc<Authorities>) -> Self {
        Self {
            traffic,
            sight,
            authorities,
            known: Mutex::default(),
        }
    }

    /// Whether every proxy of the mesh acts on this revision; who has been away for long is not waited for.
    pub(crate) fn all_carry(&self, mesh: &str, revision: u64, now: Timestamp) -> bool {
        let known = self.lock();
        let counted = known.values().filter(|remote| {
            remote.node.mesh == *mesh && (remote.connected || now.since(remote.last_seen) < AWAY)
        });
        counted
            .into_iter()
            .all(|remote| remote.carried >= Some(revision))
    }

    /// Everybody who is connected, or was not long ago, by instance.
    pub(crate) fn list(&self) -> Vec<(String, Remote)> {
        let known = self.lock();
        known
            .iter()
            .map(|(instance, remote)| (instance.clone(), remote.clone()))
            .collect()
    }

    /// A stream of this proxy begins, and takes the place of an earlier one.
    fn enter(
        &self,
        hello: &Hello,
        node: ResourceId,
        now: Timestamp,
    ) -> (Arc<watch::Sender<Intake>>, oneshot::Receiver<()>) {
        let (stream, replaced) = oneshot::channel();
        let mut known = self.lock();
        let before = known.remove(&hello.instance);
        known.retain(|_, remote| remote.connected || now.since(remote.last_seen) < REMEMBERED);
        let intake = before.map_or_else(Arc::default, |before| before.intake);
        let remote = Remote {
            node,
            version: hello.version.clone(),
            connected: true,
            last_seen: now,
            // Its disk may remember another history of the mesh: it is sent a view, and its answer tells.
            carried: None,
            refused: None,
            condition: Condition::default(),
            intake: Arc::clone(&intake),
            _stream: Arc::new(stream),
        };
        known.insert(hello.instance.clone(), remote);
        (intake, replaced)
    }

    fn update(&self, instance: &str, update: impl FnOnce(&mut Remote)) {
        if let Some(remote) = self.lock().get_mut(instance) {
            update(remote);
        }
    }

    /// The proxy has ended and will not come back.
    fn forget(&self, instance: &str) {
        self.lock().remove(instance);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Remote>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sight {
    /// What the node is discovered by.
    fn names(&self, node: &ResourceId) -> Vec<String> {
        match self.snapshots.borrow().get(node).map(|found| &found.spec) {
            Some(model::Spec::VirtualNode(spec)) => view::discovery_names(spec),
            _ => Vec::new(),
        }
    }

    fn view(&self, node: &ResourceId, binding: &Binding) -> Result<NodeView, view::compile::Error> {
        let mut view = view::compile(&self.snapshots.borrow(), node, binding)?;
        if let Some((manifest, fleet)) = &self.tasks {
            registry::resolve(&mut view, manifest, &registry::instances(&fleet.borrow()));
            steering::steer(&mut view, manifest);
        }
        Ok(view)
    }

    /// Returns when a view may have become another one; false when the server ends.
    async fn changed(&mut self) -> bool {
        let changed = match &mut self.tasks {
            Some((_, fleet)) => tokio::select! {
                changed = self.snapshots.changed() => changed,
                changed = fleet.changed() => changed,
            },
            None => self.snapshots.changed().await,
        };
        changed.is_ok()
    }
}
