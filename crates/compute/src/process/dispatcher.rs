//! Owns the task sets. Takes commands and the supervisors' reports one after the other, writes a wish
//! down before it answers, and starts and stops supervisors as the plan says.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::blocking::blocking;
use super::layout;
use super::port::Claim;
use super::record::{self, SetRecord, TaskRecord};
use super::recovery::{Recovered, RecoveredTask};
use super::set::{Member, Set};
use super::supervisor::{Report, Shared, Supervisor, Wish};
use super::working_copy;
use crate::driver::{Error, Fleet, TaskSet, TaskSetId};

#[derive(Debug)]
pub(super) enum Command {
    Apply(TaskSet, oneshot::Sender<Result<(), Error>>),
    Drain(TaskSetId, oneshot::Sender<Result<(), Error>>),
    /// Does nothing if tasks are left: somebody applied the set anew.
    Forget(TaskSetId, oneshot::Sender<Result<(), Error>>),
    /// Stops all tasks; answered when they are gone.
    Shutdown(oneshot::Sender<()>),
}

#[derive(Debug)]
pub(super) struct Dispatcher {
    shared: Arc<Shared>,
    sets: BTreeMap<TaskSetId, Set>,
    supervisors: JoinSet<()>,
    commands: mpsc::Receiver<Command>,
    reports: mpsc::UnboundedReceiver<Report>,
    reporter: mpsc::UnboundedSender<Report>,
    fleet: watch::Sender<Arc<Fleet>>,
    shutdowns: Vec<oneshot::Sender<()>>,
}

impl Dispatcher {
    pub(super) fn new(
        shared: Arc<Shared>,
        recovered: Vec<Recovered>,
        commands: mpsc::Receiver<Command>,
        fleet: watch::Sender<Arc<Fleet>>,
    ) -> Self {
        let (reporter, reports) = mpsc::unbounded_channel();
        let mut dispatcher = Self {
            shared,
            sets: BTreeMap::new(),
            supervisors: JoinSet::new(),
            commands,
            reports,
            reporter,
            fleet,
            shutdowns: Vec::new(),
        };
        for set in recovered {
            dispatcher.take_over(set);
        }
        dispatcher.publish();
        dispatcher
    }

