//! Counters and gauges in Prometheus' text format.

use std::fmt::{Display, Write};
use std::sync::Arc;

use proxy::{ArmStatistics, EndpointHealth, HealthStatus, Statistics};
use view::NodeView;
use view::observe::{Latency, Outcome};

/// Upper bounds of the latency histogram's buckets, in microseconds: 0.1 ms to 100 s.
const BOUNDS: [u64; 10] = [
    100,
    316,
    1_000,
    3_162,
    10_000,
    31_623,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
];

pub(crate) fn text(
    statistics: &Statistics,
    endpoints: &[EndpointHealth],
    views: &[Arc<NodeView>],
) -> String {
    let mut page = Page::default();
    page.family(
        "serin_view_revision",
        "gauge",
        "Revision of the mesh in each node's view",
    );
    for view in views {
        page.sample(
            "serin_view_revision",
            &[("node", view.node.clone())],
            view.revision,
        );
    }
    requests(&mut page, statistics);
    workers(&mut page, statistics);
    page.family(
        "serin_endpoint_healthy",
        "gauge",
        "1 unless its health checks fail",
    );
    for endpoint in endpoints {
        let healthy = endpoint.status != HealthStatus::Unhealthy;
        page.sample(
            "serin_endpoint_healthy",
            &labels(endpoint),
            u8::from(healthy),
        );
    }
    page.family(
        "serin_endpoint_ejected",
        "gauge",
        "1 while it is left out for its errors",
    );
    for endpoint in endpoints {
        page.sample(
            "serin_endpoint_ejected",
            &labels(endpoint),
            u8::from(endpoint.is_ejected),
        );
    }
    process(&mut page);
    page.text
}

fn requests(page: &mut Page, statistics: &Statistics) {
    let labels = |of: &'_ ArmStatistics| {
        [
            ("node", of.node.clone()),
            ("route", of.split.clone()),
            ("virtual_node", of.arm.name.clone()),
        ]
    };
    page.family(
        "serin_routed_requests_total",
        "counter",
        "Requests whose draw fell on a target",
    );
    for arm in &statistics.arms {
        page.sample("serin_routed_requests_total", &labels(arm), arm.arm.routed);
    }
    page.family(
        "serin_target_weight",
        "gauge",
        "The weight that a target was last drawn by",
    );
    for arm in &statistics.arms {
        page.sample("serin_target_weight", &labels(arm), arm.arm.weight);
    }
    page.family(
        "serin_ended_requests_total",
        "counter",
        "Requests that ended, by outcome",
    );
    for arm in &statistics.arms {
        for (outcome, count) in &arm.arm.outcomes {
            let outcome = [("outcome", name_of(*outcome).to_owned())];
            let labels = [&labels(arm)[..], &outcome].concat();
            page.sample("serin_ended_requests_total", &labels, count);
        }
    }
    page.family(
        "serin_retried_requests_total",
        "counter",
        "Requests that ended without a failure after a try of theirs had failed",
    );
    for arm in &statistics.arms {
        page.sample(
            "serin_retried_requests_total",
            &labels(arm),
            arm.arm.retried,
        );
    }
    page.family(
        "serin_request_duration_seconds",
        "histogram",
        "From a request's head to the last byte of its response; buckets are exact to 6 %",
    );
    for arm in &statistics.arms {
        page.histogram(
            "serin_request_duration_seconds",
            &labels(arm),
            &arm.arm.latency,
        );
    }
}

fn workers(page: &mut Page, statistics: &Statistics) {
    page.family("serin_worker_connections", "gauge", "Client connections");
    for (number, worker) in statistics.workers.iter().enumerate() {
        let labels = [("worker", number.to_string())];
        page.sample("serin_worker_connections", &labels, worker.connections);
    }
    page.family(
        "serin_shed_total",
        "counter",
        "What was turned away because there was as much as there may be",
    );
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
        page.sample("serin_shed_total", &[("what", what.to_owned())], count);
    }
    page.family(
        "serin_dropped_copies_total",
        "counter",
        "Requests that were not mirrored because too many copies were under way",
    );
    let dropped = statistics.of_workers(|worker| worker.dropped_copies);
    page.sample("serin_dropped_copies_total", &[], dropped);
}

fn process(page: &mut Page) {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let pages = read("/proc/self/statm")
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    if let Some(pages) = pages {
        page.family(
            "process_resident_memory_bytes",
            "gauge",
            "Memory of this process",
        );
        page.sample("process_resident_memory_bytes", &[], pages * 4096);
    }
    if let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") {
        page.family("process_open_fds", "gauge", "Open file descriptors");
        page.sample("process_open_fds", &[], descriptors.count());
    }
}

fn labels(endpoint: &EndpointHealth) -> [(&'static str, String); 4] {
    [
        ("node", endpoint.node.clone()),
        ("cluster", endpoint.cluster.clone()),
        ("virtual_node", endpoint.virtual_node.clone()),
        ("endpoint", endpoint.id.clone()),
    ]
}

fn name_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Redirect => "redirect",
        Outcome::ClientError => "client_error",
        Outcome::ServerError => "server_error",
        Outcome::Unavailable => "unavailable",
        Outcome::Reset => "reset",
        Outcome::Timeout => "timeout",
        Outcome::Cancelled => "cancelled",
    }
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
    }

    fn sample(&mut self, name: &str, labels: &[(&str, String)], value: impl Display) {
        self.text.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            write!(self.text, "{before}{label}=\"{}\"", escaped(text)).ok();
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        writeln!(self.text, " {value}").ok();
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, String)], latency: &Latency) {
        let bucket = format!("{name}_bucket");
        let mut sum = 0.0;
        for (index, count) in latency.buckets() {
            let (low, high) = Latency::bounds_of(index);
            sum += (low + high) as f64 / 2e6 * count as f64;
        }
        for bound in BOUNDS {
            let within = latency
                .buckets()
                .filter(|(index, _)| Latency::bounds_of(*index).1 <= bound);
            let count: u64 = within.map(|(_, count)| count).sum();
            let le = (bound as f64 / 1e6).to_string();
            self.sample(&bucket, &[labels, &[("le", le)]].concat(), count);
        }
        let all = "+Inf".to_owned();
        self.sample(&bucket, &[labels, &[("le", all)]].concat(), latency.count());
        self.sample(&format!("{name}_sum"), labels, sum);
        self.sample(&format!("{name}_count"), labels, latency.count());
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_up_to_each_bound_and_all_at_the_end() {
        let mut latency = Latency::default();
        for micros in [50, 900, 5_000, 200_000_000] {
            latency.add(Latency::bucket_of(micros), 1);
        }
        let mut page = Page::default();
        page.histogram("d", &[("a", "q\"".to_owned())], &latency);
        for line in [
            r#"d_bucket{a="q\"",le="0.0001"} 1"#,
            r#"d_bucket{a="q\"",le="0.001"} 2"#,
            r#"d_bucket{a="q\"",le="0.01"} 3"#,
            r#"d_bucket{a="q\"",le="100"} 3"#,
            r#"d_bucket{a="q\"",le="+Inf"} 4"#,
            r#"d_count{a="q\""} 4"#,
        ] {
            assert!(
                page.text.lines().any(|own| own == line),
                "{line}\n{}",
                page.text
            );
        }
    }
}
