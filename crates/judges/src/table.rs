//! Results as they are committed: Markdown for people, one line of CSV for each rule on each scenario.

use crate::rules::Kind;
use crate::scenario::Scenario;
use crate::summary::{Estimate, Summary};
use crate::trial::Ending;

/// A scenario with what each rule made of it.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) scenario: Scenario,
    pub(crate) cells: Vec<Cell>,
}

#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) kind: Kind,
    pub(crate) summary: Summary,
    /// Microseconds that one look costs.
    pub(crate) look: f64,
}

/// One table for each question, a row for each scenario, a column for each rule.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let healthy: Vec<&Row> = rows
        .iter()
        .filter(|row| row.scenario.is_healthy())
        .collect();
    let bad: Vec<&Row> = rows
        .iter()
        .filter(|row| !row.scenario.is_healthy())
        .collect();
    let mut text = String::new();
    table(
        &mut text,
        "Healthy canaries rolled back, %",
        &healthy,
        |cell| rate(&cell.summary.rolled_back()),
    );
    table(
        &mut text,
        "Healthy canaries: seconds until promoted, median",
        &healthy,
        |cell| {
            let summary = &cell.summary;
            estimate(
                summary.median(Ending::Promoted, |outcome| outcome.seconds),
                0,
            )
        },
    );
    table(
        &mut text,
        "Healthy canaries without a verdict at the end, %",
        &healthy,
        |cell| rate(&cell.summary.undecided()),
    );
    table(&mut text, "Bad canaries rolled back, %", &bad, |cell| {
        rate(&cell.summary.rolled_back())
    });
    table(&mut text, "Bad canaries promoted, %", &bad, |cell| {
        rate(&cell.summary.rate(|outcome| outcome.promoted.is_some()))
    });
    table(
        &mut text,
        "Bad canaries: seconds until rolled back, median",
        &bad,
        |cell| {
            let summary = &cell.summary;
            estimate(
                summary.median(Ending::RolledBack, |outcome| outcome.seconds),
                0,
            )
        },
    );
    table(
        &mut text,
        "Bad canaries: their requests until rolled back, median",
        &bad,
        |cell| {
            let summary = &cell.summary;
            let requests =
                summary.median(Ending::RolledBack, |outcome| outcome.canary_requests as f64);
            estimate(requests, 0)
        },
    );
    table(
        &mut text,
        "Bad canaries: extra failures, mean with its interval; then the 95th percentile and the most",
        &bad,
        |cell| {
            let failures = |outcome: &crate::trial::Outcome| outcome.extra_failures as f64;
            let summary = &cell.summary;
            format!(
                "{}; {:.0}, {:.0}",
                estimate(summary.mean(failures), 1),
                summary.quantile(0.95, |_| true, failures).value,
                summary.highest(failures)
            )
        },
    );
    table(
        &mut text,
        "Bad canaries: users who met one, mean",
        &bad,
        |cell| estimate(cell.summary.mean(|outcome| outcome.users_touched as f64), 0),
    );
    text
}

fn table(text: &mut String, title: &str, rows: &[&Row], of: impl Fn(&Cell) -> String) {
    let Some(first) = rows.first() else { return };
    text.push_str(&format!("## {title}\n\n| scenario | requests/s |"));
    for cell in &first.cells {
        text.push_str(&format!(" {} |", cell.kind.name()));
    }
    text.push_str("\n|---|---|");
    text.push_str(&"---|".repeat(first.cells.len()));
    for row in rows {
        text.push_str(&format!(
            "\n| {} | {} |",
            row.scenario.name, row.scenario.rate
        ));
        for cell in &row.cells {
            text.push_str(&format!(" {} |", of(cell)));
        }
    }
    text.push_str("\n\n");
}

fn rate(rate: &judge::Rate) -> String {
    let of = |share: f64| short(100.0 * share);
    format!(
        "{} ({}-{})",
        of(rate.share),
        of(rate.interval.low),
        of(rate.interval.high)
    )
}

fn short(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        ..10.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

fn estimate(estimate: Estimate, digits: usize) -> String {
    if estimate.value.is_nan() {
        return "-".to_owned();
    }
    let Estimate { value, low, high } = estimate;
    format!("{value:.digits$} ({low:.digits$}-{high:.digits$})")
}

/// Everything, with every interval.
pub(crate) fn csv(rows: &[Row]) -> String {
    let mut text = "scenario,healthy,requests_per_second,rule,runs,\
        rolled_back,rolled_back_low,rolled_back_high,promoted,promoted_low,promoted_high,\
        undecided,undecided_low,undecided_high,\
        seconds_to_rollback,seconds_to_rollback_low,seconds_to_rollback_high,\
        seconds_to_promotion,seconds_to_promotion_low,seconds_to_promotion_high,\
        canary_requests,canary_requests_low,canary_requests_high,\
        extra_failures,extra_failures_low,extra_failures_high,extra_failures_p95,extra_failures_most,\
        users_touched,users_touched_low,users_touched_high,look_microseconds\n"
        .to_owned();
    for row in rows {
        for cell in &row.cells {
            let summary = &cell.summary;
            let failures = |outcome: &crate::trial::Outcome| outcome.extra_failures as f64;
            let mut line = format!(
                "\"{}\",{},{},\"{}\",{}",
                row.scenario.name,
                row.scenario.is_healthy(),
                row.scenario.rate,
                cell.kind.name(),
                summary.runs()
            );
            for rate in [
                summary.rolled_back(),
                summary.promoted(),
                summary.undecided(),
            ] {
                push(
                    &mut line,
                    &[rate.share, rate.interval.low, rate.interval.high],
                );
            }
            for estimate in [
                summary.median(Ending::RolledBack, |outcome| outcome.seconds),
                summary.median(Ending::Promoted, |outcome| outcome.seconds),
                summary.quantile(0.5, |_| true, |outcome| outcome.canary_requests as f64),
                summary.mean(failures),
            ] {
                push(&mut line, &[estimate.value, estimate.low, estimate.high]);
            }
            let p95 = summary.quantile(0.95, |_| true, failures).value;
            let users = summary.mean(|outcome| outcome.users_touched as f64);
            push(
                &mut line,
                &[
                    p95,
                    summary.highest(failures),
                    users.value,
                    users.low,
                    users.high,
                ],
            );
            push(&mut line, &[cell.look]);
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// What was not measured stays empty.
fn push(line: &mut String, values: &[f64]) {
    for value in values {
        line.push(',');
        if !value.is_nan() {
            line.push_str(&((value * 1e6).round() / 1e6).to_string());
        }
    }
}
