//! A task set as the dispatcher holds it: the wish, and the tasks there are.

use std::collections::BTreeMap;

use tokio::sync::watch;

use super::layout::Slot;
use super::plan::{Plan, plan};
use super::record::SetRecord;
use super::supervisor::Wish;
use crate::driver::{Task, TaskSet, TaskSetStatus};

#[derive(Debug)]
pub(super) struct Set {
    pub record: SetRecord,
    pub members: BTreeMap<Slot, Member>,
}

/// A task, as its supervisor last reported it.
#[derive(Debug)]
pub(super) struct Member {
    pub task: Task,
    pub wish: watch::Sender<Wish>,
}

impl Set {
    pub(super) fn new(record: SetRecord) -> Self {
        Self {
            record,
            members: BTreeMap::new(),
        }
    }

    /// Nobody is wished for while the set drains or the driver closes.
    pub(super) fn plan(&self, closing: bool) -> Plan {
        let count = match self.record.draining || closing {
            true => 0,
            false => self.record.desired.count,
        };
        let states = self
            .members
            .iter()
            .map(|(slot, member)| (*slot, member.task.state))
            .collect();
        plan(count, self.record.generation, &states)
    }

    pub(super) fn status(&self) -> TaskSetStatus {
        let tasks = self.members.iter().map(|(slot, member)| Task {
            outdated: slot.generation != self.record.generation,
            ..member.task.clone()
        });
        TaskSetStatus {
            desired: self.record.desired.count,
            draining: self.record.draining,
            tasks: tasks.collect(),
        }
    }
}

impl Member {
    /// Says nothing twice.
    pub(super) fn tell(&self, wish: Wish) {
        self.wish.send_if_modified(|told| {
            let news = *told != wish;
            if news {
                *told = wish;
            }
            news
        });
    }
}

impl SetRecord {
    /// What the set becomes when `desired` is applied to it.
    pub(super) fn applied(before: Option<&Self>, desired: TaskSet) -> Self {
        let generation = match before {
            None => 1,
            Some(before) if runs_the_same(&before.desired, &desired) => before.generation,
            Some(before) => before.generation + 1,
        };
        Self {
            generation,
            draining: false,
            desired,
        }
    }
}

/// A running task of one does for the other.
fn runs_the_same(one: &TaskSet, other: &TaskSet) -> bool {
    one.artifact == other.artifact
        && one.command == other.command
        && one.environment == other.environment
}
