//! A release's state: its events, folded.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Share, Timestamp};

use crate::coverage::Coverage;
use crate::journal::{Ending, Event, Order, Outcome, Record, Request, Version};

/// No request of the warm-up ends later than this after it.
const LONGEST_REQUEST: Duration = Duration::from_secs(3600);

/// Everything the planner knows of a release's past.
#[derive(Clone, Debug)]
pub struct State {
    pub request: Request,
    pub requested_at: Timestamp,
    pub version: Option<Version>,
    /// The version's virtual node, once it is in the mesh.
    pub virtual_node: Option<String>,
    pub tasks_started_at: Option<Timestamp>,
    /// All tasks have been healthy, so the route may lead to them.
    pub healthy: bool,
    pub share: Share,
    pub share_since: Timestamp,
    /// Canary requests that ended since the share was set.
    pub share_requests: u64,
    /// People hold the share; the policy does not move it.
    pub held: bool,
    /// An order that no step has carried out yet.
    pub pending: Option<Order>,
    pub judge: judge::State,
    /// How much of production's mix the canary has served.
    pub coverage: Coverage,
    /// The last report of each remote proxy that is among the evidence.
    pub reports: BTreeMap<String, u64>,
    /// When a server last went on with it.
    pub resumed_at: Option<Timestamp>,
    /// When something happened last.
    pub latest: Timestamp,
    /// When the canary first got traffic.
    pub exposed_at: Option<Timestamp>,
    pub decided: Option<Decided>,
    /// The new version has everything and the old one is kept.
    pub baking: Option<Baking>,
    pub left: bool,
    pub retired: bool,
    pub ended: Option<Ended>,
}

/// A promoted version under watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Baking {
    pub since: Timestamp,
    /// Then the old version goes; earlier if people say so.
    pub until: Timestamp,
    pub bake: judge::Bake,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    pub ending: Ending,
    pub reason: String,
    /// People ordered the promotion, whatever the evidence says.
    pub ordered: bool,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub outcome: Outcome,
    pub reason: String,
    pub at: Timestamp,
}

impl State {
    /// Folds a journal; `None` if it does not begin with a request.
    pub fn replay(records: impl IntoIterator<Item = Record>) -> Option<Self> {
        let mut records = records.into_iter();
        let first = records.next()?;
        let Event::Requested { request } = first.event else {
            return None;
        };
        let mut state = Self::requested(*request, first.at);
        for record in records {
            state.apply(&record);
        }
        Some(state)
    }

    pub fn requested(request: Request, at: Timestamp) -> Self {
        Self {
            judge: judge::State::default(),
            coverage: Coverage::default(),
            reports: BTreeMap::new(),
            request,
            requested_at: at,
            version: None,
            virtual_node: None,
            tasks_started_at: None,
            healthy: false,
            share: Share::ZERO,
            share_since: at,
            share_requests: 0,
            held: false,
            pending: None,
            resumed_at: None,
            latest: at,
            exposed_at: None,
            decided: None,
            baking: None,
            left: false,
            retired: false,
            ended: None,
        }
    }

    pub fn apply(&mut self, record: &Record) {
        let at = record.at;
        match &record.event {
            Event::Requested { .. } | Event::Began { .. } => {}
            Event::Resumed => self.resume(at),
            Event::Built { version } => self.version = Some(version.clone()),
            Event::Joined { virtual_node } => self.virtual_node = Some(virtual_node.clone()),
            Event::TasksStarted => self.tasks_started_at = Some(at),
            Event::TasksHealthy => {
                self.healthy = true;
                self.share_since = at;
            }
            Event::ShareSet { share, .. } => {
                self.share = *share;
                self.share_since = at;
                self.share_requests = 0;
                if *share > Share::ZERO {
                    self.exposed_at.get_or_insert(at);
                }
                self.begin_bake(at);
                if self.pending == Some(Order::Set { share: *share }) {
                    self.pending = None;
                }
            }
            Event::Ordered { order, .. } => self.obey(order, at),
            Event::Observed { batch, reports } => {
                self.reports.extend(reports.clone());
                let now_in_force = judge_share(self.share);
                let levels = batch
                    .levels
                    .iter()
                    .filter(|level| level.share == now_in_force);
                self.share_requests += levels
                    .map(|level| level.tally.canary.requests())
                    .sum::<u64>();
                self.judge(batch, at);
            }
            Event::Covered { rows } => self.coverage.add(rows),
            Event::Decided { ending, reason, .. } => {
                self.decided = Some(Decided {
                    ending: *ending,
                    reason: reason.clone(),
                    ordered: self.pending.take() == Some(Order::Promote),
                    at,
                });
                // People may have given it everything before.
                self.begin_bake(at);
            }
            Event::Left { .. } => self.left = true,
            Event::Retired { .. } => self.retired = true,
            Event::Ended { outcome, reason } => {
                self.ended = Some(Ended {
                    outcome: *outcome,
                    reason: reason.clone(),
                    at,
                });
            }
        }
        self.latest = at;
    }

