//! What has been measured: told on standard error as it comes, written as Markdown and JSON at the end.

mod goals;
mod markdown;
mod spread;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::machine;
use crate::measure::{Memory, Sample};
use crate::peers::Peer;

#[derive(Debug, Serialize)]
pub struct Report {
    machine: String,
    date: String,
    commit: String,
    command: String,
    versions: BTreeMap<&'static str, String>,
    samples: Vec<Sample>,
    memory: Vec<Memory>,
    /// By scenario and peer.
    system_calls: BTreeMap<&'static str, BTreeMap<&'static str, f64>>,
    /// What peers could not do, by scenario and peer.
    failures: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
}

impl Report {
    pub fn new(cores: usize) -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Self {
            machine: machine::description(cores),
            date: machine::date(),
            commit: machine::commit(),
            command: format!("benchmarks/run {}", arguments.join(" "))
                .trim()
                .to_owned(),
            versions: BTreeMap::new(),
            samples: Vec::new(),
            memory: Vec::new(),
            system_calls: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }

    pub fn version(&mut self, peer: Peer, version: String) {
        self.versions.insert(peer.name(), version);
    }

    pub fn sample(&mut self, sample: Sample) {
        let Sample {
            peer,
            round,
            cpu,
            requests_per_second,
            p50,
            p99,
            p999,
            ..
        } = &sample;
        let dropped = sample
            .dropped
            .as_deref()
            .map(|reason| format!("  dropped: {reason}"));
        eprintln!(
            "{round:2} {peer:10} {cpu:8.2} us CPU {requests_per_second:9.0}/s  p50 {p50:7.0}  p99 {p99:7.0}  p99.9 {p999:7.0} us{}",
            dropped.unwrap_or_default()
        );
        self.samples.push(sample);
    }

    pub fn memory(&mut self, memory: Memory) {
        eprintln!(
            "   {:10} {:6} KiB, {:6.0} bytes for each of {} idle connections",
            memory.peer, memory.started, memory.per_connection, memory.connections
        );
        self.memory.push(memory);
    }

    pub fn system_calls(&mut self, scenario: &'static str, peer: Peer, calls: f64) {
        eprintln!("   {:10} {calls:.2} system calls a request", peer.name());
        self.system_calls
            .entry(scenario)
            .or_default()
            .insert(peer.name(), calls);
    }

    pub fn failure(&mut self, scenario: &'static str, peer: Peer, error: &anyhow::Error) {
        let reason = format!("{error:#}");
        eprintln!("   {:10} out: {reason}", peer.name());
        self.failures
            .entry(scenario)
            .or_default()
            .insert(peer.name(), reason);
    }

    pub fn markdown(&self) -> String {
        markdown::of(self)
    }

    /// Markdown at `path`, JSON beside it.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let json = path.with_extension("json");
        std::fs::write(path, self.markdown())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        std::fs::write(&json, serde_json::to_string_pretty(self)? + "\n")
            .with_context(|| format!("{} cannot be written", json.display()))?;
        eprintln!("\nwritten: {} and {}", path.display(), json.display());
        Ok(())
    }

    /// Rounds that count.
    fn counted(&self, scenario: &str, peer: &str) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |sample| {
            sample.scenario == scenario && sample.peer == peer && sample.dropped.is_none()
        })
    }

    /// Serin's figure as a share of a peer's, round by round.
    fn ratios(&self, scenario: &str, peer: &str, figure: fn(&Sample) -> f64) -> Vec<f64> {
        self.counted(scenario, peer)
            .filter_map(|theirs| {
                let ours = self
                    .counted(scenario, Peer::Serin.name())
                    .find(|ours| ours.round == theirs.round)?;
                Some(figure(ours) / figure(theirs))
            })
            .collect()
    }
}
