//! Kill at every step: wherever a release is cut off, its outcome is the same.
//!
//! One uninterrupted run counts the commits and the calls of the actuator. Then each of them in turn is
//! where the server is killed, once before its effect and once after; all but the store and the world is
//! forgotten, and the release goes on from its journal.

#![cfg(test)]

#[path = "crash/fuse.rs"]
mod fuse;
#[path = "crash/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use fuse::{Crash, Fuse, Moment};
use model::{ResourceId, Shares, Spec};
use release::executor::{Release, stable_stream};
use release::journal::{Event, Outcome, Record, Version};
use release::{Executor, Manifest, ReleaseId, State, Step, plan};
use store::{Memory, Store};
use world::{Clock, FailureRates, Fleet, FragileStore};

const SERVICE: &str = "crystal";

/// More turns than any release here takes.
const MOST_TURNS: usize = 2_000;

#[tokio::test]
async fn a_promotion() {
    let harmless = FailureRates {
        canary: 0.0,
        stable: 0.0,
    };
    let scenario = Scenario {
        baseline: Some("vanilla"),
        failures: harmless,
    };
    let expected = survives_every_crash(scenario).await;
    assert_eq!(expected.outcome, Outcome::Promoted);
    assert_eq!(expected.running, ["epoch"]);
    assert_eq!(expected.stable, ["vanilla", "epoch"]);
}

#[tokio::test]
async fn a_rollback() {
    let harmful = FailureRates {
        canary: 0.5,
        stable: 0.0,
    };
    let scenario = Scenario {
        baseline: Some("vanilla"),
        failures: harmful,
    };
    let expected = survives_every_crash(scenario).await;
    assert_eq!(expected.outcome, Outcome::RolledBack);
    assert_eq!(expected.running, ["vanilla"]);
    assert_eq!(expected.stable, ["vanilla"]);
}

#[tokio::test]
async fn a_first_version() {
    let scenario = Scenario {
        baseline: None,
        failures: FailureRates::default(),
    };
    let expected = survives_every_crash(scenario).await;
    assert_eq!(expected.outcome, Outcome::Promoted);
    assert_eq!(expected.running, ["epoch"]);
    assert_eq!(expected.stable, ["epoch"]);
}

#[derive(Clone, Copy)]
struct Scenario {
    /// The version that a release before this one brought.
    baseline: Option<&'static str>,
    failures: FailureRates,
}

/// A resource without its metadata: spec, tags and exact shares.
type Content = (Spec, BTreeMap<String, String>, Option<Shares>);

/// What a release leaves behind, and must leave behind however often it was killed.
#[derive(Debug, PartialEq)]
struct Remains {
    outcome: Outcome,
    mesh: BTreeMap<ResourceId, Content>,
    /// The tags of the versions whose tasks run.
    running: Vec<String>,
    /// The stable versions that were written down.
    stable: Vec<String>,
}

/// What the uninterrupted release leaves behind, once every interrupted one left the same.
async fn survives_every_crash(scenario: Scenario) -> Remains {
    let (expected, steps) = release(scenario, None).await;
    for step in 0..steps {
        for moment in [Moment::Before, Moment::After] {
            let crash = Crash { step, moment };
            let (remains, _) = release(scenario, Some(crash)).await;
            assert_eq!(remains, expected, "killed at {crash:?} of {steps} steps");
        }
    }
    expected
}

/// Releases version `epoch`; also answers in how many steps.
async fn release(scenario: Scenario, crash: Option<Crash>) -> (Remains, usize) {
    let server = Server::new();
    let mut number = 1;
    let mut baseline = None;
    if let Some(tag) = scenario.baseline {
        let id = server.request(number, tag, None).await;
        server.drive(id, scenario.failures).await;
        baseline = Some(world::version(tag));
        number += 1;
    }
    let id = server.request(number, "epoch", baseline).await;
    // A request that was cut off is the user's to repeat: the crash comes after it.
    server.fuse.arm(crash);
    let outcome = server.drive(id, scenario.failures).await;
    assert_eq!(
        server.fuse.crashes(),
        usize::from(crash.is_some()),
        "{crash:?}"
    );
    (server.remains(outcome).await, server.fuse.steps())
}

/// What outlives a crash: the store, the tasks and the time.
struct Server {
    manifest: Arc<Manifest>,
    fuse: Arc<Fuse>,
    store: Arc<FragileStore>,
    fleet: Arc<Fleet>,
    clock: Arc<Clock>,
}

