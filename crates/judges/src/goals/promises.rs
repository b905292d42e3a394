//! What a healthy canary and a dead one may cost.

use super::{Figure, number, percent};
use crate::grid;
use crate::rules::Kind;
use crate::run::{rolled_back, run};
use crate::scenario::Scenario;
use crate::trial::Ending;

/// Goal 1.
pub(super) fn false_rollbacks(only: &str, runs: u64, tell: &mut dyn FnMut(Figure)) {
    for scenario in grid::healthy() {
        for kind in [Kind::SerinAuto, Kind::SerinSteps] {
            // A step lasts a minute whatever the evidence: nothing is new at high rates but the time it takes.
            if kind == Kind::SerinSteps && scenario.rate > 100.0 {
                continue;
            }
            let of = format!("{}, {}/s, {}", scenario.name, scenario.rate, kind.name());
            if !of.contains(only) {
                continue;
            }
            let rate = rolled_back(&scenario, kind, runs);
            tell(Figure::new(of, percent(&rate), rate.share <= 0.01));
        }
    }
}

/// Goal 2.
pub(super) fn dead(runs: u64, tell: &mut dyn FnMut(Figure)) {
    for failing in [1.0, 0.5] {
        for rate in [1.0, 10.0, 100.0, 1000.0, 10_000.0] {
            let of = format!("{:.0} % errors, {rate}/s", 100.0 * failing);
            tell(dead_at(
                &grid::failing("dead", rate, 0.001, failing),
                of,
                runs,
            ));
        }
    }
    let proxies = Scenario {
        proxies: 100,
        ..grid::failing("dead", 1000.0, 0.001, 1.0)
    };
    tell(dead_at(
        &proxies,
        "100 % errors, 1000/s, 100 proxies".to_owned(),
        runs,
    ));
}

fn dead_at(scenario: &Scenario, of: String, runs: u64) -> Figure {
    const BUDGET: u64 = 10;
    let summary = run(scenario, Kind::SerinAuto, runs);
    let within = summary.rate(|outcome| outcome.extra_failures <= BUDGET);
    let caught = summary.rolled_back();
    let measured = format!(
        "within the budget {}; failures {} on average, at most {:.0}; rolled back {}, off after {} s",
        percent(&within),
        number(summary.mean(|outcome| outcome.extra_failures as f64), 1),
        summary.highest(|outcome| outcome.extra_failures as f64),
        percent(&caught),
        number(
            summary.median(Ending::RolledBack, |outcome| outcome.seconds),
            1
        ),
    );
    Figure::new(of, measured, within.share >= 0.95 && caught.share >= 0.99)
}

/// Goal 6.
pub(super) fn promotion(runs: u64, tell: &mut dyn FnMut(Figure)) {
    let at = |rate: f64, seconds: f64| {
        let healthy = grid::healthy();
        let scenario = healthy
            .iter()
            .find(|scenario| scenario.rate == rate && scenario.failing == 0.001);
        let Some(scenario) = scenario else {
            return Figure::new(format!("{rate}/s"), "is not in the grid", false);
        };
        let summary = run(scenario, Kind::SerinAuto, runs);
        let median = summary.median(Ending::Promoted, |outcome| outcome.seconds);
        let in_time = summary
            .rate(|outcome| outcome.ending == Ending::Promoted && outcome.seconds <= seconds);
        let measured = format!(
            "median {} s; promoted {}, within {seconds} s {}",
            number(median, 0),
            percent(&summary.promoted()),
            percent(&in_time)
        );
        let of = format!("healthy 0.1 %, {rate}/s");
        Figure::new(of, measured, median.value <= seconds)
    };
    tell(at(100.0, 90.0));
    tell(at(10.0, 420.0));
}
