//! What the tasks of both versions used since the last reading, as evidence about the canary.
//!
//! A window ends when the judge's rule says so, and is evidence if the same tasks ran from its beginning to its
//! end. Nothing is read before the requests suffice: a release that nobody sends anything to costs nothing.

use compute::SetUsage;
use judge::{Used, Window};
use model::Timestamp;

/// Of canary and stable.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) at: Timestamp,
    /// That ended since the server began.
    pub(super) requests: [u64; 2],
    pub(super) usage: [SetUsage; 2],
}

impl Reading {
    fn until(&self, at: Timestamp, requests: [u64; 2]) -> Window {
        // Counts fall where the old ones were dropped.
        let [canary, stable] = [0, 1].map(|side| Used {
            requests: requests[side].saturating_sub(self.requests[side]),
            ..Used::default()
        });
        Window {
            length: at.since(self.at),
            canary,
            stable,
        }
    }
}

/// The reading that the present window begins with.
#[derive(Debug, Default)]
pub(super) struct Resources(Option<Reading>);

impl Resources {
    /// Whether it is time for a reading.
    pub(super) fn is_due(&self, at: Timestamp, requests: [u64; 2]) -> bool {
        let ends = |begun: &Reading| begun.until(at, requests).is_long_enough();
        self.0.as_ref().is_none_or(ends)
    }

    /// The window that ends with this reading; the next begins with it.
    pub(super) fn read(&mut self, now: &Reading) -> Option<Window> {
        let begun = self.0.replace(now.clone())?;
        let mut window = begun.until(now.at, now.requests);
        for (side, used) in [&mut window.canary, &mut window.stable]
            .into_iter()
            .enumerate()
        {
            let (before, after) = (&begun.usage[side], &now.usage[side]);
            if after.is_empty() || !after.keys().eq(before.keys()) {
                return None;
            }
            used.tasks = after.len() as u64;
            for (before, after) in before.values().zip(after.values()) {
                used.processor += after.processor.saturating_sub(before.processor);
                used.memory = used.memory.saturating_add(after.memory);
            }
        }
        Some(window)
    }

    /// What is read next is compared with nothing of before.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use compute::{SetUsage, Usage};
    use judge::{Used, Window};
    use model::Timestamp;

    use super::{Reading, Resources};

    fn usage(runs: &[(&str, u64, u64)]) -> SetUsage {
        let usage = |&(run, millis, memory): &(&str, u64, u64)| {
            let processor = Duration::from_millis(millis);
            (run.to_owned(), Usage { processor, memory })
        };
        runs.iter().map(usage).collect()
    }

    fn reading(seconds: i64, requests: [u64; 2], canary: SetUsage, stable: SetUsage) -> Reading {
        Reading {
            at: Timestamp::from_millis(1000 * seconds),
            requests,
            usage: [canary, stable],
        }
    }

    #[test]
    fn a_window_tells_what_was_used_within_it() {
        let mut resources = Resources::default();
        let stable = |millis| usage(&[("2@1", millis, 30), ("3@1", 900, 40)]);
        let begins = reading(100, [7, 1000], usage(&[("1@5", 400, 50)]), stable(800));
        assert!(resources.is_due(begins.at, begins.requests));
        assert_eq!(resources.read(&begins), None);

        let ends = reading(103, [47, 1100], usage(&[("1@5", 460, 70)]), stable(810));
        assert!(resources.is_due(ends.at, ends.requests));
        assert!(!resources.is_due(Timestamp::from_millis(101_900), ends.requests));
        assert!(!resources.is_due(ends.at, [20, 1100]), "13 of the canary");
        let used = |tasks, requests, millis, memory| Used {
            tasks,
            requests,
            processor: Duration::from_millis(millis),
            memory,
        };
        let window = Window {
            length: Duration::from_secs(3),
            canary: used(1, 40, 60, 70),
            stable: used(2, 100, 10, 70),
        };
        assert_eq!(resources.read(&ends), Some(window));
    }

    #[test]
    fn a_window_in_which_a_task_began_or_ended_is_none() {
        let tasks = |runs: &[&str]| {
            let runs: Vec<_> = runs.iter().map(|run| (*run, 10, 10)).collect();
            usage(&runs)
        };
        let at = |seconds, canary: &[&str], stable: &[&str]| {
            let requests = [100 * seconds as u64; 2];
            reading(seconds, requests, tasks(canary), tasks(stable))
        };
        let mut resources = Resources::default();
        let mut tells = |reading: Reading| resources.read(&reading).is_some();
        assert!(!tells(at(0, &["1"], &["2", "3"])));
        assert!(tells(at(3, &["1"], &["2", "3"])));
        assert!(!tells(at(6, &["4"], &["2", "3"])), "started again");
        assert!(tells(at(9, &["4"], &["2", "3"])));
        assert!(!tells(at(12, &["4"], &["2"])), "ended");
        assert!(!tells(at(15, &[], &["2"])), "nobody can tell");
        assert!(!tells(at(18, &[], &["2"])));
        resources.forget();
        assert!(resources.is_due(Timestamp::from_millis(0), [0, 0]));
    }
}
