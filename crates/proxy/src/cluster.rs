//! A worker's view of one cluster: which endpoints it may send to.
//!
//! Unhealthy and ejected ones are left out. Ejections do not count where they would leave too few of all
//! endpoints in use (half, unless told otherwise): so many outliers are none (Envoy's panic threshold).
//! Where all are unhealthy, any is a better guess than none; below that, unlike with Envoy, what is known
//! to be down gets nothing.

mod choice;
mod zones;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fastrand::Rng;

use crate::balancing::Balancing;
use crate::budget::{Budget, Retrying};
use crate::clock;
use crate::discovery::{Watched, is_same};
use crate::endpoint::{Endpoint, Shared};
use crate::health::Generation;
use crate::outlier::Outliers;
use crate::tls::Connector;
use choice::Choice;

#[derive(Debug)]
pub(crate) struct LocalCluster {
    watched: Watched,
    generation: Generation,
    seen: Cell<u64>,
    all: RefCell<Vec<Rc<Endpoint>>>,
    choice: RefCell<Choice>,
    retries: Budget,
}

impl LocalCluster {
    /// Takes over the connections and retries of `before`, the same cluster in the view before.
    pub(crate) fn new(watched: Watched, generation: Generation, before: Option<&Self>) -> Self {
        // Connections to endpoints that are now spoken to in another way are not used again.
        let known = before.filter(|before| is_same(&before.watched.tls, &watched.tls));
        let all = known
            .map(|before| before.all.borrow().clone())
            .unwrap_or_default();
        let seen = Cell::new(generation.load(Ordering::Acquire));
        let cluster = Self {
            watched,
            generation,
            seen,
            all: RefCell::new(all),
            choice: RefCell::default(),
            retries: before.map_or_else(Budget::default, |before| before.retries.clone()),
        };
        cluster.rebuild();
        cluster
    }

    /// A place among the requests that are tried again, if the budget has one.
    pub(crate) fn begin_retry(&self) -> Option<Retrying> {
        let all = self.all.borrow();
        let under_way = all.iter().map(|endpoint| endpoint.active()).sum();
        self.retries.begin(under_way)
    }

    pub(crate) fn outliers(&self) -> Option<&Outliers> {
        self.watched.outliers.as_deref()
    }

    pub(crate) fn tls(&self) -> Option<&Connector> {
        self.watched.tls.as_deref()
    }

    /// `avoid`: the endpoints that have failed, taken again only if there is no other.
    pub(crate) fn pick(&self, rng: &mut Rng, avoid: &[Rc<Endpoint>]) -> Option<Rc<Endpoint>> {
        let generation = self.generation.load(Ordering::Acquire);
        if self.seen.replace(generation) != generation {
            self.rebuild();
        }
        self.choice.borrow().pick(rng, avoid)
    }

    pub(crate) fn sweep(&self, oldest: clock::Instant) {
        for endpoint in self.all.borrow().iter() {
            endpoint.sweep(oldest);
        }
    }

    pub(crate) fn contains(&self, endpoint: &Rc<Endpoint>) -> bool {
        self.all
            .borrow()
            .iter()
            .any(|own| Rc::ptr_eq(own, endpoint))
    }

    /// Closes the idle connections to endpoints that `after`, the same cluster in the next view, lacks.
    pub(crate) fn retire_all_but(&self, after: Option<&Self>) {
        for endpoint in self.all.borrow().iter() {
            if !after.is_some_and(|after| after.contains(endpoint)) {
                endpoint.retire();
            }
        }
    }

    fn rebuild(&self) {
        let listed = self.watched.endpoints.load();
        let mut all = self.all.borrow_mut();
        let unchanged =
            all.len() == listed.len() && all.iter().zip(listed.iter()).all(|(e, s)| is_of(e, s));
        if !unchanged {
            for left in all.iter() {
                if !listed.iter().any(|shared| is_of(left, shared)) {
                    left.retire();
                }
            }
            *all = listed
                .iter()
                .map(|shared| {
                    let known = all.iter().find(|endpoint| is_of(endpoint, shared));
                    known.map_or_else(|| Rc::new(Endpoint::new(Arc::clone(shared))), Rc::clone)
                })
                .collect();
        }
        let balancing = &*self.watched.balancing;
        if balancing.slow_start.is_some() {
            for endpoint in all.iter() {
                endpoint.learn_age();
            }
        }
        let usable = usable(&all, balancing);
        *self.choice.borrow_mut() = Choice::among(&all, usable, balancing, clock::now());
    }
}

fn usable(all: &[Rc<Endpoint>], balancing: &Balancing) -> Vec<Rc<Endpoint>> {
    let healthy = all.iter().filter(|endpoint| endpoint.shared.is_healthy());
    let healthy: Vec<_> = healthy.cloned().collect();
    let kept = healthy
        .iter()
        .filter(|endpoint| !endpoint.shared.record.is_ejected());
    let kept: Vec<_> = kept.cloned().collect();
    if healthy.is_empty() {
        all.to_vec()
    } else if kept.len() * 100 < all.len() * usize::from(balancing.panic_threshold) {
        healthy
    } else {
        kept
    }
}

fn is_of(endpoint: &Endpoint, shared: &Arc<Shared>) -> bool {
    Arc::ptr_eq(&endpoint.shared, shared)
}

#[cfg(test)]
mod tests;
