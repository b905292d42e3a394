//! The endpoints of one cluster, kept up to date in the background: who they are and how they are.
//!
//! Each applied view gets endpoint lists of its own, so that requests of the view before it still find
//! theirs; what is known of an endpoint is carried over while the same instance has its address. A Cloud Map
//! cluster has no endpoints here: whoever compiles the view answers the lookup first and makes it static.

mod dns;
mod following;
mod name;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::AbortHandle;
use view::{Cluster, Discovery};

use crate::balancing::Balancing;
use crate::endpoint::Shared;
use crate::health::{self, Checking, Generation, Health, HealthStatus};
use crate::outlier::{self, Outliers};
use crate::tls::Connector;
pub(crate) use dns::Dns;
use following::Following;
use name::Name;

/// The endpoints of one cluster in one view.
pub(crate) type Endpoints = ArcSwap<Vec<Arc<Shared>>>;

/// What workers need of a watched cluster.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) endpoints: Arc<Endpoints>,
    pub(crate) outliers: Option<Arc<Outliers>>,
    pub(crate) balancing: Arc<Balancing>,
    /// How its endpoints are spoken to, where not in plain text.
    pub(crate) tls: Option<Arc<Connector>>,
}

/// What the watches of a data plane have in common.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) generation: Generation,
    pub(crate) balancing: Arc<Balancing>,
    pub(crate) dns: Dns,
    /// How many health checks may be under way at once.
    pub(crate) checks: Arc<Semaphore>,
    pub(crate) runtime: Handle,
}

/// Stops its background work when dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) virtual_node: String,
    pub(crate) watched: Watched,
    checked: Arc<Checked>,
    /// Where a name says who the endpoints are; the next view's too, if it is the same name there.
    following: Option<Arc<Following>>,
    sweeper: Option<AbortHandle>,
    /// Comes when a name has been looked up for the first time.
    first_lookup: Option<oneshot::Receiver<()>>,
}

/// The endpoints of a cluster with the tasks that check them.
#[derive(Debug)]
struct Checked {
    checking: Option<Checking>,
    around: Surroundings,
    known: Mutex<HashMap<SocketAddr, Known>>,
}

#[derive(Debug)]
struct Known {
    endpoint: Arc<Shared>,
    checker: Option<AbortHandle>,
}

impl Known {
    /// Checks it no longer.
    fn stop(&self) {
        if let Some(checker) = &self.checker {
            checker.abort();
        }
    }
}

impl Watch {
    /// Takes over what `before`, the same cluster in the view before, knows.
    pub(crate) fn start(
        cluster: &Cluster,
        tls: Option<Arc<Connector>>,
        before: Option<&Self>,
        around: &Surroundings,
    ) -> Self {
        let runtime = &around.runtime;
        let checked = Arc::new(Checked {
            checking: cluster.health_check.clone().map(|check| Checking {
                check,
                tls: tls.clone(),
                proxy_header: cluster.sends_proxy_header,
            }),
            around: around.clone(),
            known: Mutex::default(),
        });
        if let Some(before) = before {
            checked.inherit(&before.checked);
        }
        let endpoints = Arc::new(Endpoints::default());
        let outliers = cluster.outlier_detection.clone().map(|detection| {
            let (endpoints, generation) = (Arc::clone(&endpoints), Arc::clone(&around.generation));
            let before = before.and_then(|before| before.watched.outliers.as_deref());
            Arc::new(Outliers::new(detection, endpoints, generation, before))
        });
        if outliers.is_none() {
            checked.clear_records();
        }
        let sweeper = outliers
            .clone()
            .map(|outliers| runtime.spawn(outlier::watch(outliers)).abort_handle());
        let (mut following, mut first_lookup) = (None, None);
        match &cluster.discovery {
            Discovery::Static { endpoints: named } => {
                checked.publish(named.clone(), &endpoints);
            }
            Discovery::Dns {
                hostname,
                port,
                response,
                ip_preference,
            } => {
                let name = Name {
                    hostname: hostname.clone(),
                    port: *port,
                    response: *response,
                    ip_preference: *ip_preference,
                };
                // What the name meant a moment ago serves until it has been looked up again.
                if before.is_some() {
                    let known = checked.addresses();
                    checked.publish(known, &endpoints);
                }
                let (checked, endpoints) = (Arc::clone(&checked), Arc::clone(&endpoints));
                let followed = before.and_then(|before| before.following.as_ref());
                following = Some(match followed.filter(|followed| followed.is_of(&name)) {
                    Some(same) => {
                        same.goes_on_for(checked, endpoints);
                        Arc::clone(same)
                    }
                    None => {
                        let (done, first) = oneshot::channel();
                        first_lookup = Some(first);
                        Arc::new(Following::start(name, checked, endpoints, done))
                    }
                });
            }
            Discovery::CloudMap { .. } => {}
        }
        Self {
            virtual_node: cluster.virtual_node.clone(),
            watched: Watched {
                endpoints,
                outliers,
                balancing: Arc::clone(&around.balancing),
                tls,
            },
            checked,
            following,
            sweeper,
            first_lookup,
        }
    }

