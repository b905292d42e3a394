//! Whether something grew: the last quarter of a run beside its second. The first warms up.

use anyhow::bail;

use crate::gateway::Usage;

/// Allocators keep some of what they were once given.
const MEMORY_ALLOWED: f64 = 1.10;
const DESCRIPTORS_ALLOWED: u64 = 32;

pub fn check(usages: &[Usage]) -> anyhow::Result<()> {
    let quarter = usages.len() / 4;
    if quarter == 0 {
        return Ok(());
    }
    let median = |part: &[Usage], figure: fn(&Usage) -> u64| {
        let mut values: Vec<u64> = part.iter().map(figure).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let early = &usages[quarter..2 * quarter];
    let late = &usages[usages.len() - quarter..];
    let memory = [early, late].map(|part| median(part, |usage| usage.resident));
    let descriptors = [early, late].map(|part| median(part, |usage| usage.descriptors));
    eprintln!(
        "memory {} -> {} KiB, descriptors {} -> {}",
        memory[0] >> 10,
        memory[1] >> 10,
        descriptors[0],
        descriptors[1]
    );
    if memory[1] as f64 > memory[0] as f64 * MEMORY_ALLOWED {
        bail!("memory grows");
    }
    if descriptors[1] > descriptors[0] + DESCRIPTORS_ALLOWED {
        bail!("descriptors leak");
    }
    Ok(())
}
