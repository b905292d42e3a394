//! What Serin shall reach beside its peers, and whether it has.

use super::Report;
use super::spread::Spread;
use crate::measure::Sample;
use crate::peers::Peer;

pub(super) struct Goal {
    pub(super) text: String,
    pub(super) measured: String,
    pub(super) is_met: bool,
}

/// All goals that the report has measurements for.
pub(super) fn of(report: &Report) -> Vec<Goal> {
    let cpu: fn(&Sample) -> f64 = |sample| sample.cpu;
    let p99: fn(&Sample) -> f64 = |sample| sample.p99;
    let mut goals = Vec::new();
    for (peer, most) in [
        (Peer::Nginx, 0.80),
        (Peer::Haproxy, 0.65),
        (Peer::Envoy, 0.22),
        (Peer::Forwarder, 1.25),
    ] {
        goals.extend(at_most(report, "h1-100b", peer, cpu, "CPU of", most));
    }
    let proxies = || {
        Peer::ALL
            .into_iter()
            .filter(|peer| *peer != Peer::Serin && !peer.is_limit())
    };
    for scenario in [
        "h1-64k",
        "h1-1m",
        "h1-tls",
        "h1-tls-64k",
        "h2",
        "h2-h2",
        "h2-tls",
        "tcp",
    ] {
        goals.extend(
            proxies().filter_map(|peer| at_most(report, scenario, peer, cpu, "CPU of", 1.0)),
        );
    }
    goals.extend(proxies().filter_map(|peer| at_most(report, "h1-20k", peer, p99, "p99 of", 1.0)));
    goals.extend(loaded_memory(report));
    goals.extend(idle_memory(report));
    goals.extend(second_core(report));
    goals
}

fn at_most(
    report: &Report,
    scenario: &str,
    peer: Peer,
    figure: fn(&Sample) -> f64,
    what: &str,
    most: f64,
) -> Option<Goal> {
    let ratio = Spread::of(report.ratios(scenario, peer.name(), figure))?;
    Some(Goal {
        text: format!(
            "`{scenario}`: at most {most:.2} of the {what} {}",
            peer.name()
        ),
        measured: ratio.show(2),
        is_met: ratio.median <= most,
    })
}

fn loaded_memory(report: &Report) -> Option<Goal> {
    let serin = report.counted("h1-100b", Peer::Serin.name());
    let memory = Spread::of(serin.map(|sample| sample.memory as f64 / 1024.0))?;
    Some(Goal {
        text: "`h1-100b`: under 12 MiB loaded".to_owned(),
        measured: format!("{} MiB", memory.show(1)),
        is_met: memory.median < 12.0,
    })
}

fn idle_memory(report: &Report) -> Option<Goal> {
    let memory = report
        .memory
        .iter()
        .find(|memory| memory.peer == Peer::Serin.name())?;
    Some(Goal {
        text: "`idle`: under 4 KiB for a connection".to_owned(),
        measured: format!("{:.0} bytes", memory.per_connection),
        is_met: memory.per_connection < 4096.0,
    })
}

/// What two workers carry for the processor time of two cores, as a multiple of what one carries for one's.
fn second_core(report: &Report) -> Option<Goal> {
    let of = |scenario| {
        let serin = report.counted(scenario, Peer::Serin.name());
        Spread::of(serin.map(|sample| sample.cpu))
    };
    let gain = 2.0 * of("h1-100b")?.median / of("h1-two-workers")?.median;
    Some(Goal {
        text: "`h1-two-workers`: at least 1.8 times the requests of one for twice its CPU time"
            .to_owned(),
        measured: format!("{gain:.2}"),
        is_met: gain >= 1.8,
    })
}
