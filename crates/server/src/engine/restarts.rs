//! Tasks that ended by themselves since the last look, as evidence about the canary.
//!
//! Were the versions alike, each such end would hit a task of the canary as often as its tasks are among all.

use compute::TaskSetStatus;
use judge::Share;
use judge::arm_test::BadEvents;

/// What was counted at the last look: canary, stable.
#[derive(Debug, Default)]
pub(super) struct Restarts(Option<[u32; 2]>);

impl Restarts {
    /// The first look only takes stock.
    pub(super) fn since_last(
        &mut self,
        canary: &TaskSetStatus,
        stable: &TaskSetStatus,
    ) -> Option<BadEvents> {
        let now = [canary, stable].map(restarts);
        let last = self.0.replace(now)?;
        // A count falls where a task was replaced.
        let [canary_ends, stable_ends] =
            [0, 1].map(|side| u64::from(now[side].saturating_sub(last[side])));
        let share = Share::new(canary.desired, canary.desired + stable.desired).ok()?;
        (canary_ends + stable_ends > 0).then_some(BadEvents {
            share,
            canary: canary_ends,
            stable: stable_ends,
        })
    }
}

fn restarts(set: &TaskSetStatus) -> u32 {
    set.tasks
        .iter()
        .fold(0, |sum, task| sum.saturating_add(task.restarts))
}

#[cfg(test)]
mod tests {
    use super::Restarts;
    use compute::{Task, TaskSetStatus, TaskState};

    fn set(restarts: &[u32]) -> TaskSetStatus {
        let task = |(index, &restarts): (usize, &u32)| Task {
            id: format!("crystal/epoch/{index}"),
            index: index as u32,
            outdated: false,
            address: ([127, 0, 0, 1], 1).into(),
            state: TaskState::Healthy,
            pid: None,
            restarts,
            last_exit: None,
            probe_failure: None,
            log: "log".into(),
        };
        TaskSetStatus {
            desired: restarts.len() as u32,
            draining: false,
            tasks: restarts.iter().enumerate().map(task).collect(),
        }
    }

    #[test]
    fn only_what_is_new_counts_by_the_share_of_the_tasks() {
        let mut seen = Restarts::default();
        let stable = set(&[3, 0, 0]);
        assert!(seen.since_last(&set(&[1]), &stable).is_none(), "took stock");
        assert!(seen.since_last(&set(&[1]), &stable).is_none());
        let events = seen.since_last(&set(&[3]), &set(&[3, 0, 1])).unwrap();
        assert_eq!((events.canary, events.stable), (2, 1));
        assert_eq!(events.share, judge::Share::new(1, 4).unwrap());
        assert!(seen.since_last(&set(&[0]), &set(&[0, 0, 0])).is_none());
    }
}
