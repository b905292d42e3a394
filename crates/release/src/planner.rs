//! The planner: what a release does next, and why.
//!
//! Pure: `(state, world, now) -> Plan`. Everything it decides by is in its arguments, so each decision can
//! be computed again; the executor performs the step and makes no choice of its own.

mod auto;

use std::time::Duration;

use judge::Decision;
use model::{Share, Timestamp};
use serde::{Deserialize, Serialize};

use crate::journal::{Ending, Order, Outcome, Seen};
use crate::manifest::{Policy, TextDuration};
use crate::state::{Decided, State};

pub use auto::LOOP_LATENCY;

/// Proxies come back to a server within this time, and tell what is under way: until then it sees less than there is.
const COME_BACK: Duration = Duration::from_secs(10);

/// What the planner sees of the world outside the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct World {
    /// Healthy tasks of the new version.
    pub healthy: u32,
    /// What the driver says of a task that is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// Every proxy carries the newest revision of the mesh.
    pub settled: bool,
    /// Requests that drew or named the side that leaves and have not ended yet.
    pub in_flight: u64,
    /// Requests a second on the route, over the last seconds.
    pub rate: f64,
}

impl World {
    /// With a rate of three decimals, so that the world read back from the journal is the same to the last bit.
    fn rounded(&self) -> Self {
        Self {
            rate: (self.rate * 1000.0).round() / 1000.0,
            ..self.clone()
        }
    }
}

/// The next step and, for people, its reason.
#[must_use = "a plan that nobody performs changes nothing"]
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub step: Step,
    pub why: String,
    /// What it was decided by, where the step is a decision.
    pub seen: Option<Seen>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Build,
    /// Put the version's virtual node into the mesh.
    Join,
    StartTasks,
    /// Note that every task is healthy.
    Admit,
    SetShare(Share),
    Decide(Ending),
    /// Take the side that ends out of the route and the mesh.
    Leave,
    /// Stop its tasks.
    Retire,
    Finish(Outcome),
    /// Nothing to do before the world changes.
    Wait,
}

impl Step {
    fn because(self, why: impl Into<String>) -> Plan {
        Plan {
            step: self,
            why: why.into(),
            seen: None,
        }
    }
}

pub fn plan(state: &State, world: &World, now: Timestamp) -> Plan {
    let world = world.rounded();
    let mut plan = next(state, &world, now);
    if matches!(plan.step, Step::SetShare(_) | Step::Decide(_)) {
        plan.seen = Some(Seen { now, world });
    }
    plan
}

fn next(state: &State, world: &World, now: Timestamp) -> Plan {
    match (&state.ended, &state.decided) {
        (Some(ended), _) => Step::Wait.because(format!("{}: {}", ended.outcome, ended.reason)),
        (None, Some(decided)) => wind_up(state, decided, world, now),
        (None, None) => advance(state, world, now),
    }
}

/// From request to decision.
fn advance(state: &State, world: &World, now: Timestamp) -> Plan {
    if state.pending == Some(Order::Rollback) {
        return Step::Decide(Ending::RollBack).because("ordered");
    }
    let Some(version) = &state.version else {
        return Step::Build.because(format!("building {}", state.request.tag));
    };
    if state.virtual_node.is_none() {
        return Step::Join.because(format!("{} gets a virtual node", version.tag));
    }
    let Some(started_at) = state.tasks_started_at else {
        if !world.settled {
            return Step::Wait.because("the proxies do not carry its virtual node yet");
        }
        return Step::StartTasks.because(format!("starting the tasks of {}", version.tag));
    };
    if !state.healthy {
        return admit_when_healthy(state, world, now.since(state.seen_since(started_at)));
    }
    if state.request.baseline.is_none() {
        return Step::Decide(Ending::Promote).because("the service's first version");
    }
    if state.pending == Some(Order::Promote) {
        return Step::Decide(Ending::Promote).because("ordered");
    }
    if state.judge.decision() == Decision::RollBack {
        return Step::Decide(Ending::RollBack).because(state.verdict().sentence);
    }
    if let Some(Order::Set { share }) = state.pending {
        return Step::SetShare(share).because("ordered");
    }
    if state.held {
        return Step::Wait.because(format!("held at {}", state.share));
    }
    follow_policy(state, world, now)
}

fn admit_when_healthy(state: &State, world: &World, waited: Duration) -> Plan {
    let (healthy, desired) = (world.healthy, state.request.tasks);
    if healthy >= desired {
        return Step::Admit.because(format!("{healthy} of {desired} tasks are healthy"));
    }
    let progress = format!("{healthy} of {desired} tasks are healthy");
    let limit = state.request.limits.start_timeout;
    if waited < limit.0 {
        return Step::Wait.because(progress);
    }
    let trouble = match &world.trouble {
        Some(trouble) => format!(" ({trouble})"),
        None => String::new(),
    };
    Step::Decide(Ending::RollBack).because(format!("only {progress} after {limit}{trouble}"))
}