    /// Ends when the driver is shut down, and returns who waits for that; or when the driver is dropped,
    /// and lets the tasks run on.
    pub(super) async fn dispatch(mut self) -> Vec<oneshot::Sender<()>> {
        while !self.is_shut_down() {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => {
                        self.sets.clear();
                        break;
                    }
                },
                Some(report) = self.reports.recv() => self.hear(report),
                Some(ended) = self.supervisors.join_next() => if let Err(error) = ended {
                    tracing::error!(%error, "a supervisor failed; its task runs on unwatched");
                },
            }
            while let Ok(report) = self.reports.try_recv() {
                self.hear(report);
            }
            self.publish();
        }
        while self.supervisors.join_next().await.is_some() {}
        self.shutdowns
    }

    fn is_closing(&self) -> bool {
        !self.shutdowns.is_empty()
    }

    fn is_shut_down(&self) -> bool {
        self.is_closing() && self.sets.values().all(|set| set.members.is_empty())
    }

    async fn obey(&mut self, command: Command) {
        let (outcome, done) = match command {
            Command::Apply(desired, done) => (self.apply(desired).await, done),
            Command::Drain(id, done) => (self.drain(&id).await, done),
            Command::Forget(id, done) => (self.forget(&id).await, done),
            Command::Shutdown(done) => return self.shut_down(done),
        };
        // First: whoever asked looks at the fleet next, and must not see it as it was before.
        self.publish();
        // Whoever asked may have gone meanwhile.
        drop(done.send(outcome));
    }

    fn shut_down(&mut self, done: oneshot::Sender<()>) {
        self.shutdowns.push(done);
        let ids: Vec<TaskSetId> = self.sets.keys().cloned().collect();
        ids.iter().for_each(|id| self.reconcile(id));
    }

    async fn apply(&mut self, desired: TaskSet) -> Result<(), Error> {
        let id = desired.id.clone();
        if self.is_closing() {
            return Err(Error::Closed { id });
        }
        let before = self.sets.get(&id).map(|set| &set.record);
        let after = SetRecord::applied(before, desired);
        if before != Some(&after) {
            self.write_down(after).await?;
            self.reconcile(&id);
        }
        Ok(())
    }

    async fn drain(&mut self, id: &TaskSetId) -> Result<(), Error> {
        let Some(Set { record, .. }) = self.sets.get(id) else {
            return Ok(());
        };
        if !record.draining {
            let record = SetRecord {
                draining: true,
                ..record.clone()
            };
            self.write_down(record).await?;
            self.reconcile(id);
        }
        Ok(())
    }

    async fn forget(&mut self, id: &TaskSetId) -> Result<(), Error> {
        if self.sets.get(id).is_none_or(|set| !set.members.is_empty()) {
            return Ok(());
        }
        let directory = self.shared.layout.set(id);
        let operation = format!("delete its directory {}", directory.display());
        let forgotten = blocking(move || {
            // Without this file a set is not one, whatever is left of it.
            record::delete_durably(&layout::set_record(&directory))?;
            working_copy::delete(&directory)
        });
        forgotten.await.map_err(failed(id, operation))?;
        self.sets.remove(id);
        Ok(())
    }

    async fn write_down(&mut self, record: SetRecord) -> Result<(), Error> {
        let id = record.desired.id.clone();
        let directory = self.shared.layout.set(&id);
        let operation = format!("write its record in {}", directory.display());
        let written = record.clone();
        blocking(move || write_set(directory, &written))
            .await
            .map_err(failed(&id, operation))?;
        match self.sets.get_mut(&id) {
            Some(set) => set.record = record,
            None => drop(self.sets.insert(id, Set::new(record))),
        }
        Ok(())
    }

    fn take_over(&mut self, recovered: Recovered) {
        let id = recovered.record.desired.id.clone();
        self.sets.insert(id.clone(), Set::new(recovered.record));
        for task in recovered.tasks {
            let claim = Claim::keep(task.record.port);
            self.add_member(&id, task, claim);
        }
        self.reconcile(&id);
    }

    fn hear(&mut self, report: Report) {
        let Some(set) = self.sets.get_mut(&report.set) else {
            return;
        };
        match (report.task, set.members.get_mut(&report.slot)) {
            (Some(task), Some(member)) => member.task = task,
            (Some(_), None) => {}
            (None, _) => drop(set.members.remove(&report.slot)),
        }
        self.reconcile(&report.set);
    }

    /// Starts and stops supervisors until the set is as the plan wants it.
    fn reconcile(&mut self, id: &TaskSetId) {
        let Some(set) = self.sets.get(id) else {
            return;
        };
        let plan = set.plan(self.is_closing());
        let generation = set.record.generation;
        let desired = Arc::new(set.record.desired.clone());
        for (slot, member) in &set.members {
            if plan.stop.contains(slot) {
                member.tell(Wish::Stop);
            } else if slot.generation == generation {
                member.tell(Wish::Run(Arc::clone(&desired)));
            }
        }
        for slot in plan.start {
            let claim = Claim::any();
            let record = TaskRecord {
                index: slot.index,
                generation: slot.generation,
                definition: TaskSet::clone(&desired),
                port: claim.port(),
                starts: 0,
                last_exit: None,
                run: None,
            };
            self.add_member(id, RecoveredTask { record, run: None }, claim);
        }
    }

    fn add_member(&mut self, id: &TaskSetId, task: RecoveredTask, claim: Claim) {
        let Some(set) = self.sets.get_mut(id) else {
            return;
        };
        let slot = task.record.slot();
        let definition = Arc::new(task.record.definition.clone());
        let (wish, heard) = watch::channel(Wish::Run(definition));
        let shared = Arc::clone(&self.shared);
        let supervisor = Supervisor::new(shared, task, claim, heard, self.reporter.clone());
        let task = supervisor.task();
        self.supervisors.spawn(supervisor.supervise());
        set.members.insert(slot, Member { task, wish });
    }

    fn publish(&self) {
        let task_sets = self
            .sets
            .iter()
            .map(|(id, set)| (id.clone(), set.status()))
            .collect();
        let fleet = Fleet { task_sets };
        self.fleet.send_if_modified(|published| {
            let news = **published != fleet;
            if news {
                *published = Arc::new(fleet);
            }
            news
        });
    }
}

/// The directory is nobody else's business: the environment of a set may hold secrets.
fn write_set(directory: PathBuf, record: &SetRecord) -> io::Result<()> {
    if !directory.exists() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&directory)?;
        // A power cut could take a new directory along with what is in it: the set's and the service's.
        for parent in directory.ancestors().skip(1).take(2) {
            fs::File::open(parent)?.sync_all()?;
        }
    }
    record::write_durably(&layout::set_record(&directory), record)
}

fn failed(id: &TaskSetId, operation: String) -> impl FnOnce(io::Error) -> Error {
    let id = id.clone();
    |source| Error::Io {
        id,
        operation,
        source,
    }
}