    /// While no server was there nobody watched a promoted version.
    fn resume(&mut self, at: Timestamp) {
        self.resumed_at = Some(at);
        if let Some(baking) = &mut self.baking {
            baking.until = later(baking.until, at.since(self.latest));
        }
    }

    /// Since when a server has seen what began then: what happened while none was there, nobody knows.
    pub fn seen_since(&self, begun: Timestamp) -> Timestamp {
        self.resumed_at.map_or(begun, |at| at.max(begun))
    }

    /// Only with a record to compare with, and with somebody to go back to.
    fn begin_bake(&mut self, at: Timestamp) {
        let promoted = self.decided.as_ref().map(|decided| decided.ending) == Some(Ending::Promote);
        let length = self.request.limits.bake.0;
        if promoted
            && self.share == Share::WHOLE
            && !length.is_zero()
            && self.request.baseline.is_some()
            && self.baking.is_none()
        {
            let bake = judge::Bake::new(&self.request.limits.judge, &self.judge, length);
            self.baking = Some(Baking {
                since: at,
                until: later(at, length),
                bake,
            });
        }
    }

    fn judge(&mut self, batch: &judge::Batch, at: Timestamp) {
        if let Some(baking) = &mut self.baking {
            baking.bake.absorb(batch, at.since(baking.since));
        }
        let config = &self.request.limits.judge;
        let warm_up = self.request.limits.warm_up.0;
        let exposed = self
            .exposed_at
            .map_or(Duration::ZERO, |exposed_at| at.since(exposed_at));
        // A request that took so long came that long ago: what came during the warm-up is left out, whenever
        // it ended. Its failures count: users saw them.
        match exposed.checked_sub(warm_up) {
            _ if warm_up.is_zero() => self.judge.absorb(config, batch),
            Some(warm) if warm >= LONGEST_REQUEST => self.judge.absorb(config, batch),
            warm => {
                let mut batch = batch.clone();
                if batch.levels.iter().any(|level| level.has_latencies()) {
                    self.judge.withhold_latencies();
                }
                for level in &mut batch.levels {
                    match warm {
                        None => level.latency = judge::Latencies::default(),
                        Some(warm) => level.latency.truncate(warm),
                    }
                }
                // Likewise a window that began during the warm-up.
                let is_warm =
                    |window: &judge::Window| warm.is_some_and(|warm| window.length <= warm);
                batch.resources = batch.resources.filter(is_warm);
                self.judge.absorb(config, &batch)
            }
        };
    }

    fn obey(&mut self, order: &Order, at: Timestamp) {
        if let (Some(baking), Order::Promote) = (&mut self.baking, order) {
            baking.until = baking.until.min(at);
        }
        match order {
            Order::Hold => self.held = true,
            Order::Resume => {
                self.held = false;
                self.pending = None;
            }
            Order::Set { .. } => {
                self.held = true;
                self.pending = Some(order.clone());
            }
            Order::Promote | Order::Rollback => self.pending = Some(order.clone()),
        }
    }

    /// The judge's word on all evidence so far.
    pub fn verdict(&self) -> judge::Verdict {
        self.judge.verdict(&self.request.limits.judge)
    }

    /// The version that stays if the release ends as decided, and the one that goes.
    pub fn sides(&self, ending: Ending) -> (Option<&Version>, Option<&Version>) {
        let (old, new) = (self.request.baseline.as_ref(), self.version.as_ref());
        match ending {
            Ending::Promote => (new, old),
            Ending::RollBack => (old, new),
        }
    }
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.millis().saturating_add(by))
}

/// A share as the judge counts under it.
pub fn judge_share(share: Share) -> judge::Share {
    let (canary, total) = (share.basis_points(), Share::WHOLE.basis_points());
    judge::Share::new(canary.into(), total.into()).unwrap_or(judge::Share::NONE)
}
