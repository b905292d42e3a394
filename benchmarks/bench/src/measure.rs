//! One measurement: load on one peer for one round, and what the kernel says about it.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;

use crate::load::{EventLoop, Outcome, Plan};
use crate::machine::{Moment, Noise};
use crate::process::Process;
use crate::scenario::{Scenario, WEIGHTS};

/// A split that is right differs by so many standard deviations at most.
const DEVIATIONS: f64 = 6.0;
/// After the last idle connection, until memory is read.
const SETTLING: Duration = Duration::from_millis(500);

#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub scenario: &'static str,
    pub peer: &'static str,
    pub round: usize,
    pub requests: u64,
    pub seconds: f64,
    /// Microseconds of the proxy's processor time for a request.
    pub cpu: f64,
    pub requests_per_second: f64,
    /// Microseconds from when a request was due.
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    /// Of the proxy, under load, in KiB.
    pub memory: u64,
    pub noise: Noise,
    /// Why the round does not count, if it does not.
    pub dropped: Option<String>,
}

pub struct Lengths {
    pub warm_up: Duration,
    pub measured: Duration,
}

/// One round. A peer that fails requests is no peer, nor is one that `splits` requests, but wrongly: that
/// is an error.
pub fn round(
    events: &mut EventLoop,
    process: &Process,
    scenario: &Scenario,
    plan: &Plan,
    lengths: &Lengths,
    splits: bool,
) -> anyhow::Result<(Outcome, Duration, u64, Noise)> {
    let mut marks = Vec::with_capacity(2);
    let mut memory = 0;
    let outcome = events.run(plan, lengths.warm_up, lengths.measured, || {
        marks.push((process.cpu()?, Moment::now()?));
        if marks.len() == 2 {
            memory = process.memory()?;
        }
        Ok(())
    })?;
    let [(cpu_before, before), (cpu_after, after)] = marks[..] else {
        bail!("the run was not measured");
    };
    let cpu = cpu_after - cpu_before;
    check(scenario, &outcome, splits)?;
    Ok((outcome, cpu, memory, after.noise_since(&before, cpu)))
}

fn check(scenario: &Scenario, outcome: &Outcome, splits: bool) -> anyhow::Result<()> {
    if outcome.failed() > 0 {
        bail!(
            "{} requests failed: {:?}",
            outcome.failed(),
            outcome.failures
        );
    }
    if outcome.answered == 0 {
        bail!("no request was answered");
    }
    if scenario.upstreams() < 2 || !splits {
        return Ok(());
    }
    let total = outcome.answered as f64;
    let expected = f64::from(WEIGHTS[0]) / f64::from(WEIGHTS.iter().sum::<u32>());
    let share = outcome.by_upstream[0] as f64 / total;
    let deviation = (expected * (1.0 - expected) / total).sqrt();
    if (share - expected).abs() > DEVIATIONS * deviation {
        bail!("the split is wrong: {share:.4} instead of {expected}");
    }
    Ok(())
}

impl Sample {
    pub fn new(
        scenario: &Scenario,
        peer: &'static str,
        round: usize,
        (outcome, cpu, memory, noise): &(Outcome, Duration, u64, Noise),
    ) -> Self {
        let dropped = (!noise.is_quiet()).then(|| {
            format!(
                "others took {:.0} % of the machine, {:.0} % was stolen",
                noise.foreign * 1e2,
                noise.steal * 1e2
            )
        });
        Self {
            scenario: scenario.name,
            peer,
            round,
            requests: outcome.answered,
            seconds: outcome.elapsed.as_secs_f64(),
            cpu: cpu.as_secs_f64() * 1e6 / outcome.answered as f64,
            requests_per_second: outcome.per_second(),
            p50: outcome.quantile(0.5),
            p99: outcome.quantile(0.99),
            p999: outcome.quantile(0.999),
            memory: memory >> 10,
            noise: *noise,
            dropped,
        }
    }
}

/// A peer's memory, in KiB, and what an idle connection costs, in bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    pub peer: &'static str,
    pub started: u64,
    pub with_idle_connections: u64,
    pub connections: usize,
    pub per_connection: f64,
}

/// Connections that have made one request each and stay, on a peer that is warm.
pub fn idle_memory(
    events: &mut EventLoop,
    process: &Process,
    peer: &'static str,
    plan: &Plan,
) -> anyhow::Result<Memory> {
    let started = process.memory()?;
    let few = Plan {
        connections: 64,
        ..plan.clone()
    };
    let half_a_second = Duration::from_millis(500);
    events.run(&few, Duration::ZERO, half_a_second, || Ok(()))?;
    events.idle(SETTLING)?;
    let before = process.memory()?;
    let outcome = events.open_idle(plan)?;
    if outcome.failed() > 0 || outcome.answered < plan.connections as u64 {
        bail!(
            "{} of {} connections: {:?}",
            outcome.answered,
            plan.connections,
            outcome.failures
        );
    }
    events.idle(SETTLING)?;
    let after = process.memory()?;
    events.close_clients();
    Ok(Memory {
        peer,
        started: started >> 10,
        with_idle_connections: after >> 10,
        connections: plan.connections,
        per_connection: (after as f64 - before as f64) / plan.connections as f64,
    })
}

/// System calls for a request, counted by `perf` in a run of its own.
pub fn system_calls(
    events: &mut EventLoop,
    process: &Process,
    plan: &Plan,
    lengths: &Lengths,
) -> anyhow::Result<f64> {
    let pids: Vec<String> = process.pids().iter().map(u32::to_string).collect();
    let mut counters: BTreeMap<&str, Child> = BTreeMap::new();
    let outcome = events.run(plan, lengths.warm_up, lengths.measured, || {
        if let Some(perf) = counters.remove("perf") {
            let pid = rustix::process::Pid::from_child(&perf);
            rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
            counters.insert("ended", perf);
        } else {
            let mut perf = Command::new("perf");
            perf.args([
                "stat",
                "-x",
                ",",
                "-e",
                "raw_syscalls:sys_enter",
                "-p",
                &pids.join(","),
            ]);
            perf.stdout(Stdio::null()).stderr(Stdio::piped());
            counters.insert("perf", perf.spawn().context("perf cannot be started")?);
            // It says nothing when it has begun to count.
            std::thread::sleep(Duration::from_millis(300));
        }
        Ok(())
    })?;
    let perf = counters.remove("ended").context("perf was not ended")?;
    let output = perf.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let count: f64 = said
        .split(',')
        .next()
        .and_then(|count| count.trim().parse().ok())
        .with_context(|| format!("perf counted nothing: {said}"))?;
    Ok(count / outcome.answered as f64)
}
