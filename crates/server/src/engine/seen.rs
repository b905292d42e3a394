//! What was seen of both versions since the last look, written down as evidence.

use std::time::Duration;

use judge::arm_test::BadEvents;
use judge::{Batch, Window};
use model::{Share, Timestamp};
use release::State;
use release::executor::{Error, Release};
use release::journal::Event;
use release::state::judge_share;

use super::Engine;
use super::resources::{Reading, Resources};
use super::restarts::Restarts;
use crate::actuator::task_set;

/// How often is written down what both versions answered: it is much, and nothing has to be decided at once.
const COVERAGE: Duration = Duration::from_secs(2);

/// What was seen at the last look, for what is new at the next.
#[derive(Debug)]
pub(super) struct Seen {
    restarts: Restarts,
    resources: Resources,
    /// When evidence was written down last.
    noted_at: Option<Timestamp>,
    covered_at: Timestamp,
}

impl Seen {
    pub(super) fn nothing(now: Timestamp) -> Self {
        Self {
            restarts: Restarts::default(),
            resources: Resources::default(),
            noted_at: None,
            covered_at: now,
        }
    }

    pub(super) async fn note(
        &mut self,
        engine: &Engine,
        release: &mut Release,
    ) -> Result<(), Error> {
        self.note_evidence(engine, release).await?;
        self.note_coverage(engine, release).await
    }

    async fn note_evidence(&mut self, engine: &Engine, release: &mut Release) -> Result<(), Error> {
        let Some(canary) = release.state.virtual_node.clone() else {
            return Ok(());
        };
        let split = engine.split(&release.id);
        let evidence = engine.traffic.take_evidence(&split, &canary);
        let mut batch = evidence.batch.clone();
        batch.end_with(judge_share(release.state.share));
        batch
            .restarts
            .extend(self.restarts_since_last(engine, &release.state));
        batch.resources = self.used_since_last(engine, &release.state).await;
        if batch == Batch::default() {
            return Ok(());
        }
        let now = engine.executor.ambient.now();
        batch.after = self.noted_at.map(|noted_at| now.since(noted_at));
        let noted = Event::Observed {
            batch,
            reports: evidence.reports.clone(),
        };
        let appended = engine.executor.append(release, noted).await;
        match appended {
            Ok(()) => self.noted_at = Some(now),
            Err(_) => engine.traffic.give_back(&split, evidence),
        }
        appended
    }

    /// Until it is decided.
    async fn note_coverage(&mut self, engine: &Engine, release: &mut Release) -> Result<(), Error> {
        let now = engine.executor.ambient.now();
        let Some(canary) = &release.state.virtual_node else {
            return Ok(());
        };
        if release.state.decided.is_some() || now.since(self.covered_at) < COVERAGE {
            return Ok(());
        }
        self.covered_at = now;
        let rows = engine
            .traffic
            .take_answers(&engine.split(&release.id), canary);
        if rows.is_empty() {
            return Ok(());
        }
        engine
            .executor
            .append(release, Event::Covered { rows })
            .await
    }

    fn restarts_since_last(&mut self, engine: &Engine, state: &State) -> Option<BadEvents> {
        let [canary, stable] = both_serve(state)?;
        let fleet = engine.fleet();
        let set = |tag| fleet.task_sets.get(&task_set(&state.request.service, tag));
        self.restarts.since_last(set(canary)?, set(stable)?)
    }

    async fn used_since_last(&mut self, engine: &Engine, state: &State) -> Option<Window> {
        let Some(tags) = both_serve(state) else {
            self.resources.forget();
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
        if !self.resources.is_due(at, requests) {
            return None;
        }
        let sets = tags.map(|tag| task_set(service, tag));
        let mut usage = engine.driver.usage(&sets).await;
        let usage = sets.map(|set| usage.remove(&set).unwrap_or_default());
        self.resources.read(&Reading {
            at,
            requests,
            usage,
        })
    }
}

/// The tags of canary and stable, while both serve.
fn both_serve(state: &State) -> Option<[&str; 2]> {
    let stable = state.request.baseline.as_ref()?;
    let serve = state.share > Share::ZERO && state.decided.is_none();
    serve.then_some([&state.request.tag, &stable.tag])
}
