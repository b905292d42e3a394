//! One release's loop: look, write down the evidence, plan, perform, tell.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use compute::Task;
use judge::arm_test::BadEvents;
use judge::{Batch, Window};
use model::{Share, Timestamp};
use release::executor::{Error, Release};
use release::journal::Event;
use release::state::judge_share;
use release::{State, Step, World, plan};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::resources::{Reading, Resources};
use super::restarts::Restarts;
use super::{Engine, Progress, Told};
use crate::actuator::{chain, task_set};

/// How often the world is looked at while there is nothing to do.
const TICK: Duration = Duration::from_millis(200);

/// How often is written down what both versions answered: it is much, and nothing has to be decided at once.
const COVERAGE: Duration = Duration::from_secs(2);

/// Before a step that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub(super) async fn run(
    engine: Arc<Engine>,
    mut release: Release,
    progress: watch::Sender<Arc<Progress>>,
    mut orders: mpsc::Receiver<Told>,
    mut stop: watch::Receiver<bool>,
) {
    let mut seen = Seen {
        restarts: Restarts::default(),
        resources: Resources::default(),
        noted_at: None,
        covered_at: engine.executor.ambient.now(),
    };
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while release.state.ended.is_none() && !*stop.borrow() {
        // People come before the next step; those who come meanwhile, before the one after it.
        for _ in 0..orders.len() {
            if let Ok(told) = orders.try_recv() {
                take_order(&engine, &mut release, &progress, told, &stop).await;
            }
        }
        let advanced = advance(
            &engine,
            &mut release,
            &mut seen,
            &progress,
            &mut orders,
            &mut stop,
        );
        match advanced.await {
            Ok(Advance::Again) => {}
            Ok(Advance::Idle) => tokio::select! {
                _ = tick.tick() => {}
                _ = stop.changed() => {}
                Some(told) = orders.recv() => {
                    take_order(&engine, &mut release, &progress, told, &stop).await;
                }
            },
            Err(error) => recover(&engine, &mut release, &progress, &error).await,
        }
    }
    if release.state.ended.is_some() {
        let split = engine.manifest.route(&release.id.service).path();
        engine.traffic.dismiss(&split);
    }
    tracing::info!(release = %release.id, ended = ?release.state.ended, "release stops");
}

/// What was seen at the last look, for what is new at the next.
struct Seen {
    restarts: Restarts,
    resources: Resources,
    /// When evidence was written down last.
    noted_at: Option<Timestamp>,
    covered_at: Timestamp,
}

enum Advance {
    /// A step was performed: the next may follow at once.
    Again,
    Idle,
}

async fn advance(
    engine: &Engine,
    release: &mut Release,
    seen: &mut Seen,
    progress: &watch::Sender<Arc<Progress>>,
    orders: &mut mpsc::Receiver<Told>,
    stop: &mut watch::Receiver<bool>,
) -> Result<Advance, Error> {
    let world = look(engine, release).await;
    note_evidence(engine, release, seen).await?;
    note_coverage(engine, release, &mut seen.covered_at).await?;
    let plan = plan(&release.state, &world, engine.executor.ambient.now());
    progress.send_replace(Arc::new(Progress::of(release, plan.why.clone())));
    if plan.step == Step::Wait {
        return Ok(Advance::Idle);
    }
    engine.executor.announce(release, &plan.step).await?;
    progress.send_replace(Arc::new(Progress::of(release, plan.why.clone())));
    match plan.step {
        Step::Build => return build(engine, release, &world, progress, orders, stop).await,
        Step::Join => {
            engine.executor.perform(release, &plan).await?;
            // Late counts of an earlier attempt with this tag are no evidence about this one.
            let split = engine.manifest.route(&release.id.service).path();
            engine.traffic.dismiss(&split);
            engine.judge(release);
        }
        Step::Retire => {
            // Nothing is under way any more, and tasks may take long to end: proxies need not keep reports.
            let split = engine.manifest.route(&release.id.service).path();
            engine.traffic.dismiss(&split);
            engine.executor.perform(release, &plan).await?;
        }
        _ => engine.executor.perform(release, &plan).await?,
    }
    progress.send_replace(Arc::new(Progress::of(release, plan.why)));
    Ok(Advance::Again)
}

/// A build may take minutes: orders do not wait for it, and it is cut off only if nobody wants it any more.
async fn build(
    engine: &Engine,
    release: &mut Release,
    world: &World,
    progress: &watch::Sender<Arc<Progress>>,
    orders: &mut mpsc::Receiver<Told>,
    stop: &mut watch::Receiver<bool>,
) -> Result<Advance, Error> {
    let (id, request) = (release.id.clone(), release.state.request.clone());
    let mut building = pin!(engine.executor.build(&id, &request));
    loop {
        tokio::select! {
            built = &mut building => {
                engine.executor.append(release, built?).await?;
                return Ok(Advance::Again);
            }
            Some(told) = orders.recv() => {
                take_order(engine, release, progress, told, stop).await;
                let next = plan(&release.state, world, engine.executor.ambient.now());
                if next.step != Step::Build {
                    return Ok(Advance::Again);
                }
            }
            _ = stop.changed() => return Ok(Advance::Idle),
        }
    }
}

