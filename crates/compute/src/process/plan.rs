//! Which tasks a set must start and stop to become what it is wished to be. Pure.
//!
//! A new generation starts beside the old one; a healthy task of the old one stops when its successor
//! is healthy, any other at once.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::Slot;
use crate::driver::TaskState;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub start: Vec<Slot>,
    pub stop: BTreeSet<Slot>,
}

pub(super) fn plan(count: u32, generation: u64, tasks: &BTreeMap<Slot, TaskState>) -> Plan {
    let is_replaced = |slot: &Slot, state: TaskState| {
        let serves = matches!(state, TaskState::Starting | TaskState::Healthy);
        let successor = tasks.get(&Slot {
            generation,
            ..*slot
        });
        slot.generation != generation && (!serves || successor == Some(&TaskState::Healthy))
    };
    Plan {
        start: (0..count)
            .map(|index| Slot { index, generation })
            .filter(|slot| !tasks.contains_key(slot))
            .collect(),
        stop: tasks
            .iter()
            .filter(|(slot, state)| slot.index >= count || is_replaced(slot, **state))
            .map(|(slot, _)| *slot)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use TaskState::{BackingOff, Healthy, Starting, Stopping, Unhealthy};

    use super::*;

    fn slot(index: u32, generation: u64) -> Slot {
        Slot { index, generation }
    }

    #[test]
    fn the_count_is_kept() {
        let tasks = BTreeMap::from([(slot(0, 1), Healthy), (slot(2, 1), BackingOff)]);
        let cases = [
            (3, vec![slot(1, 1)], BTreeSet::new()),
            (1, vec![], BTreeSet::from([slot(2, 1)])),
            (0, vec![], BTreeSet::from([slot(0, 1), slot(2, 1)])),
        ];
        for (count, start, stop) in cases {
            assert_eq!(plan(count, 1, &tasks), Plan { start, stop }, "{count}");
        }
    }

    #[test]
    fn a_place_is_filled_again_only_once_its_task_is_gone() {
        assert_eq!(
            plan(1, 1, &BTreeMap::from([(slot(0, 1), Stopping)])),
            Plan::default()
        );
        assert_eq!(plan(1, 1, &BTreeMap::new()).start, [slot(0, 1)]);
    }

    #[test]
    fn a_healthy_task_stays_until_its_successor_is_healthy() {
        for (old, new, stops) in [
            (Healthy, Starting, false),
            (Healthy, Unhealthy, false),
            (Healthy, BackingOff, false),
            (Healthy, Healthy, true),
            (Starting, Starting, false),
            (Starting, Healthy, true),
            (Unhealthy, Starting, true),
            (BackingOff, Starting, true),
        ] {
            let tasks = BTreeMap::from([(slot(0, 1), old), (slot(0, 2), new)]);
            let plan = plan(1, 2, &tasks);
            assert_eq!(plan.start, []);
            assert_eq!(!plan.stop.is_empty(), stops, "{old:?} beside {new:?}");
            assert!(!plan.stop.contains(&slot(0, 2)));
        }
        let old = BTreeMap::from([(slot(0, 1), Healthy)]);
        assert_eq!(plan(1, 2, &old).start, [slot(0, 2)]);
    }

    #[test]
    fn only_the_newest_generation_succeeds() {
        let tasks = BTreeMap::from([
            (slot(0, 1), Healthy),
            (slot(0, 2), Healthy),
            (slot(0, 3), Starting),
        ]);
        assert_eq!(plan(1, 3, &tasks), Plan::default());
    }
}