impl Server {
    fn new() -> Self {
        let fuse = Arc::new(Fuse::default());
        let manifest = "mesh: crystals\nservices:\n  crystal:\n    run: ./crystal\n    tasks: 3\n";
        Self {
            manifest: Arc::new(Manifest::parse(manifest).unwrap()),
            store: Arc::new(FragileStore::new(Memory::new(), Arc::clone(&fuse))),
            fleet: Arc::new(Fleet::new(Arc::clone(&fuse))),
            clock: Arc::new(Clock::default()),
            fuse,
        }
    }

    fn executor(&self) -> Executor {
        Executor {
            manifest: Arc::clone(&self.manifest),
            store: Arc::clone(&self.store) as _,
            actuator: Arc::clone(&self.fleet) as _,
            ambient: Arc::clone(&self.clock) as _,
        }
    }

    async fn request(&self, number: u64, tag: &str, baseline: Option<Version>) -> ReleaseId {
        let id = ReleaseId {
            service: SERVICE.to_owned(),
            number,
        };
        let request = world::request(&self.manifest, SERVICE, tag, baseline);
        self.executor().request(id.clone(), request).await.unwrap();
        id
    }

    /// Drives a release to its end, as the server does: after an error it begins again from the journal.
    async fn drive(&self, id: ReleaseId, failures: FailureRates) -> Outcome {
        let mut executor = self.executor();
        let mut release = executor.resume(id.clone()).await.unwrap();
        for _ in 0..MOST_TURNS {
            if let Some(ended) = &release.state.ended {
                assert_eq!(self.outcome_in_journal(&id).await, ended.outcome);
                return ended.outcome;
            }
            if let Err(error) = self.turn(&executor, &mut release, failures).await {
                assert!(
                    self.fuse.crashes() > 0,
                    "nothing fails but what was killed: {error:?}"
                );
                executor = self.executor();
                release = self.come_back(&executor, &id).await;
            }
        }
        panic!("{id} does not end: {:?}", release.state);
    }

    /// Begins as a server does that finds a release under way.
    async fn come_back(&self, executor: &Executor, id: &ReleaseId) -> Release {
        let stable = self.stable().await.pop();
        let of_service: Vec<_> = stable
            .iter()
            .map(|version| (SERVICE.to_owned(), version.clone()))
            .collect();
        executor.prepare(&of_service).await.unwrap();
        if let Some(version) = &stable {
            let actuator = &executor.actuator;
            actuator.start_tasks(SERVICE, version, 3).await.unwrap();
        }
        let mut release = executor.resume(id.clone()).await.unwrap();
        if release.state.ended.is_none() {
            executor.append(&mut release, Event::Resumed).await.unwrap();
        }
        release
    }

    /// The stable versions that were written down, the last one last.
    async fn stable(&self) -> Vec<Version> {
        let stream = stable_stream(SERVICE);
        let entries = self.store.journal(&stream, 0).await.unwrap();
        entries
            .into_iter()
            .map(|entry| serde_json::from_value(entry.body).unwrap())
            .collect()
    }

    /// Evidence, plan, step; time passes when there is nothing to do.
    async fn turn(
        &self,
        executor: &Executor,
        release: &mut Release,
        failures: FailureRates,
    ) -> Result<(), release::executor::Error> {
        let now = self.clock.time();
        let plan = plan(&release.state, &self.fleet.look(&release.state), now);
        if plan.step != Step::Wait {
            return executor.perform(release, &plan).await;
        }
        self.clock.pass_a_second();
        match world::a_second_of_traffic(release.state.share, failures) {
            Some(batch) => {
                let reports = Default::default();
                executor
                    .append(release, Event::Observed { batch, reports })
                    .await
            }
            None => Ok(()),
        }
    }

    /// The outcome by the journal alone, which must hold exactly one end, the last of its events.
    async fn outcome_in_journal(&self, id: &ReleaseId) -> Outcome {
        let entries = self.store.journal(&id.stream(), 0).await.unwrap();
        let records: Vec<Record> = entries
            .into_iter()
            .map(|entry| serde_json::from_value(entry.body).unwrap())
            .collect();
        let is_end = |record: &&Record| matches!(record.event, Event::Ended { .. });
        assert_eq!(records.iter().filter(is_end).count(), 1);
        assert!(records.last().is_some_and(|last| is_end(&last)));
        State::replay(records).unwrap().ended.unwrap().outcome
    }

    async fn remains(&self, outcome: Outcome) -> Remains {
        let stable = self.stable().await;
        let parts = |resource: &Arc<model::Resource>| {
            let model::Resource {
                id,
                spec,
                tags,
                shares,
                ..
            } = model::Resource::clone(resource);
            (id, (spec, tags, shares))
        };
        Remains {
            outcome,
            mesh: self.store.snapshot().iter().map(parts).collect(),
            running: self.fleet.running(),
            stable: stable.into_iter().map(|version| version.tag).collect(),
        }
    }
}
