//! The endpoints of one cluster, kept up to date in the background: who they are and how they are.
//!
//! Each applied view gets endpoint lists of its own, so that requests of the view before it still find
//! theirs; what is known of an endpoint is carried over by its address. A Cloud Map cluster has no
//! endpoints here: whoever compiles the view answers the lookup first and makes it static.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use view::{Cluster, Discovery, DnsResponse, HealthCheck, IpPreference};

use crate::balancing::Balancing;
use crate::endpoint::Shared;
use crate::health::{self, Generation, Health, HealthStatus};
use crate::outlier::{self, Outliers};
use crate::tls::Connector;

/// How often names are resolved again; `getaddrinfo` does not tell how long an answer holds.
const REFRESH: Duration = Duration::from_secs(5);

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

/// Stops its background work when dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) virtual_node: String,
    pub(crate) watched: Watched,
    checked: Arc<Checked>,
    resolver: Option<AbortHandle>,
    sweeper: Option<AbortHandle>,
    /// Comes when a name has been looked up for the first time.
    first_lookup: Option<oneshot::Receiver<()>>,
}

/// The endpoints of a cluster with the tasks that check them.
#[derive(Debug)]
struct Checked {
    check: Option<HealthCheck>,
    tls: Option<Arc<Connector>>,
    generation: Generation,
    runtime: Handle,
    known: Mutex<HashMap<SocketAddr, Known>>,
}

#[derive(Debug)]
struct Known {
    endpoint: Arc<Shared>,
    checker: Option<AbortHandle>,
}

