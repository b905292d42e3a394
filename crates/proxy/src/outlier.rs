//! Outlier detection: an endpoint that answers one error after the other is left out for a while.
//!
//! As App Mesh had Envoy do it: so many server errors in a row eject an endpoint at once, for the base
//! time multiplied by how often that has happened lately; a sweep at every interval takes back those
//! whose time has passed. Errors are counted over all workers. A success writes nothing unless an error
//! came before it, so that workers do not take an endpoint's cache line from each other.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use view::OutlierDetection;

use crate::clock::{self, Instant};
use crate::discovery::Endpoints;
use crate::endpoint::Shared;
use crate::health::Generation;

/// The longest ejection, unless the base time is longer; Envoy's default, which App Mesh left as it is.
const LONGEST: Duration = Duration::from_secs(300);

/// What is known against one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Record {
    errors_in_a_row: AtomicU32,
    is_ejected: AtomicBool,
    ejections: Mutex<Ejections>,
}

#[derive(Debug, Default)]
struct Ejections {
    last: Option<Instant>,
    /// One more with every ejection, one less with every interval without.
    times: u32,
}

impl Record {
    pub(crate) fn is_ejected(&self) -> bool {
        self.is_ejected.load(Ordering::Relaxed)
    }

    /// Forgets everything, for a cluster that no longer ejects.
    pub(crate) fn clear(&self) {
        self.errors_in_a_row.store(0, Ordering::Relaxed);
        self.is_ejected.store(false, Ordering::Relaxed);
        *self.ejections() = Ejections::default();
    }

    fn ejections(&self) -> std::sync::MutexGuard<'_, Ejections> {
        self.ejections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The detection of one cluster.
#[derive(Debug)]
pub(crate) struct Outliers {
    detection: OutlierDetection,
    endpoints: Arc<Endpoints>,
    generation: Generation,
    /// One ejection is decided at a time, so that together they never exceed the share.
    deciding: Mutex<()>,
    /// Shared with the same cluster of views before and after: whichever sweeps, a new one puts it off for
    /// nobody.
    last_sweep: Arc<Mutex<Instant>>,
}

impl Outliers {
    /// Sweeps when `before`, the same cluster in the view before, would have.
    pub(crate) fn new(
        detection: OutlierDetection,
        endpoints: Arc<Endpoints>,
        generation: Generation,
        before: Option<&Self>,
    ) -> Self {
        let last_sweep = before.map(|before| Arc::clone(&before.last_sweep));
        Self {
            detection,
            endpoints,
            generation,
            deciding: Mutex::default(),
            last_sweep: last_sweep.unwrap_or_else(|| Arc::new(Mutex::new(clock::now()))),
        }
    }

