//! What the tasks of both versions use, as the judge compares it.

use server::api::types::{ResourceEvidence, ResourceUsage};

use super::number;

/// `epoch 310 µs of processor a request and 212 MiB a task, vanilla 300 µs and 101 MiB`.
pub fn in_words(used: &ResourceEvidence, canary: &str, stable: &str) -> String {
    let processor = |usage: ResourceUsage| number::micros((usage.processor * 1e3).round() as u64);
    format!(
        "{canary} {} of processor a request and {:.0} MiB a task, {stable} {} and {:.0} MiB",
        processor(used.canary),
        used.canary.memory,
        processor(used.stable),
        used.stable.memory,
    )
}
