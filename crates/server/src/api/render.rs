//! From what the engine knows to what the API says.

use judge::Verdict;
use model::Timestamp;
use release::coverage::Covered;
use release::journal::Ending;
use release::manifest::Policy;
use release::{State, Step};
use serde::Serialize;

use super::types::{
    ArmCounts, Coverage, CoverageCase, Ended, Evidence, FamilyEvidence, LatencyEvidence,
    ReleaseStatus, ReplayedDecision, ResourceEvidence, ResourceUsage, ShareStatus,
};
use crate::engine::Progress;

pub(super) fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.millis())
        .unwrap_or_default()
        .to_string()
}

/// An enum's name as it stands in JSON.
pub(super) fn name(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

pub(super) fn policy(policy: &Policy) -> String {
    match policy {
        Policy::Auto { .. } => "auto".to_owned(),
        Policy::Steps { .. } => "steps".to_owned(),
        Policy::Manual => "manual".to_owned(),
    }
}

pub(super) fn release(progress: &Progress) -> ReleaseStatus {
    let state = &progress.state;
    let verdict = state.verdict();
    ReleaseStatus {
        id: progress.id.to_string(),
        service: state.request.service.clone(),
        tag: state.request.tag.clone(),
        baseline: state
            .request
            .baseline
            .as_ref()
            .map(|version| version.tag.clone()),
        policy: policy(&state.request.policy),
        requested_at: time(state.requested_at),
        now: progress.why.clone(),
        held: state.held,
        share: share(state),
        evidence: evidence(&verdict),
        coverage: coverage(state),
        ended: state.ended.as_ref().map(|ended| Ended {
            outcome: name(ended.outcome),
            reason: ended.reason.clone(),
            at: time(ended.at),
        }),
    }
}

fn coverage(state: &State) -> Option<Coverage> {
    let mix = state.coverage.mix()?;
    let missing = mix.missing().take(Coverage::MOST_MISSING);
    Some(Coverage {
        sentence: mix.to_string(),
        percent: mix.covered() * 100.0,
        missing: missing.map(case).collect(),
    })
}

/// Every case of production's mix, the most frequent first.
pub(super) fn cases(state: &State) -> Vec<CoverageCase> {
    let mix = state.coverage.mix();
    mix.iter().flat_map(|mix| &mix.cases).map(case).collect()
}

fn case(covered: &Covered) -> CoverageCase {
    CoverageCase {
        method: covered.case.method.clone(),
        path: covered.case.path.clone(),
        status: covered.case.class.to_string(),
        percent: covered.share * 100.0,
        canary: covered.canary,
    }
}

/// What the coin did while the share was in force, as far as requests have ended.
fn share(state: &State) -> ShareStatus {
    let tally = state
        .judge
        .counts()
        .at(release::state::judge_share(state.share));
    let (canary, all) = (tally.canary.requests(), tally.requests());
    let percent = |fraction: f64| (all > 0).then_some(fraction * 100.0);
    let rate = judge::Rate::new(canary, all);
    ShareStatus {
        set: state.share.to_string(),
        since: time(state.share_since),
        measured: percent(rate.share),
        low: percent(rate.interval.low),
        high: percent(rate.interval.high),
        requests: all,
    }
}

pub(super) fn evidence(verdict: &Verdict) -> Evidence {
    let evidence = &verdict.evidence;
    let counts = |failed: judge::Rate, retried: Option<judge::Rate>| ArmCounts {
        requests: failed.of,
        failures: failed.count,
        retried: retried.map_or(0, |rate| rate.count),
    };
    let tries = evidence.tries.as_ref();
    let any = evidence.canary.of > 0;
    Evidence {
        decision: name(verdict.decision),
        sentence: verdict.sentence.clone(),
        canary: counts(evidence.canary, tries.map(|tries| tries.canary)),
        stable: counts(evidence.stable, tries.map(|tries| tries.stable)),
        log_evidence: evidence.log_e,
        log_threshold: evidence.rollback_threshold,
        families: evidence.families.iter().map(family).collect(),
        latency: evidence.latency.as_ref().map(latency),
        resources: evidence.resources.as_ref().map(resources),
        excess_bound: any.then_some(evidence.excess_bound * 100.0),
        missing_requests: evidence.missing,
    }
}

fn family(evidence: &judge::FamilyEvidence) -> FamilyEvidence {
    FamilyEvidence {
        family: name(evidence.family),
        weight: evidence.weight,
        log_evidence: evidence.log_e,
    }
}

fn latency(evidence: &judge::LatencyEvidence) -> LatencyEvidence {
    let millis = |latency: std::time::Duration| latency.as_secs_f64() * 1e3;
    LatencyEvidence {
        canary_p50: millis(evidence.canary.p50),
        canary_p99: millis(evidence.canary.p99),
        stable_p50: millis(evidence.stable.p50),
        stable_p99: millis(evidence.stable.p99),
        slowdown_bound: evidence.slowdown_bound.map(|bound| bound * 100.0),
    }
}

fn resources(evidence: &judge::ResourceEvidence) -> ResourceEvidence {
    let usage = |usage: judge::ResourceUsage| ResourceUsage {
        processor: usage.processor.as_secs_f64() * 1e3,
        memory: usage.memory as f64 / f64::from(1 << 20),
    };
    ResourceEvidence {
        windows: evidence.windows,
        canary: usage(evidence.canary),
        stable: usage(evidence.stable),
        more_processor: evidence.more_processor,
        more_memory: evidence.more_memory,
    }
}

pub(super) fn replayed(decision: &release::Decision) -> ReplayedDecision {
    let same = decision.is_same();
    ReplayedDecision {
        at: time(decision.at),
        decision: step(&decision.step, &decision.why),
        same,
        again: (!same).then(|| step(&decision.again.step, &decision.again.why)),
        log_evidence: decision.log_evidence,
        bits: format!("{:016x}", decision.log_evidence.to_bits()),
    }
}

fn step(step: &Step, why: &str) -> String {
    match step {
        Step::SetShare(share) => format!("share {share}: {why}"),
        Step::Decide(Ending::Promote) => format!("promote: {why}"),
        Step::Decide(Ending::RollBack) => format!("roll back: {why}"),
        other => format!("{other:?}: {why}"),
    }
}
