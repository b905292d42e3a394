//! A worker's view of one cluster: which endpoints it may send to, and the choice among them.
//!
//! Two endpoints are drawn at random and the one with fewer requests under way is taken. Unhealthy and
//! ejected ones are left out. Ejections do not count where they would leave less than half of all
//! endpoints in use: so many outliers are none (Envoy's panic threshold). Where all are unhealthy, any is
//! a better guess than none; below that, unlike with Envoy, what is known to be down gets nothing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fastrand::Rng;

use crate::budget::{Budget, Retrying};
use crate::discovery::Watched;
use crate::endpoint::{Endpoint, Shared};
use crate::health::Generation;
use crate::outlier::Outliers;

#[derive(Debug)]
pub(crate) struct LocalCluster {
    watched: Watched,
    generation: Generation,
    seen: Cell<u64>,
    all: RefCell<Vec<Rc<Endpoint>>>,
    usable: RefCell<Vec<Rc<Endpoint>>>,
    retries: Budget,
}

impl LocalCluster {
    /// Takes over the connections and retries of `before`, the same cluster in the view before.
    pub(crate) fn new(watched: Watched, generation: Generation, before: Option<&Self>) -> Self {
        let all = before
            .map(|before| before.all.borrow().clone())
            .unwrap_or_default();
        let seen = Cell::new(generation.load(Ordering::Acquire));
        let cluster = Self {
            watched,
            generation,
            seen,
            all: RefCell::new(all),
            usable: RefCell::default(),
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

    /// `avoid`: the endpoint that failed last, taken again only if there is no other.
    pub(crate) fn pick(&self, rng: &mut Rng, avoid: Option<&Rc<Endpoint>>) -> Option<Rc<Endpoint>> {
        let generation = self.generation.load(Ordering::Acquire);
        if self.seen.replace(generation) != generation {
            self.rebuild();
        }
        let usable = self.usable.borrow();
        let count = usable.len();
        if count < 2 {
            return usable.first().cloned();
        }
        let first = rng.usize(..count);
        let second = (first + 1 + rng.usize(..count - 1)) % count;
        let (first, second) = (&usable[first], &usable[second]);
        let is_avoided = |endpoint| avoid.is_some_and(|avoid| Rc::ptr_eq(avoid, endpoint));
        let take_first =
            !is_avoided(first) && (is_avoided(second) || first.active() <= second.active());
        Some(Rc::clone(if take_first { first } else { second }))
    }

    pub(crate) fn sweep(&self, oldest: crate::clock::Instant) {
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
            *all = listed
                .iter()
                .map(|shared| {
                    let known = all.iter().find(|endpoint| is_of(endpoint, shared));
                    known.map_or_else(|| Rc::new(Endpoint::new(Arc::clone(shared))), Rc::clone)
                })
                .collect();
        }
        *self.usable.borrow_mut() = usable(&all);
    }
}

fn usable(all: &[Rc<Endpoint>]) -> Vec<Rc<Endpoint>> {
    let healthy = all.iter().filter(|endpoint| endpoint.shared.is_healthy());
    let healthy: Vec<_> = healthy.cloned().collect();
    let kept = healthy
        .iter()
        .filter(|endpoint| !endpoint.shared.record.is_ejected());
    let kept: Vec<_> = kept.cloned().collect();
    if healthy.is_empty() {
        all.to_vec()
    } else if kept.len() * 2 < all.len() {
        healthy
    } else {
        kept
    }
}

fn is_of(endpoint: &Endpoint, shared: &Arc<Shared>) -> bool {
    Arc::ptr_eq(&endpoint.shared, shared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::discovery::Endpoints;
    use crate::health::{Health, HealthStatus};
    use std::collections::HashSet;

    /// One error ejects, and all may be ejected.
    fn watched(listed: &[Arc<Shared>], generation: &Generation) -> Watched {
        let endpoints = Arc::new(Endpoints::from_pointee(listed.to_vec()));
        let detection = view::OutlierDetection {
            consecutive_server_errors: 1,
            interval: std::time::Duration::from_secs(1),
            base_ejection: std::time::Duration::from_secs(1),
            max_ejection_percent: 100,
        };
        let outliers = Outliers::new(detection, Arc::clone(&endpoints), Arc::clone(generation));
        Watched {
            endpoints,
            outliers: Some(Arc::new(outliers)),
        }
    }

    fn cluster(statuses: &[HealthStatus]) -> (LocalCluster, Vec<Arc<Shared>>, Generation) {
        let listed: Vec<_> = statuses
            .iter()
            .enumerate()
            .map(|(port, &status)| {
                let address = ([127, 0, 0, 1], port as u16).into();
                Arc::new(Shared::new(port.to_string(), address, Health::new(status)))
            })
            .collect();
        let generation = Generation::default();
        (
            LocalCluster::new(watched(&listed, &generation), Arc::clone(&generation), None),
            listed,
            generation,
        )
    }

    fn picked(cluster: &LocalCluster, avoid: Option<&Rc<Endpoint>>) -> HashSet<String> {
        let mut rng = Rng::with_seed(3);
        (0..200)
            .filter_map(|_| cluster.pick(&mut rng, avoid))
            .map(|endpoint| endpoint.shared.id.clone())
            .collect()
    }

    fn ids(ids: &[&str]) -> HashSet<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unhealthy_endpoints_are_left_out_unless_all_are() {
        use HealthStatus::*;
        assert_eq!(picked(&cluster(&[]).0, None), ids(&[]));
        assert_eq!(
            picked(&cluster(&[Healthy, Unhealthy, Unknown, Healthy]).0, None),
            ids(&["0", "3"])
        );
        assert_eq!(
            picked(&cluster(&[Unhealthy, Unhealthy]).0, None),
            ids(&["0", "1"])
        );

        let (cluster, listed, generation) = cluster(&[Healthy, Healthy]);
        listed[0].set_health(Health::new(Unhealthy));
        generation.fetch_add(1, Ordering::Release);
        assert_eq!(picked(&cluster, None), ids(&["1"]));
    }

    #[test]
    fn ejected_endpoints_are_left_out_while_half_of_all_are_in_use() {
        use HealthStatus::*;
        let (cluster, listed, _) = cluster(&[Healthy, Unhealthy, Healthy, Healthy]);
        let eject = |index: usize| {
            let outliers = cluster.outliers().unwrap();
            outliers.saw_error(&listed[index], clock::now());
        };
        eject(0);
        assert_eq!(picked(&cluster, None), ids(&["2", "3"]));
        eject(2);
        assert_eq!(
            picked(&cluster, None),
            ids(&["0", "2", "3"]),
            "one of four is too few, and the unhealthy one is no help"
        );
    }

    #[test]
    fn the_less_busy_of_two_is_taken_and_the_one_that_failed_is_not() {
        let (cluster, ..) = cluster(&[HealthStatus::Unchecked; 2]);
        let first = Rc::clone(&cluster.all.borrow()[0]);
        assert_eq!(picked(&cluster, Some(&first)), ids(&["1"]));
        let busy = first.begin();
        assert_eq!(picked(&cluster, None), ids(&["1"]));
        drop(busy);
        assert_eq!(picked(&cluster, None), ids(&["0", "1"]));
    }

    #[test]
    fn a_removed_endpoint_is_retired_and_a_kept_one_goes_on() {
        let (before, listed, generation) = cluster(&[HealthStatus::Unchecked; 2]);
        let kept = watched(&listed[1..], &generation);
        let after = LocalCluster::new(kept, generation, Some(&before));
        assert!(Rc::ptr_eq(&before.all.borrow()[1], &after.all.borrow()[0]));
        assert_eq!(picked(&after, None), ids(&["1"]));
        assert_eq!(
            picked(&before, None),
            ids(&["0", "1"]),
            "requests of the old view still find theirs"
        );
    }
}
