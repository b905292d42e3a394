//! Simulates releases, healthy and bad, and prints how the judge does on each:
//!
//! ```text
//! cargo run -p judge --release --example simulate [RUNS [NAME]]
//! ```
//!
//! With a NAME, only the scenarios whose name contains it. Every figure is given with its 95 % interval,
//! or as median and 95th percentile. Seeds are fixed, so the same RUNS prints the same table.

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::process::ExitCode;

use judge::{Config, Decision, Rate};

use rollout::{FailureRate, Outcome, Policy, Scenario, run};

mod rollout;

struct Row {
    name: &'static str,
    rate: f64,
    stable: FailureRate,
    canary: FailureRate,
    hours: f64,
}

const ROWS: &[Row] = &[
    row("healthy 0.1 %", 0.2, |_| 0.001, |_| 0.001, 4.0),
    row("healthy 0.1 %", 1.0, |_| 0.001, |_| 0.001, 4.0),
    row("healthy 0.1 %", 10.0, |_| 0.001, |_| 0.001, 1.0),
    row("healthy 0.5 %", 10.0, |_| 0.005, |_| 0.005, 1.0),
    row("healthy 0.8 %", 10.0, |_| 0.008, |_| 0.008, 1.0),
    row("healthy 0 %", 100.0, |_| 0.0, |_| 0.0, 1.0),
    row("healthy 0.1 %", 100.0, |_| 0.001, |_| 0.001, 1.0),
    row(
        "healthy, drifting 0.1 to 1.9 %",
        100.0,
        drifting,
        drifting,
        1.0,
    ),
    row(
        "shared incident +3 %, 12 min",
        100.0,
        incident,
        incident,
        1.0,
    ),
    row("50 % errors", 1.0, |_| 0.001, |_| 0.5, 4.0),
    row("50 % errors", 100.0, |_| 0.001, |_| 0.5, 1.0),
    row("50 % errors", 1000.0, |_| 0.001, |_| 0.5, 1.0),
    row("dead", 10_000.0, |_| 0.001, |_| 1.0, 1.0),
    row("0.1 -> 2 %", 100.0, |_| 0.001, |_| 0.02, 1.0),
    row("0.1 -> 0.5 %", 100.0, |_| 0.001, |_| 0.005, 1.0),
    row("0 -> 0.3 %", 100.0, |_| 0.0, |_| 0.003, 1.0),
    row("0.1 -> 2 %", 10.0, |_| 0.001, |_| 0.02, 1.0),
    row("0.1 -> 5 %", 1.0, |_| 0.001, |_| 0.05, 4.0),
    row(
        "0.1 -> 0.6 % (not to promote)",
        100.0,
        |_| 0.001,
        |_| 0.006,
        1.0,
    ),
    row("0.1 -> 0.15 %", 1000.0, |_| 0.001, |_| 0.0015, 1.0),
];

const fn row(
    name: &'static str,
    rate: f64,
    stable: FailureRate,
    canary: FailureRate,
    hours: f64,
) -> Row {
    Row {
        name,
        rate,
        stable,
        canary,
        hours,
    }
}

/// A wave of five minutes, from 0.1 to 1.9 %.
fn drifting(now: f64) -> f64 {
    0.01 + 0.009 * (now * std::f64::consts::TAU / 300.0).sin()
}

/// A dependency that fails 3 % of all requests from the tenth second, for twelve minutes.
fn incident(now: f64) -> f64 {
    if (10.0..730.0).contains(&now) {
        0.031
    } else {
        0.001
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Ok(runs) = arguments
        .next()
        .map_or(Ok(1000), |text| text.parse::<u64>())
    else {
        println!("give the number of runs for each row, for example 1000");
        return ExitCode::from(2);
    };
    let name = arguments.next().unwrap_or_default();
    for (title, policy) in [
        (
            "the share follows the evidence, up to 50 %",
            Policy::Adaptive,
        ),
        ("5 % more every minute for ten minutes", Policy::Schedule),
    ] {
        println!(
            "\n{title}; {runs} runs a row, {} s from decision to effect",
            rollout::LOOP_LATENCY
        );
        println!(
            "{:<32}{:>8}  {:<26}{:<26}{:>14}  {:>22}  {:>16}",
            "scenario",
            "rps",
            "rolled back %",
            "promoted %",
            "seconds (p95)",
            "extra failures (p95)",
            "canary req (p95)"
        );
        for row in ROWS.iter().filter(|row| row.name.contains(&name)) {
            print_row(row, policy, runs);
        }
    }
    ExitCode::SUCCESS
}

fn print_row(row: &Row, policy: Policy, runs: u64) {
    let scenario = Scenario {
        rate: row.rate,
        stable: row.stable,
        canary: row.canary,
        limit: row.hours * 3600.0,
    };
    let outcomes: Vec<Outcome> = (0..runs)
        .map(|seed| run(&scenario, policy, &Config::default(), seed))
        .collect();
    let share_of = |decision| {
        let count = outcomes
            .iter()
            .filter(|outcome| outcome.decision == decision)
            .count();
        let rate = Rate::new(count as u64, runs);
        format!(
            "{:.2} ({:.2} to {:.2})",
            100.0 * rate.share,
            100.0 * rate.interval.low,
            100.0 * rate.interval.high
        )
    };
    let quantiles = |of: fn(&Outcome) -> f64| {
        let mut values: Vec<f64> = outcomes.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let at = |quantile: f64| {
            values
                .get((quantile * values.len() as f64) as usize)
                .copied()
        };
        (at(0.5).unwrap_or(f64::NAN), at(0.95).unwrap_or(f64::NAN))
    };
    let (seconds, late) = quantiles(|outcome| outcome.seconds);
    let (requests, many) = quantiles(|outcome| outcome.canary_requests as f64);
    let (_, worst) = quantiles(|outcome| outcome.extra_failures as f64);
    let (mean, error) = mean_and_error(&outcomes);
    println!(
        "{:<32}{:>8}  {:<26}{:<26}{:>14}  {:>22}  {:>16}",
        row.name,
        row.rate,
        share_of(Decision::RollBack),
        share_of(Decision::Promote),
        format!("{seconds:.0} ({late:.0})"),
        format!("{mean:.1} +-{error:.1} ({worst:.0})"),
        format!("{requests:.0} ({many:.0})"),
    );
}

/// The mean of the extra failures, and half the width of its 95 % interval.
fn mean_and_error(outcomes: &[Outcome]) -> (f64, f64) {
    let runs = outcomes.len() as f64;
    let failures = || outcomes.iter().map(|outcome| outcome.extra_failures as f64);
    let mean = failures().sum::<f64>() / runs;
    let variance = failures().map(|value| (value - mean).powi(2)).sum::<f64>() / runs;
    (mean, 1.96 * (variance / runs).sqrt())
}
