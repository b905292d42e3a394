//! Keeps one task running, until it is told to stop it or is let go.
//!
//! Gathers events (a wish, the alarm, the end of a probe or of the run), asks the [`Lifecycle`] what
//! follows, and does it. When the driver lets go, by dropping the sending half of the wish, the
//! supervisor ends and its task runs on, for the next server to adopt.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

use super::blocking::blocking;
use super::launch::StartError;
use super::layout::{self, Layout, Slot};
use super::lifecycle::{Action, Backoff, Event, Lifecycle};
use super::lock::StateLock;
use super::port::Claim;
use super::probe::{Pace, probe};
use super::record::{self, TaskRecord};
use super::recovery::RecoveredTask;
use super::run::Run;
use super::start::{forget, prepare, start};
use super::{clock, log};
use crate::driver::{Task, TaskSet, TaskSetId};

const LOG_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// What all supervisors of a driver share.
#[derive(Debug)]
pub(super) struct Shared {
    pub layout: Layout,
    pub backoff: Backoff,
    pub log_limit: u64,
    /// Nobody else may touch the state as long as a supervisor works on it.
    pub _lock: StateLock,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wish {
    Run(Arc<TaskSet>),
    Stop,
}

/// What a supervisor has to tell; without a task, that it is over.
#[derive(Debug)]
pub(super) struct Report {
    pub set: TaskSetId,
    pub slot: Slot,
    pub task: Option<Task>,
}

type Probe = Pin<Box<dyn Future<Output = Result<(), String>> + Send + Sync>>;

pub(super) struct Supervisor {
    shared: Arc<Shared>,
    record: TaskRecord,
    claim: Claim,
    lifecycle: Lifecycle,
    run: Option<Run>,
    probe: Option<Probe>,
    probe_failure: Option<String>,
    wish: watch::Receiver<Wish>,
    reports: mpsc::UnboundedSender<Report>,
    last_report: Option<Task>,
    log_check: Interval,
}

impl Supervisor {
    pub(super) fn new(
        shared: Arc<Shared>,
        task: RecoveredTask,
        claim: Claim,
        wish: watch::Receiver<Wish>,
        reports: mpsc::UnboundedSender<Report>,
    ) -> Self {
        let RecoveredTask { record, run } = task;
        let pace = Pace::of(record.definition.health.as_ref());
        let birth = match run {
            Some(_) => Lifecycle::adopted,
            None => Lifecycle::to_start,
        };
        let mut log_check = interval(LOG_CHECK_INTERVAL);
        log_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            lifecycle: birth(pace, shared.backoff, record.starts, clock::now()),
            shared,
            record,
            claim,
            run,
            probe: None,
            probe_failure: None,
            wish,
            reports,
            last_report: None,
            log_check,
        }
    }

    pub(super) fn task(&self) -> Task {
        let id = &self.record.definition.id;
        let index = self.record.index;
        Task {
            id: format!("{id}/{index}"),
            index,
            outdated: false,
            address: self.address(),
            state: self.lifecycle.state(),
            pid: self.run.as_ref().map(Run::pid),
            restarts: self.lifecycle.restarts(),
            last_exit: self.record.last_exit.clone(),
            probe_failure: self.probe_failure.clone(),
            log: self.shared.layout.log(id, index),
        }
    }

    pub(super) async fn supervise(mut self) {
        while let Some(mut event) = self.next_event().await {
            loop {
                let action = self.lifecycle.next(event, clock::now());
                self.report();
                match action {
                    Some(Action::Start) => {
                        event = self.start().await;
                        continue;
                    }
                    Some(Action::Finish) => return self.bury().await,
                    Some(Action::Probe) => self.start_probe(),
                    Some(Action::Terminate) => self.signal(Signal::TERM).await,
                    Some(Action::Kill) => self.signal(Signal::KILL).await,
                    None => {}
                }
                break;
            }
        }
    }

    /// `None`: the driver has let go.
    async fn next_event(&mut self) -> Option<Event> {
        loop {
            tokio::select! {
                changed = self.wish.changed() => {
                    changed.ok()?;
                    if let Some(event) = self.hear_wish().await {
                        return Some(event);
                    }
                }
                () = alarm(&self.lifecycle) => return Some(Event::Elapsed),
                () = run_over(self.run.as_ref(), &self.lifecycle) => {
                    self.end_run().await;
                    return Some(Event::Exited);
                }
                result = probe_over(&mut self.probe) => {
                    self.probe = None;
                    let passed = result.is_ok();
                    self.probe_failure = result.err();
                    return Some(Event::Probed { passed });
                }
                _ = self.log_check.tick() => self.cut_log().await,
            }
        }
    }

