//! One release's loop: look, write down the evidence, plan, perform, tell.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use compute::Task;
use release::executor::{Error, Release};
use release::journal::Event;
use release::{Step, World, plan};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::seen::Seen;
use super::{Engine, Progress, Told};
use crate::actuator::{chain, task_set};

/// How often the world is looked at while there is nothing to do.
const TICK: Duration = Duration::from_millis(200);

/// Before a step that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Runner {
    engine: Arc<Engine>,
    release: Release,
    seen: Seen,
    progress: watch::Sender<Arc<Progress>>,
    orders: mpsc::Receiver<Told>,
    stop: watch::Receiver<bool>,
}

enum Advance {
    /// A step was performed: the next may follow at once.
    Again,
    Idle,
}

impl Runner {
    pub(super) fn new(
        engine: Arc<Engine>,
        release: Release,
        progress: watch::Sender<Arc<Progress>>,
        orders: mpsc::Receiver<Told>,
    ) -> Self {
        Self {
            seen: Seen::nothing(engine.executor.ambient.now()),
            stop: engine.stop.subscribe(),
            engine,
            release,
            progress,
            orders,
        }
    }

    pub(super) async fn run(mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.release.state.ended.is_none() && !*self.stop.borrow() {
            // People come before the next step; those who come meanwhile, before the one after it.
            for _ in 0..self.orders.len() {
                if let Ok(told) = self.orders.try_recv() {
                    self.take_order(told).await;
                }
            }
            match self.advance().await {
                Ok(Advance::Again) => {}
                Ok(Advance::Idle) => tokio::select! {
                    _ = tick.tick() => {}
                    _ = self.stop.changed() => {}
                    Some(told) = self.orders.recv() => self.take_order(told).await,
                },
                Err(error) => self.recover(&error).await,
            }
        }
        let ended = &self.release.state.ended;
        tracing::info!(release = %self.release.id, ?ended, "release stops");
        if ended.is_some() {
            self.dismiss();
        }
    }

    async fn advance(&mut self) -> Result<Advance, Error> {
        let world = self.look().await;
        self.seen.note(&self.engine, &mut self.release).await?;
        let plan = plan(
            &self.release.state,
            &world,
            self.engine.executor.ambient.now(),
        );
        self.tell(plan.why.clone());
        if plan.step == Step::Wait {
            return Ok(Advance::Idle);
        }
        let executor = &self.engine.executor;
        executor.announce(&mut self.release, &plan.step).await?;
        self.tell(plan.why.clone());
        if plan.step == Step::Build {
            return self.build(&world).await;
        }
        if plan.step == Step::Retire {
            // Nothing is under way any more, and tasks may take long to end: proxies need not keep reports.
            self.dismiss();
        }
        let executor = &self.engine.executor;
        executor.perform(&mut self.release, &plan).await?;
        if plan.step == Step::Join {
            // Late counts of an earlier attempt with this tag are no evidence about this one.
            self.dismiss();
            self.engine.judge(&self.release);
        }
        self.tell(plan.why);
        Ok(Advance::Again)
    }

    /// A build may take minutes: orders do not wait for it, and it is cut off only if nobody wants it any more.
    async fn build(&mut self, world: &World) -> Result<Advance, Error> {
        let engine = Arc::clone(&self.engine);
        let (id, request) = (self.release.id.clone(), self.release.state.request.clone());
        let mut building = pin!(engine.executor.build(&id, &request));
        loop {
            tokio::select! {
                built = &mut building => {
                    engine.executor.append(&mut self.release, built?).await?;
                    return Ok(Advance::Again);
                }
                Some(told) = self.orders.recv() => {
                    self.take_order(told).await;
                    let next = plan(&self.release.state, world, engine.executor.ambient.now());
                    if next.step != Step::Build {
                        return Ok(Advance::Again);
                    }
                }
                _ = self.stop.changed() => return Ok(Advance::Idle),
            }
        }
    }

    /// Writes an order down and says so; where that fails it is tried again, for as long as somebody waits for it and
    /// it changes anything.
    async fn take_order(&mut self, told: Told) {
        let Told { order, by, written } = told;
        let ordered = Event::Ordered { order, by };
        let why = self.progress.borrow().why.clone();
        loop {
            let is_over = self.release.state.left || self.release.state.ended.is_some();
            if is_over || *self.stop.borrow() || written.is_closed() {
                return;
            }
            let executor = &self.engine.executor;
            match executor.append(&mut self.release, ordered.clone()).await {
                Ok(()) => break,
                Err(error) => self.recover(&error).await,
            }
        }
        // Who reads the story now finds it there.
        self.tell(why);
        // Who gave it may have gone.
        written.send(()).ok();
    }

    /// Tells of an error, waits a moment, and begins again from the journal: nobody knows how far a failed
    /// step came.
    async fn recover(&mut self, error: &Error) {
        let words = chain(error);
        tracing::warn!(release = %self.release.id, error = words, "a step failed and is tried again");
        self.tell(format!("trying again: {words}"));
        tokio::time::sleep(RETRY).await;
        match self.engine.executor.resume(self.release.id.clone()).await {
            Ok(resumed) => {
                self.engine.judge(&resumed);
                self.release = resumed;
            }
            Err(error) => {
                tracing::error!(release = %self.release.id, error = chain(&error), "could not read the journal")
            }
        }
    }

    fn tell(&self, why: String) {
        self.progress
            .send_replace(Arc::new(Progress::of(&self.release, why)));
    }

    /// Counts of the release's split are of no more use.
    fn dismiss(&self) {
        self.engine
            .traffic
            .dismiss(&self.engine.split(&self.release.id));
    }

    /// The order matters: counts are collected after the proxies carry the newest weights, so that a side
    /// without requests in flight then can get no new ones.
    async fn look(&self) -> World {
        let (engine, release) = (&self.engine, &self.release);
        let now = engine.executor.ambient.now();
        let revision = engine.store.snapshot().revision();
        let mesh = engine.manifest.mesh.as_str();
        let settled = *engine.feed.carried().borrow() >= revision
            && engine.proxies.all_carry(mesh, revision, now);
        engine.traffic.collect(&engine.plane, now).await;
        let request = &release.state.request;
        let split = engine.split(&release.id);
        let leaving = release.state.decided.as_ref().and_then(|decided| {
            let (_, leaves) = release.state.sides(decided.ending);
            leaves.map(|version| engine.manifest.virtual_node(&request.service, &version.tag))
        });
        let fleet = engine.fleet();
        let tasks = fleet
            .task_sets
            .get(&task_set(&request.service, &request.tag));
        World {
            healthy: tasks.map_or(0, |set| u32::try_from(set.healthy()).unwrap_or(u32::MAX)),
            trouble: tasks.and_then(|set| set.tasks.iter().find_map(trouble)),
            settled,
            in_flight: leaving.map_or(0, |node| {
                let drawn = engine.traffic.arm(&split, node.name()).in_flight();
                drawn + engine.traffic.pinned(&split, node.name()).in_flight()
            }),
            rate: engine.traffic.rate(&split, now),
        }
    }
}

fn trouble(task: &Task) -> Option<String> {
    let words = task.last_exit.as_ref().or(task.probe_failure.as_ref())?;
    Some(format!("{}: {words}, see {}", task.id, task.log.display()))
}
