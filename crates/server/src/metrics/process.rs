//! This process, as Prometheus' own libraries name such values; left out where `/proc` does not tell.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

pub(super) fn register(registry: &mut Registry) {
    if let Some(bytes) = resident_bytes() {
        let memory = Gauge::<u64, AtomicU64>::default();
        memory.set(bytes);
        registry.register_with_unit(
            "resident_memory",
            "Memory of this process that is in use",
            Unit::Bytes,
            memory,
        );
    }
    if let Ok(descriptors) = std::fs::read_dir("/proc/self/fd") {
        let open = Gauge::<u64, AtomicU64>::default();
        open.set(descriptors.count() as u64);
        registry.register("open_fds", "Files and sockets that are open", open);
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}