    async fn hear_wish(&mut self) -> Option<Event> {
        let wish = self.wish.borrow_and_update().clone();
        match wish {
            Wish::Stop => Some(Event::Stop {
                grace: self.record.definition.stop_grace,
            }),
            Wish::Run(definition) => {
                self.lifecycle
                    .set_pace(Pace::of(definition.health.as_ref()));
                self.record.definition = TaskSet::clone(&definition);
                // What does not run is written down when it starts.
                if self.run.is_some() {
                    self.write_record().await;
                }
                None
            }
        }
    }

    async fn start(&mut self) -> Event {
        self.record.starts = self.lifecycle.starts();
        match self.launch().await {
            Ok(run) => {
                self.run = Some(run);
                Event::Started
            }
            Err(error) => {
                tracing::warn!(task = %self.task().id, "{error}");
                self.record.last_exit = Some(error.to_string());
                Event::CouldNotStart
            }
        }
    }

    async fn launch(&mut self) -> Result<Run, StartError> {
        self.claim
            .renew_if_taken()
            .map_err(prepare("find a port"))?;
        self.record.port = self.claim.port();
        let shared = Arc::clone(&self.shared);
        let mut record = self.record.clone();
        let started = tokio::task::spawn_blocking(move || {
            let started = start(&shared.layout, shared.log_limit, &mut record);
            (record, started)
        });
        let (record, started) = started
            .await
            .map_err(|error| prepare("prepare it")(error.into()))?;
        self.record = record;
        let (child, marker) = started?;
        Run::of_child(child, marker).map_err(prepare("watch it"))
    }

    fn start_probe(&mut self) {
        let health = self.record.definition.health.clone();
        self.probe = Some(Box::pin(probe(self.address(), health)));
    }

    async fn signal(&mut self, signal: Signal) {
        self.probe = None;
        if let Some(run) = &self.run {
            run.signal(signal).await;
        }
    }

    async fn end_run(&mut self) {
        self.probe = None;
        self.probe_failure = None;
        if let Some(run) = self.run.take() {
            let words = run.finish().await;
            if !self.lifecycle.is_stopping() {
                tracing::warn!(task = %self.task().id, "{words}");
            }
            self.record.last_exit = Some(words);
            self.record.run = None;
            self.write_record().await;
        }
    }

    async fn bury(self) {
        let id = self.record.definition.id.clone();
        let slot = self.record.slot();
        let directory = self.shared.layout.task(&id, slot);
        if let Err(error) = blocking(move || forget(&directory)).await {
            tracing::warn!(set = %id, %slot, %error, "could not delete a task's directory");
        }
        let over = Report {
            set: id,
            slot,
            task: None,
        };
        // Without a listener the driver is gone and nobody wants to know.
        drop(self.reports.send(over));
    }

    fn report(&mut self) {
        let task = self.task();
        if self.last_report.as_ref() != Some(&task) {
            self.last_report = Some(task.clone());
            let report = Report {
                set: self.record.definition.id.clone(),
                slot: self.record.slot(),
                task: Some(task),
            };
            drop(self.reports.send(report));
        }
    }

    /// A record that could not be written again is only older than it might be.
    async fn write_record(&self) {
        let record = self.record.clone();
        let id = &record.definition.id;
        let path = layout::task_record(&self.shared.layout.task(id, record.slot()));
        if let Err(error) = blocking(move || record::write(&path, &record)).await {
            tracing::warn!(%error, "could not write the record of a task");
        }
    }

    async fn cut_log(&self) {
        let path = self.task().log;
        let limit = self.shared.log_limit;
        if let Err(error) = blocking(move || log::cut(&path, limit)).await {
            tracing::warn!(%error, "could not cut the log of a task");
        }
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.claim.port()))
    }
}

async fn alarm(lifecycle: &Lifecycle) {
    match lifecycle.wake_at() {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// A task that stops may use its grace to the end, its children too; otherwise what the leading process
/// leaves behind is not waited for.
async fn run_over(run: Option<&Run>, lifecycle: &Lifecycle) {
    match run {
        Some(run) if lifecycle.is_in_grace() => run.all_ended().await,
        Some(run) => run.leader_ended().await,
        None => std::future::pending().await,
    }
}

async fn probe_over(probe: &mut Option<Probe>) -> Result<(), String> {
    match probe {
        Some(probe) => probe.await,
        None => std::future::pending().await,
    }
}
