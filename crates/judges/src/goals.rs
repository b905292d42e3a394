//! `judges goals`: what we promise ourselves of the judge, each as a figure with its 95 % interval and a
//! verdict.

mod cost;
mod power;
mod promises;
mod replayed;

use clap::Args;

use crate::summary::Estimate;

#[derive(Debug, Args)]
pub(crate) struct Goals {
    /// Only this goal, 1 to 9
    goal: Option<u32>,
    /// Releases for each figure
    #[arg(long, default_value_t = 10_000)]
    runs: u64,
    /// Of goal 1 only the figures whose name contains this
    #[arg(long, default_value = "")]
    only: String,
}

/// One figure.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) of: String,
    pub(crate) measured: String,
    pub(crate) passed: bool,
}

impl Figure {
    pub(crate) fn new(of: impl Into<String>, measured: impl Into<String>, passed: bool) -> Self {
        Self {
            of: of.into(),
            measured: measured.into(),
            passed,
        }
    }
}

/// Measures a goal with so many releases for each figure, and tells of each as soon as it is known.
type Measure<'a> = &'a dyn Fn(u64, &mut dyn FnMut(Figure));

/// Prints each goal as a Markdown table; whether all passed.
pub(crate) fn goals(goals: &Goals) -> bool {
    let runs = goals.runs;
    let false_rollbacks = |runs, tell: &mut dyn FnMut(Figure)| {
        promises::false_rollbacks(&goals.only, runs, tell);
    };
    let all: [(u32, &str, Measure<'_>); 8] = [
        (
            1,
            "at most 1 % false rollbacks over the whole release, in every healthy scenario",
            &false_rollbacks,
        ),
        (
            2,
            "a dead canary costs at most 10 failed requests, 19 times in 20, and is off within 2 s of proof",
            &promises::dead,
        ),
        (
            3,
            "0.1 to 0.5 % at 100 requests/s: at least 98 % caught with at most 15 failures",
            &power::fivefold,
        ),
        (
            4,
            "0.1 to 5 % at 1 request/s: at least 99 % caught with at most 10 failures",
            &power::low_traffic,
        ),
        (
            5,
            "slower canaries: 10 % within 1,100 canary requests, 1 % ten times slower within 1,200",
            &power::slower,
        ),
        (
            6,
            "a healthy canary is certified within 90 s at 100 requests/s, 7 min at 10 requests/s",
            &promises::promotion,
        ),
        (
            8,
            "at most 64 KiB of state and 1 ms for a decision over 1,000 proxies",
            &cost::cost,
        ),
        (9, "every decision replays bit for bit", &replayed::replayed),
    ];
    let mut passed = true;
    let wanted = |number: u32| goals.goal.is_none_or(|goal| goal == number);
    for (number, promise, measure) in all.into_iter().filter(|&(number, ..)| wanted(number)) {
        println!("\n### Goal {number}: {promise}\n");
        println!("| | measured | |\n|---|---|---|");
        measure(runs, &mut |figure| {
            let verdict = if figure.passed { "pass" } else { "**FAIL**" };
            println!("| {} | {} | {verdict} |", figure.of, figure.measured);
            passed &= figure.passed;
        });
    }
    if wanted(7) {
        println!("\nGoal 7, live releases: `judges live` prints it.");
    }
    passed
}

pub(crate) fn percent(rate: &judge::Rate) -> String {
    let of = |share: f64| 100.0 * share;
    format!(
        "{:.2} % ({:.2} to {:.2})",
        of(rate.share),
        of(rate.interval.low),
        of(rate.interval.high)
    )
}

pub(crate) fn number(estimate: Estimate, digits: usize) -> String {
    format!(
        "{:.digits$} ({:.digits$} to {:.digits$})",
        estimate.value, estimate.low, estimate.high
    )
}
