//! The report as Markdown: goals first, then a table for each scenario.

use std::fmt::{self, Write};

use super::spread::Spread;
use super::{Report, goals};
use crate::load::Pace;
use crate::peers::Peer;
use crate::scenario::{self, Scenario};

pub(super) fn of(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _written = write(report, &mut text);
    text
}

fn write(report: &Report, text: &mut String) -> fmt::Result {
    let versions: Vec<String> = report
        .versions
        .iter()
        .map(|(peer, version)| format!("{peer} {version}").trim().to_owned())
        .collect();
    writeln!(text, "# The data plane beside its peers\n")?;
    writeln!(
        text,
        "Written by `{}` on {}.\n",
        report.command, report.date
    )?;
    writeln!(text, "- machine: {}", report.machine)?;
    writeln!(text, "- versions: {}", versions.join(", "))?;
    writeln!(
        text,
        "- the proxy alone on core 0 with one worker, load and both upstreams on core 1; rounds interleaved, \
         in random order; figures are medians of the rounds, with their range\n\
         - CPU is the processor time that the kernel accounted to the proxy, divided by requests\n\
         - latencies count from when a request was due; no request failed, and every split was right\n\
         - *Serin's share* is Serin's CPU divided by the peer's in the same round: below 1, Serin needs less"
    )?;
    let dropped = report
        .samples
        .iter()
        .filter(|sample| sample.dropped.is_some())
        .count();
    writeln!(
        text,
        "- {dropped} of {} rounds were dropped because the machine was not quiet\n",
        report.samples.len()
    )?;
    let goals = goals::of(report);
    if !goals.is_empty() {
        writeln!(text, "## Goals\n\n| goal | measured | met |\n|---|---|---|")?;
        for goal in goals {
            let met = if goal.is_met { "yes" } else { "**no**" };
            writeln!(text, "| {} | {} | {met} |", goal.text, goal.measured)?;
        }
        writeln!(text)?;
    }
    for scenario in scenario::ALL {
        table(report, scenario, text)?;
    }
    memory(report, text)
}

fn table(report: &Report, scenario: &Scenario, text: &mut String) -> fmt::Result {
    let mut rows: Vec<(f64, String)> = Peer::ALL
        .into_iter()
        .filter_map(|peer| row(report, scenario, peer))
        .collect();
    let failures = report.failures.get(scenario.name);
    if rows.is_empty() && (failures.is_none() || scenario.idles) {
        return Ok(());
    }
    rows.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    writeln!(text, "## {} (`{}`)\n", scenario.title, scenario.name)?;
    writeln!(
        text,
        "| proxy | CPU us a request | Serin's share | requests/s | p50 us | p99 us | p99.9 us | system calls | KiB |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|---|")?;
    for (_, row) in rows {
        writeln!(text, "{row}")?;
    }
    for (peer, reason) in failures.into_iter().flatten() {
        let reason = reason.lines().next().unwrap_or_default();
        writeln!(text, "\n{peer} is missing: {reason}")?;
    }
    writeln!(text)
}

fn row(report: &Report, scenario: &Scenario, peer: Peer) -> Option<(f64, String)> {
    let median = |figure: fn(&crate::measure::Sample) -> f64| {
        Spread::of(report.counted(scenario.name, peer.name()).map(figure))
    };
    let cpu = median(|sample| sample.cpu)?;
    let share = match peer {
        Peer::Serin => "1".to_owned(),
        _ => Spread::of(report.ratios(scenario.name, peer.name(), |sample| sample.cpu))
            .map_or(String::new(), |share| share.show(2)),
    };
    let name = match peer {
        Peer::Serin => "**serin**".to_owned(),
        Peer::Forwarder => "*limit: bytes copied*".to_owned(),
        Peer::Splice => "*limit: bytes spliced*".to_owned(),
        _ => peer.name().to_owned(),
    };
    let rate = match scenario.pace {
        Pace::Saturated => median(|sample| sample.requests_per_second)?.show(0),
        Pace::Fixed(rate) => format!("{rate:.0}"),
    };
    let calls = report
        .system_calls
        .get(scenario.name)
        .and_then(|calls| calls.get(peer.name()));
    let row = format!(
        "| {name} | {} | {share} | {rate} | {:.0} | {} | {:.0} | {} | {:.0} |",
        cpu.show(2),
        median(|sample| sample.p50)?.median,
        median(|sample| sample.p99)?.show(0),
        median(|sample| sample.p999)?.median,
        calls.map_or(String::new(), |calls| format!("{calls:.2}")),
        median(|sample| sample.memory as f64)?.median,
    );
    Some((cpu.median, row))
}

fn memory(report: &Report, text: &mut String) -> fmt::Result {
    if report.memory.is_empty() {
        return Ok(());
    }
    writeln!(text, "## Memory with idle HTTP/1.1 connections (`idle`)\n")?;
    writeln!(
        text,
        "| proxy | KiB started | KiB with so many connections | bytes a connection |"
    )?;
    writeln!(text, "|---|---|---|---|")?;
    let mut rows: Vec<_> = report.memory.iter().collect();
    rows.sort_by(|one, other| one.per_connection.total_cmp(&other.per_connection));
    for memory in rows {
        writeln!(
            text,
            "| {} | {} | {} ({}) | {:.0} |",
            memory.peer,
            memory.started,
            memory.with_idle_connections,
            memory.connections,
            memory.per_connection
        )?;
    }
    writeln!(text)
}