impl Watch {
    /// Takes over what `before`, the same cluster in the view before, knows.
    pub(crate) fn start(
        cluster: &Cluster,
        tls: Option<Arc<Connector>>,
        before: Option<&Self>,
        generation: &Generation,
        balancing: &Arc<Balancing>,
        runtime: &Handle,
    ) -> Self {
        let checked = Arc::new(Checked {
            check: cluster.health_check.clone(),
            tls: tls.clone(),
            generation: Arc::clone(generation),
            runtime: runtime.clone(),
            known: Mutex::default(),
        });
        if let Some(before) = before {
            checked.inherit(&before.checked);
        }
        let endpoints = Arc::new(Endpoints::default());
        let outliers = cluster.outlier_detection.clone().map(|detection| {
            let (endpoints, generation) = (Arc::clone(&endpoints), Arc::clone(generation));
            Arc::new(Outliers::new(detection, endpoints, generation))
        });
        if outliers.is_none() {
            checked.clear_records();
        }
        let sweeper = outliers
            .clone()
            .map(|outliers| runtime.spawn(outlier::watch(outliers)).abort_handle());
        let (mut resolver, mut first_lookup) = (None, None);
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
                let (done, first) = oneshot::channel();
                let following = name.follow(Arc::clone(&checked), Arc::clone(&endpoints), done);
                resolver = Some(runtime.spawn(following).abort_handle());
                first_lookup = Some(first);
            }
            Discovery::CloudMap { .. } => {}
        }
        Self {
            virtual_node: cluster.virtual_node.clone(),
            watched: Watched {
                endpoints,
                outliers,
                balancing: Arc::clone(balancing),
                tls,
            },
            checked,
            resolver,
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
        for task in self.resolver.iter().chain(&self.sweeper) {
            task.abort();
        }
        for known in self.checked.known().values() {
            if let Some(checker) = &known.checker {
                checker.abort();
            }
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

    /// A cluster that does not eject holds nothing against its endpoints.
    fn clear_records(&self) {
        for known in self.known().values() {
            known.endpoint.record.clear();
        }
    }

    /// Endpoints keep their health; a checker goes on in the new watch where the check is the same.
    fn inherit(&self, before: &Self) {
        let same_check = self.check == before.check && is_same(&self.tls, &before.tls);
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
            if let (false, Some(checker)) = (stays, &left.checker) {
                checker.abort();
            }
            stays
        });
        drop(known);
        endpoints.store(Arc::new(listed));
        self.generation.fetch_add(1, Ordering::Release);
    }

    fn endpoint(
        &self,
        known: &mut HashMap<SocketAddr, Known>,
        named: view::Endpoint,
    ) -> Arc<Shared> {
        let address = named.address;
        let before = known.remove(&address);
        let health = self.starting_health(before.as_ref());
        let unchanged = before.as_ref().is_some_and(|old| {
            old.endpoint.id == named.id
                && old.endpoint.zone == named.zone
                && old.endpoint.health().status == health.status
        });
        let (endpoint, running) = match before {
            Some(old) if unchanged => (old.endpoint, old.checker),
            other => {
                if let Some(checker) = other.and_then(|old| old.checker) {
                    checker.abort();
                }
                (Arc::new(Shared::new(named, health)), None)
            }
        };
        let checker = running.or_else(|| {
            let check = self.check.clone()?;
            let (endpoint, generation) = (Arc::clone(&endpoint), Arc::clone(&self.generation));
            let watching = health::watch(endpoint, check, self.tls.clone(), generation);
            Some(self.runtime.spawn(watching).abort_handle())
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
        if self.check.is_none() {
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

struct Name {
    hostname: String,
    port: u16,
    response: DnsResponse,
    ip_preference: IpPreference,
}

impl Name {
    /// Resolves for ever; a name that cannot be resolved keeps the endpoints it had.
    async fn follow(
        self,
        checked: Arc<Checked>,
        endpoints: Arc<Endpoints>,
        first: oneshot::Sender<()>,
    ) {
        let mut first = Some(first);
        let mut last = Vec::new();
        loop {
            match tokio::net::lookup_host((self.hostname.as_str(), self.port)).await {
                Ok(addresses) => {
                    let chosen = self.choose(addresses.collect());
                    if !chosen.is_empty() && chosen != last {
                        last.clone_from(&chosen);
                        let named = chosen.iter().map(|&address| unnamed(address)).collect();
                        checked.publish(named, &endpoints);
                    }
                }
                Err(error) => {
                    tracing::warn!(hostname = self.hostname, %error, "cannot resolve endpoints");
                }
            }
            if let Some(first) = first.take() {
                // Whoever applies the view may have stopped waiting.
                let _was_awaited = first.send(());
            }
            tokio::time::sleep(REFRESH).await;
        }
    }

    fn choose(&self, mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        let (first, second) = match self.ip_preference {
            IpPreference::Unset | IpPreference::V4Preferred => (Some(4), Some(6)),
            IpPreference::V6Preferred => (Some(6), Some(4)),
            IpPreference::V4Only => (Some(4), None),
            IpPreference::V6Only => (Some(6), None),
        };
        let of = |family| {
            let is_wanted = move |a: &SocketAddr| family == Some(if a.is_ipv4() { 4 } else { 6 });
            addresses
                .iter()
                .copied()
                .filter(is_wanted)
                .collect::<Vec<_>>()
        };
        let preferred = of(first);
        addresses = if preferred.is_empty() {
            of(second)
        } else {
            preferred
        };
        match self.response {
            DnsResponse::Logical => addresses.truncate(1),
            DnsResponse::Strict => {
                addresses.sort_unstable();
                addresses.dedup();
            }
        }
        addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_the_preferred_family_and_one_or_all_of_its_addresses() {
        let all: Vec<SocketAddr> = ["[::1]:80", "10.0.0.2:80", "10.0.0.1:80", "10.0.0.2:80"]
            .iter()
            .map(|address| address.parse().unwrap())
            .collect();
        for (ip_preference, response, expected) in [
            (IpPreference::Unset, DnsResponse::Logical, "10.0.0.2:80"),
            (
                IpPreference::V4Only,
                DnsResponse::Strict,
                "10.0.0.1:80 10.0.0.2:80",
            ),
            (IpPreference::V6Preferred, DnsResponse::Strict, "[::1]:80"),
            (IpPreference::V6Only, DnsResponse::Logical, "[::1]:80"),
        ] {
            let name = Name {
                hostname: "a".into(),
                port: 80,
                response,
                ip_preference,
            };
            let chosen: Vec<_> = name
                .choose(all.clone())
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(chosen.join(" "), expected, "{ip_preference:?} {response:?}");
        }
        let only_v6 = vec![all[0]];
        for (ip_preference, count) in [(IpPreference::V4Preferred, 1), (IpPreference::V4Only, 0)] {
            let response = DnsResponse::Strict;
            let name = Name {
                hostname: "a".into(),
                port: 80,
                response,
                ip_preference,
            };
            assert_eq!(
                name.choose(only_v6.clone()).len(),
                count,
                "{ip_preference:?}"
            );
        }
    }
}