/// Writes an order down and says so; where that fails it is tried again, for as long as somebody waits for it and it
/// changes anything.
async fn take_order(
    engine: &Engine,
    release: &mut Release,
    progress: &watch::Sender<Arc<Progress>>,
    told: Told,
    stop: &watch::Receiver<bool>,
) {
    let Told { order, by, written } = told;
    let ordered = Event::Ordered { order, by };
    let why = progress.borrow().why.clone();
    loop {
        let is_over = release.state.left || release.state.ended.is_some();
        if is_over || *stop.borrow() || written.is_closed() {
            return;
        }
        match engine.executor.append(release, ordered.clone()).await {
            Ok(()) => break,
            Err(error) => recover(engine, release, progress, &error).await,
        }
    }
    // Who reads the story now finds it there.
    progress.send_replace(Arc::new(Progress::of(release, why)));
    // Who gave it may have gone.
    written.send(()).ok();
}

/// Tells of an error, waits a moment, and begins again from the journal: nobody knows how far a failed
/// step came.
async fn recover(
    engine: &Engine,
    release: &mut Release,
    progress: &watch::Sender<Arc<Progress>>,
    error: &Error,
) {
    let words = chain(error);
    tracing::warn!(release = %release.id, error = words, "a step failed and is tried again");
    progress.send_replace(Arc::new(Progress::of(
        release,
        format!("trying again: {words}"),
    )));
    tokio::time::sleep(RETRY).await;
    match engine.executor.resume(release.id.clone()).await {
        Ok(resumed) => {
            engine.judge(&resumed);
            *release = resumed;
        }
        Err(error) => {
            tracing::error!(release = %release.id, error = chain(&error), "could not read the journal")
        }
    }
}

/// The order matters: counts are collected after the proxies carry the newest weights, so that a side
/// without requests in flight then can get no new ones.
async fn look(engine: &Engine, release: &Release) -> World {
    let now = engine.executor.ambient.now();
    let revision = engine.store.snapshot().revision();
    let mesh = engine.manifest.mesh.as_str();
    let settled = *engine.feed.carried().borrow() >= revision
        && engine.proxies.all_carry(mesh, revision, now);
    engine.traffic.collect(&engine.plane, now).await;
    let request = &release.state.request;
    let split = engine.manifest.route(&request.service).path();
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

fn trouble(task: &Task) -> Option<String> {
    let words = task.last_exit.as_ref().or(task.probe_failure.as_ref())?;
    Some(format!("{}: {words}, see {}", task.id, task.log.display()))
}

async fn note_evidence(
    engine: &Engine,
    release: &mut Release,
    seen: &mut Seen,
) -> Result<(), Error> {
    let Some(canary) = release.state.virtual_node.clone() else {
        return Ok(());
    };
    let split = engine.manifest.route(&release.state.request.service).path();
    let evidence = engine.traffic.take_evidence(&split, &canary);
    let mut batch = evidence.batch.clone();
    batch.end_with(judge_share(release.state.share));
    batch.restarts.extend(restarts_since_last(
        engine,
        &release.state,
        &mut seen.restarts,
    ));
    batch.resources = used_since_last(engine, &release.state, &mut seen.resources).await;
    if batch == Batch::default() {
        return Ok(());
    }
    let now = engine.executor.ambient.now();
    batch.after = seen.noted_at.map(|noted_at| now.since(noted_at));
    let noted = Event::Observed {
        batch,
        reports: evidence.reports.clone(),
    };
    let appended = engine.executor.append(release, noted).await;
    match appended {
        Ok(()) => seen.noted_at = Some(now),
        Err(_) => engine.traffic.give_back(&split, evidence),
    }
    appended
}

/// Until it is decided.
async fn note_coverage(
    engine: &Engine,
    release: &mut Release,
    noted_at: &mut Timestamp,
) -> Result<(), Error> {
    let now = engine.executor.ambient.now();
    let Some(canary) = &release.state.virtual_node else {
        return Ok(());
    };
    if release.state.decided.is_some() || now.since(*noted_at) < COVERAGE {
        return Ok(());
    }
    *noted_at = now;
    let split = engine.manifest.route(&release.state.request.service).path();
    let rows = engine.traffic.take_answers(&split, canary);
    match rows.is_empty() {
        true => Ok(()),
        false => {
            engine
                .executor
                .append(release, Event::Covered { rows })
                .await
        }
    }
}

fn restarts_since_last(
    engine: &Engine,
    state: &State,
    restarts: &mut Restarts,
) -> Option<BadEvents> {
    let [canary, stable] = both_serve(state)?;
    let fleet = engine.fleet();
    let set = |tag| fleet.task_sets.get(&task_set(&state.request.service, tag));
    restarts.since_last(set(canary)?, set(stable)?)
}

async fn used_since_last(
    engine: &Engine,
    state: &State,
    resources: &mut Resources,
) -> Option<Window> {
    let Some(tags) = both_serve(state) else {
        resources.forget();
        return None;
    };
    let at = engine.executor.ambient.now();
    let service = &state.request.service;
    let split = engine.manifest.route(service).path();
    let requests = tags.map(|tag| {
        let node = engine.manifest.virtual_node(service, tag);
        // Those that named their version are work, too.
        let named = engine.traffic.pinned(&split, node.name()).ended;
        engine.traffic.arm(&split, node.name()).ended + named
    });
    if !resources.is_due(at, requests) {
        return None;
    }
    let sets = tags.map(|tag| task_set(service, tag));
    let mut usage = engine.driver.usage(&sets).await;
    let usage = sets.map(|set| usage.remove(&set).unwrap_or_default());
    resources.read(&Reading {
        at,
        requests,
        usage,
    })
}

/// The tags of canary and stable, while both serve.
fn both_serve(state: &State) -> Option<[&str; 2]> {
    let stable = state.request.baseline.as_ref()?;
    let serve = state.share > Share::ZERO && state.decided.is_none();
    serve.then_some([&state.request.tag, &stable.tag])
}