    pub(crate) fn saw_success(&self, endpoint: &Shared) {
        let errors = &endpoint.record.errors_in_a_row;
        if errors.load(Ordering::Relaxed) != 0 {
            errors.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn saw_error(&self, endpoint: &Shared, now: Instant) {
        let errors = &endpoint.record.errors_in_a_row;
        let in_a_row = errors.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if in_a_row >= self.detection.consecutive_server_errors {
            errors.store(0, Ordering::Relaxed);
            self.eject(endpoint, now);
        }
    }

    fn eject(&self, endpoint: &Shared, now: Instant) {
        let _deciding = self.deciding.lock().unwrap_or_else(PoisonError::into_inner);
        let record = &endpoint.record;
        if record.is_ejected() || !self.may_eject_one_more() {
            return;
        }
        let mut ejections = record.ejections();
        ejections.last = Some(now);
        ejections.times = ejections.times.saturating_add(1);
        let duration = self.duration(ejections.times);
        drop(ejections);
        record.is_ejected.store(true, Ordering::Relaxed);
        self.generation.fetch_add(1, Ordering::Release);
        tracing::info!(endpoint = %endpoint.address, ?duration, "ejected for its errors");
    }

    /// The first is always ejected, however small the share.
    fn may_eject_one_more(&self) -> bool {
        let endpoints = self.endpoints.load();
        let ejected = endpoints
            .iter()
            .filter(|endpoint| endpoint.record.is_ejected())
            .count();
        let share = usize::from(self.detection.max_ejection_percent);
        ejected == 0 || (ejected + 1) * 100 <= share * endpoints.len()
    }

    fn duration(&self, times: u32) -> Duration {
        let base = self.detection.base_ejection;
        base.saturating_mul(times).min(LONGEST.max(base))
    }

    /// How long it is until the next sweep. One that is due counts as done, so that nobody else does it.
    fn sweeps_in(&self, now: Instant) -> Duration {
        let mut last = self
            .last_sweep
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(*last);
        let pause = self.detection.interval.saturating_sub(passed);
        if pause.is_zero() {
            *last = now;
        }
        pause
    }

    /// Takes back whose time has passed; others are forgiven one ejection.
    fn sweep(&self, now: Instant) {
        for endpoint in self.endpoints.load().iter() {
            let record = &endpoint.record;
            let mut ejections = record.ejections();
            if !record.is_ejected() {
                ejections.times = ejections.times.saturating_sub(1);
                continue;
            }
            let duration = self.duration(ejections.times);
            let is_over = ejections
                .last
                .is_none_or(|last| now.saturating_duration_since(last) >= duration);
            if is_over {
                record.errors_in_a_row.store(0, Ordering::Relaxed);
                record.is_ejected.store(false, Ordering::Relaxed);
                self.generation.fetch_add(1, Ordering::Release);
                tracing::info!(endpoint = %endpoint.address, "taken back after its ejection");
            }
        }
    }
}

/// Sweeps for ever.
pub(crate) async fn watch(outliers: Arc<Outliers>) {
    loop {
        match outliers.sweeps_in(clock::now()) {
            Duration::ZERO => outliers.sweep(clock::now()),
            pause => tokio::time::sleep(pause).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::unnamed;
    use crate::health::{Health, HealthStatus};
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn outliers(endpoints: u16, max_ejection_percent: u8) -> (Outliers, Vec<Arc<Shared>>) {
        let listed: Vec<_> = (0..endpoints)
            .map(|port| {
                let health = Health::new(HealthStatus::Unchecked);
                let address = ([127, 0, 0, 1], port).into();
                Arc::new(Shared::new(unnamed(address), health))
            })
            .collect();
        let detection = OutlierDetection {
            consecutive_server_errors: 3,
            interval: SECOND,
            base_ejection: 10 * SECOND,
            max_ejection_percent,
        };
        let endpoints = Arc::new(Endpoints::from_pointee(listed.clone()));
        (
            Outliers::new(detection, endpoints, Generation::default(), None),
            listed,
        )
    }

    fn fail(outliers: &Outliers, endpoint: &Shared, times: u32, now: Instant) {
        for _ in 0..times {
            outliers.saw_error(endpoint, now);
        }
    }

    #[test]
    fn only_errors_in_a_row_eject() {
        let (outliers, listed) = outliers(2, 100);
        let now = clock::now();
        for _ in 0..5 {
            fail(&outliers, &listed[0], 2, now);
            outliers.saw_success(&listed[0]);
        }
        fail(&outliers, &listed[1], 2, now);
        assert!(!listed[0].record.is_ejected() && !listed[1].record.is_ejected());
        assert_eq!(outliers.generation.load(Ordering::Relaxed), 0);
        fail(&outliers, &listed[1], 1, now);
        assert!(!listed[0].record.is_ejected() && listed[1].record.is_ejected());
        assert_eq!(
            outliers.generation.load(Ordering::Relaxed),
            1,
            "workers must look again"
        );
    }

    /// How many sweeps, a second apart, it takes to take the endpoint back.
    fn sweeps_until_back(outliers: &Outliers, endpoint: &Shared, from: Instant) -> u32 {
        let back = (1..1000).find(|&second| {
            outliers.sweep(from + second * SECOND);
            !endpoint.record.is_ejected()
        });
        back.unwrap()
    }

    #[test]
    fn each_ejection_lasts_longer_until_quiet_intervals_forgive() {
        let (outliers, listed) = outliers(2, 100);
        let endpoint = &listed[0];
        let mut now = clock::now();
        for expected in [10, 20, 30] {
            fail(&outliers, endpoint, 3, now);
            let took = sweeps_until_back(&outliers, endpoint, now);
            assert_eq!(took, expected);
            now += took * SECOND;
        }
        for _ in 0..2 {
            outliers.sweep(now);
        }
        fail(&outliers, endpoint, 3, now);
        assert_eq!(sweeps_until_back(&outliers, endpoint, now), 20);
        assert_eq!(outliers.duration(1_000), LONGEST);
    }

    /// Views may change more often than endpoints are swept.
    #[tokio::test(start_paused = true)]
    async fn a_new_view_does_not_put_off_the_sweep() {
        let (first, listed) = outliers(2, 100);
        let (endpoint, start) = (&listed[0], clock::now());
        fail(&first, endpoint, 3, start);
        let mut current = Arc::new(first);
        while endpoint.record.is_ejected() && start.elapsed() < 60 * SECOND {
            let watching = tokio::spawn(watch(Arc::clone(&current)));
            tokio::time::sleep(SECOND / 4).await;
            let (detection, endpoints) = (current.detection.clone(), &current.endpoints);
            let (endpoints, generation) = (Arc::clone(endpoints), Arc::clone(&current.generation));
            let next = Outliers::new(detection, endpoints, generation, Some(&current));
            // For a moment both are watched.
            current = Arc::new(next);
            let both = tokio::spawn(watch(Arc::clone(&current)));
            tokio::time::sleep(SECOND / 8).await;
            watching.abort();
            both.abort();
        }
        let took = start.elapsed().as_secs();
        assert_eq!((endpoint.record.is_ejected(), took), (false, 10));
    }

    #[test]
    fn a_base_time_beyond_the_longest_is_kept() {
        let (mut outliers, _) = outliers(1, 10);
        outliers.detection.base_ejection = 2 * LONGEST;
        assert_eq!(outliers.duration(1), 2 * LONGEST);
        assert_eq!(outliers.duration(5), 2 * LONGEST);
    }

    #[test]
    fn a_record_that_was_cleared_starts_anew() {
        let (outliers, listed) = outliers(1, 10);
        let now = clock::now();
        fail(&outliers, &listed[0], 3, now);
        listed[0].record.clear();
        assert!(!listed[0].record.is_ejected());
        fail(&outliers, &listed[0], 3, now);
        assert_eq!(sweeps_until_back(&outliers, &listed[0], now), 10);
    }

    proptest! {
        /// However many fail: at least one is ejected, and never more than the share beyond that one.
        #[test]
        fn ejections_stay_within_the_share(endpoints in 1u16..40, percent in 0u8..=100) {
            let (outliers, listed) = outliers(endpoints, percent);
            let now = clock::now();
            for endpoint in &listed {
                fail(&outliers, endpoint, 3, now);
            }
            let ejected = listed.iter().filter(|endpoint| endpoint.record.is_ejected()).count();
            let share = usize::from(endpoints) * usize::from(percent) / 100;
            prop_assert_eq!(ejected, share.max(1));
        }
    }
}