    /// Waits until a name has been looked up once, whatever came of it.
    pub(crate) async fn looked_up(&mut self) {
        if let Some(first) = self.first_lookup.take() {
            // An error is a resolver that has ended: there is nothing to wait for.
            drop(first.await);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(sweeper) = &self.sweeper {
            sweeper.abort();
        }
        for known in self.checked.known().values() {
            known.stop();
        }
    }
}

impl Checked {
    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<SocketAddr, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn addresses(&self) -> Vec<view::Endpoint> {
        let known = self.known();
        known
            .values()
            .map(|known| view::Endpoint {
                id: known.endpoint.id.clone(),
                address: known.endpoint.address,
                zone: known.endpoint.zone.clone(),
            })
            .collect()
    }

    fn is_usable(&self, address: SocketAddr) -> bool {
        self.known()
            .get(&address)
            .is_none_or(|known| known.endpoint.health().status != HealthStatus::Unhealthy)
    }

    /// A cluster that does not eject holds nothing against its endpoints.
    fn clear_records(&self) {
        for known in self.known().values() {
            known.endpoint.record.clear();
        }
    }

    /// Endpoints keep their health; a checker goes on in the new watch where the check is the same.
    fn inherit(&self, before: &Self) {
        let same_check = match (&self.checking, &before.checking) {
            (Some(one), Some(other)) => one.is_same(other),
            _ => false,
        };
        let mut known = self.known();
        for (&address, old) in before.known().iter_mut() {
            let checker = if same_check { old.checker.take() } else { None };
            known.insert(
                address,
                Known {
                    endpoint: Arc::clone(&old.endpoint),
                    checker,
                },
            );
        }
    }

    /// Makes `named` the cluster's endpoints: checks the new ones, forgets those that left.
    fn publish(&self, named: Vec<view::Endpoint>, endpoints: &Endpoints) {
        let mut known = self.known();
        let mut listed: Vec<Arc<Shared>> = Vec::with_capacity(named.len());
        for named in named {
            if !listed
                .iter()
                .any(|endpoint| endpoint.address == named.address)
            {
                listed.push(self.endpoint(&mut known, named));
            }
        }
        known.retain(|address, left| {
            let stays = listed.iter().any(|endpoint| endpoint.address == *address);
            if !stays {
                left.stop();
            }
            stays
        });
        drop(known);
        endpoints.store(Arc::new(listed));
        self.around.generation.fetch_add(1, Ordering::Release);
    }

    fn endpoint(
        &self,
        known: &mut HashMap<SocketAddr, Known>,
        named: view::Endpoint,
    ) -> Arc<Shared> {
        let address = named.address;
        let mut before = known.remove(&address);
        // An address that was given to another instance says nothing of it.
        if let Some(left) = before.take_if(|old| old.endpoint.id != named.id) {
            left.stop();
        }
        let health = self.starting_health(before.as_ref());
        let unchanged = before.as_ref().is_some_and(|old| {
            old.endpoint.zone == named.zone && old.endpoint.health().status == health.status
        });
        let (endpoint, running) = match before {
            Some(old) if unchanged => (old.endpoint, old.checker),
            Some(old) => {
                old.stop();
                (Arc::new(old.endpoint.changed(named, health)), None)
            }
            None => (Arc::new(Shared::new(named, health)), None),
        };
        let checker = running.or_else(|| {
            let watching = health::watch(
                Arc::clone(&endpoint),
                self.checking.clone()?,
                Arc::clone(&self.around.generation),
                Arc::clone(&self.around.checks),
            );
            Some(self.around.runtime.spawn(watching).abort_handle())
        });
        known.insert(
            address,
            Known {
                endpoint: Arc::clone(&endpoint),
                checker,
            },
        );
        endpoint
    }

    /// A check that is new to an endpoint in use must not take it out of use before it has failed.
    fn starting_health(&self, before: Option<&Known>) -> Health {
        if self.checking.is_none() {
            return Health::new(HealthStatus::Unchecked);
        }
        match before.map(|known| known.endpoint.health()) {
            None => Health::new(HealthStatus::Unknown),
            Some(health) if health.status == HealthStatus::Unchecked => health.trusted(),
            Some(health) => health,
        }
    }
}

/// An endpoint that is known by its address alone.
pub(crate) fn unnamed(address: SocketAddr) -> view::Endpoint {
    view::Endpoint {
        id: address.to_string(),
        address,
        zone: None,
    }
}

/// Whether connections of the one may be used for the other.
pub(crate) fn is_same(one: &Option<Arc<Connector>>, other: &Option<Arc<Connector>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        _ => false,
    }
}
