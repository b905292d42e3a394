//! What tasks use, read from `/proc`: by the processes that descend from a task's leading one, or are in
//! its group.
//!
//! The time of a process that has ended is its parent's, if that waited for it, so a task's time does not
//! fall as its children come and go. What left both its parent and the group is not seen. Memory that
//! several processes share counts in each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::time::Duration;

use rustix::param::{clock_ticks_per_second, page_size};

use super::identity::Stat;
use crate::driver::SetUsage;

/// All processes of this machine, at one time or nearly so.
pub(super) struct Processes(BTreeMap<u32, Stat>);

impl Processes {
    /// Blocks.
    pub(super) fn now() -> io::Result<Self> {
        let mut processes = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // What has ended since the directory was read uses nothing.
            if let Ok(stat) = Stat::of(pid) {
                processes.insert(pid, stat);
            }
        }
        Ok(Self(processes))
    }

    /// Of the tasks with these leading processes; one that does not live is left out.
    pub(super) fn usage_of(&self, leaders: &BTreeSet<u32>) -> SetUsage {
        let mut usage = SetUsage::new();
        for (&pid, stat) in &self.0 {
            if let Some((leader, first)) = self.leader_of(pid, leaders) {
                let run = format!("{leader}@{}", first.start_time);
                let sum = usage.entry(run).or_default();
                sum.processor += time(stat.ticks);
                sum.memory += stat.resident_pages * page_size() as u64;
            }
        }
        usage
    }

    fn leader_of(&self, mut pid: u32, leaders: &BTreeSet<u32>) -> Option<(u32, &Stat)> {
        // Pids may change hands while the table is read, so it may hold a circle.
        for _ in 0..self.0.len() {
            let stat = self.0.get(&pid)?;
            if let Some(leader) = [pid, stat.group]
                .into_iter()
                .find(|leader| leaders.contains(leader))
            {
                return Some((leader, self.0.get(&leader)?));
            }
            pid = stat.parent;
        }
        None
    }
}

fn time(ticks: u64) -> Duration {
    Duration::from_micros(ticks.saturating_mul(1_000_000) / clock_ticks_per_second())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Usage;

    fn process(pid: u32, parent: u32, group: u32, ticks: u64) -> (u32, Stat) {
        let stat = Stat {
            parent,
            group,
            ticks,
            start_time: u64::from(pid) + 1000,
            resident_pages: 1,
        };
        (pid, stat)
    }

    #[test]
    fn a_task_uses_what_its_descendants_and_its_group_use() {
        let table = Processes(BTreeMap::from([
            process(1, 0, 1, 1000),
            // The task, a child in its group, one that left the group, and one whose parent has ended.
            process(10, 1, 10, 1),
            process(11, 10, 10, 2),
            process(12, 11, 12, 4),
            process(13, 1, 10, 8),
            // Another task, and two that are each other's parents.
            process(20, 1, 20, 16),
            process(30, 31, 30, 32),
            process(31, 30, 31, 64),
        ]));
        let used = |ticks, processes: u64| Usage {
            processor: time(ticks),
            memory: processes * page_size() as u64,
        };
        let usage = table.usage_of(&BTreeSet::from([10, 99]));
        assert_eq!(usage, BTreeMap::from([("10@1010".to_owned(), used(15, 4))]));
        let both = table.usage_of(&BTreeSet::from([10, 20]));
        assert_eq!(both["20@1020"], used(16, 1));
        assert_eq!(both.len(), 2);
    }
}
