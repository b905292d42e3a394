//! What the server counts, in the text format of OpenMetrics; the only place that knows `prometheus-client`.
//!
//! Requests are counted as they are answered. What is read from elsewhere (the store, the proxies, this
//! process) is read when somebody asks, so nothing here can be out of date.

mod process;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use model::Kind;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use store::Store;

use crate::workload::Workload;

/// As `Content-Type` names the format.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Pairs of names and values.
type Labels = Vec<(&'static str, String)>;

#[derive(Debug)]
pub(crate) struct Metrics {
    counted: Registry,
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram>,
    throttled: Counter,
    refused: Family<Labels, Counter>,
}

/// One request that was answered.
#[derive(Debug)]
pub(crate) struct Answered<'a> {
    pub(crate) operation: &'a str,
    pub(crate) status: u16,
    pub(crate) duration: Duration,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut counted = Registry::with_prefix("serin");
        let requests = Family::default();
        counted.register(
            "api_requests",
            "Requests to the API that were answered",
            requests.clone(),
        );
        // From 100 us to 3 s.
        let durations: Family<Labels, Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(1e-4, 2.0, 16)));
        counted.register_with_unit(
            "api_request_duration",
            "From the head of a request to the head of its answer",
            Unit::Seconds,
            durations.clone(),
        );
        let throttled = Counter::default();
        counted.register(
            "api_throttled",
            "Requests refused because they came too fast",
            throttled.clone(),
        );
        let refused = Family::default();
        counted.register(
            "api_refused",
            "Requests to the App Mesh API whose signature or sender was refused",
            refused.clone(),
        );
        Self {
            counted,
            requests,
            durations,
            throttled,
            refused,
        }
    }

    pub(crate) fn answered(&self, answered: &Answered<'_>) {
        let operation = ("operation", answered.operation.to_owned());
        let status = ("status", answered.status.to_string());
        self.requests
            .get_or_create(&vec![operation.clone(), status])
            .inc();
        self.durations
            .get_or_create(&vec![operation])
            .observe(answered.duration.as_secs_f64());
    }

    pub(crate) fn throttled(&self) {
        self.throttled.inc();
    }

    pub(crate) fn refused(&self, error: &str) {
        self.refused
            .get_or_create(&vec![("error", error.to_owned())])
            .inc();
    }

    /// Everything, as text.
    pub(crate) async fn text(
        &self,
        store: &dyn Store,
        workload: Option<&Workload>,
    ) -> Result<String, fmt::Error> {
        let mut present = Registry::with_prefix("serin");
        of_store(&mut present, store);
        if let Some(workload) = workload {
            of_proxies(&mut present, workload).await;
        }
        let mut process = Registry::with_prefix("process");
        process::register(&mut process);
        let mut text = String::new();
        encode_registry(&mut text, &self.counted)?;
        encode_registry(&mut text, &present)?;
        encode_registry(&mut text, &process)?;
        encode_eof(&mut text)?;
        Ok(text)
    }
}

fn of_store(registry: &mut Registry, store: &dyn Store) {
    let snapshot = store.snapshot();
    let revision = Gauge::<u64, AtomicU64>::default();
    revision.set(snapshot.revision());
    registry.register("store_revision", "Changes that were committed", revision);
    let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
    for resource in snapshot.iter() {
        *kinds.entry(resource.id.kind()).or_default() += 1;
    }
    let resources = Family::<Labels, Gauge<u64, AtomicU64>>::default();
    for (kind, count) in kinds {
        let labels = vec![("kind", kind.to_string())];
        resources.get_or_create(&labels).set(count);
    }
    registry.register("resources", "Mesh resources in the store", resources);
}

async fn of_proxies(registry: &mut Registry, workload: &Workload) {
    let requests = Family::<Labels, Counter>::default();
    let failures = Family::<Labels, Counter>::default();
    let in_flight = Family::<Labels, Gauge<u64, AtomicU64>>::default();
    for ((split, arm), totals) in workload.engine.traffic.arms() {
        let labels = arm_labels(split, arm);
        requests.get_or_create(&labels).inc_by(totals.ended);
        failures.get_or_create(&labels).inc_by(totals.failures());
        in_flight.get_or_create(&labels).set(totals.in_flight());
    }
    let weights = Family::<Labels, Gauge<u64, AtomicU64>>::default();
    for ((split, arm), weight) in workload.engine.feed.weights().await {
        let labels = arm_labels(split, arm);
        weights.get_or_create(&labels).set(weight.into());
    }
    let statistics = workload.engine.plane.statistics().await;
    let shed = Family::<Labels, Counter>::default();
    for (what, count) in [
        (
            "connection",
            statistics.of_workers(|worker| worker.shed_connections),
        ),
        (
            "request",
            statistics.of_workers(|worker| worker.shed_requests),
        ),
        ("body", statistics.of_workers(|worker| worker.shed_bodies)),
    ] {
        let labels = vec![("what", what.to_owned())];
        shed.get_or_create(&labels).inc_by(count);
    }
    registry.register(
        "proxy_shed",
        "What the proxy turned away because it had as much as it may have",
        shed,
    );
    let dropped_copies = Counter::<u64>::default();
    dropped_copies.inc_by(statistics.of_workers(|worker| worker.dropped_copies));
    registry.register(
        "proxy_dropped_copies",
        "Requests that were not mirrored because too many copies were under way",
        dropped_copies,
    );
    registry.register("proxy_requests", "Requests that ended, by target", requests);
    registry.register(
        "proxy_failures",
        "Requests that ended in 5xx, a reset, a time-out or without endpoint, by target",
        failures,
    );
    registry.register(
        "proxy_in_flight",
        "Requests under way, by target",
        in_flight,
    );
    registry.register(
        "proxy_weight",
        "Weight in force, relative to the sum over a route's targets",
        weights,
    );
}

fn arm_labels(route: String, virtual_node: String) -> Labels {
    vec![("route", route), ("virtual_node", virtual_node)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::Memory;

    #[tokio::test]
    async fn what_was_counted_is_written_as_openmetrics() {
        let metrics = Metrics::new();
        for status in [200, 200, 404] {
            metrics.answered(&Answered {
                operation: "DescribeMesh",
                status,
                duration: Duration::from_millis(3),
            });
        }
        metrics.throttled();
        metrics.refused("InvalidSignatureException");
        let text = metrics.text(&Memory::default(), None).await.unwrap();
        for line in [
            r#"serin_api_requests_total{operation="DescribeMesh",status="200"} 2"#,
            r#"serin_api_requests_total{operation="DescribeMesh",status="404"} 1"#,
            r#"serin_api_request_duration_seconds_count{operation="DescribeMesh"} 3"#,
            r#"serin_api_request_duration_seconds_bucket{le="0.0032",operation="DescribeMesh"} 3"#,
            "serin_api_throttled_total 1",
            r#"serin_api_refused_total{error="InvalidSignatureException"} 1"#,
            "serin_store_revision 0",
        ] {
            assert!(
                text.lines().any(|written| written == line),
                "{line}\n{text}"
            );
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