fn follow_policy(state: &State, world: &World, now: Timestamp) -> Plan {
    let waited = now.since(state.seen_since(state.share_since));
    match &state.request.policy {
        Policy::Manual => Step::Wait.because(format!("at {}; waiting for orders", state.share)),
        Policy::Steps {
            shares,
            least_time,
            least_requests,
        } => {
            let next = shares.iter().copied().find(|&share| share > state.share);
            let Some(next) = next.filter(|&share| share < Share::WHOLE) else {
                return finish_steps(state, waited, least_time.0, *least_requests);
            };
            match step_lacks(state, waited, least_time.0, *least_requests) {
                Some(lack) => Step::Wait.because(lack),
                None => Step::SetShare(next).because("the next step of the policy"),
            }
        }
        Policy::Auto { mode, max_share } => auto::follow(state, world, now, *mode, *max_share),
    }
}

fn finish_steps(
    state: &State,
    waited: Duration,
    least_time: Duration,
    least_requests: u64,
) -> Plan {
    match step_lacks(state, waited, least_time, least_requests) {
        Some(lack) => Step::Wait.because(lack),
        None => Step::Decide(Ending::Promote).because("every step of the policy was passed"),
    }
}

/// What a step of the policy still needs before the next; the start at 0 % needs nothing.
fn step_lacks(
    state: &State,
    waited: Duration,
    least_time: Duration,
    least_requests: u64,
) -> Option<String> {
    if state.share == Share::ZERO {
        return None;
    }
    if waited < least_time {
        let left = (least_time - waited).as_secs_f64().ceil();
        return Some(format!("at {}: {left} s to go", state.share));
    }
    let missing = least_requests.saturating_sub(state.share_requests);
    (missing > 0).then(|| format!("at {}: {missing} canary requests to go", state.share))
}

/// From decision to end: everything on the side that stays, then the other side leaves.
fn wind_up(state: &State, decided: &Decided, world: &World, now: Timestamp) -> Plan {
    let (outcome, share) = match decided.ending {
        Ending::Promote => (Outcome::Promoted, Share::WHOLE),
        Ending::RollBack if !state.healthy => (Outcome::Abandoned, Share::ZERO),
        Ending::RollBack => (Outcome::RolledBack, Share::ZERO),
    };
    let why = decided.reason.as_str();
    if state.healthy && state.share != share {
        return Step::SetShare(share).because(why);
    }
    if let Some(plan) = watch_over(state, decided, now) {
        return plan;
    }
    let (_, leaves) = state.sides(decided.ending);
    let Some(leaves) = leaves.filter(|_| state.virtual_node.is_some()) else {
        return Step::Finish(outcome).because(why);
    };
    if !state.left {
        let drained = world.settled && world.in_flight == 0 && proxies_are_back(state, now);
        let waited = now.since(state.seen_since(idle_since(state, decided)));
        if !drained && waited < state.request.limits.drain_timeout.0 {
            return Step::Wait.because(format!(
                "{} requests are still in flight on {}",
                world.in_flight, leaves.tag
            ));
        }
        return Step::Leave.because(format!("{} serves nothing now", leaves.tag));
    }
    if !state.retired {
        return Step::Retire.because(format!("{} is out of the mesh", leaves.tag));
    }
    Step::Finish(outcome).because(why)
}

/// Whether the proxies of before a restart have had the time to come back.
fn proxies_are_back(state: &State, now: Timestamp) -> bool {
    state
        .resumed_at
        .is_none_or(|resumed_at| now.since(resumed_at) >= COME_BACK)
}

/// Since when the side that leaves has nothing more to do: while the new version is watched, requests that name
/// the old one still go there.
fn idle_since(state: &State, decided: &Decided) -> Timestamp {
    let watched_until = state.baking.as_ref().map(|baking| baking.until);
    let promoted = decided.ending == Ending::Promote;
    let until = watched_until.filter(|_| promoted);
    until.map_or(state.share_since, |until| until.max(state.share_since))
}

/// While a promoted version bakes, the old one is kept, and may get everything again.
fn watch_over(state: &State, decided: &Decided, now: Timestamp) -> Option<Plan> {
    let baking = state.baking.as_ref()?;
    if decided.ending != Ending::Promote || state.left {
        return None;
    }
    match &state.pending {
        Some(Order::Rollback) => return Some(Step::Decide(Ending::RollBack).because("ordered")),
        Some(Order::Promote) => return None,
        _ => {}
    }
    // Requests that drew their version before may fail late.
    if state.judge.decision() == Decision::RollBack && !decided.ordered {
        return Some(Step::Decide(Ending::RollBack).because(state.verdict().sentence));
    }
    if let Some(alarm) = baking.bake.alarm() {
        return Some(Step::Decide(Ending::RollBack).because(alarm));
    }
    let left = baking.until.since(now);
    if left.is_zero() {
        return None;
    }
    let left = TextDuration(Duration::from_secs(left.as_secs().max(1)));
    Some(Step::Wait.because(format!(
        "watched for {left} more, with the old version at hand"
    )))
}

#[cfg(test)]
mod tests;
