//! `judges show`: a rule on some scenarios, a line each.

use clap::Args;

use crate::grid;
use crate::rules::Kind;
use crate::run::{cost_of_a_look, run};
use crate::trial::Ending;

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Part of a rule's name
    rule: String,
    /// Part of a scenario's name
    scenario: String,
    #[arg(long, default_value_t = 200)]
    runs: u64,
    /// Requests a second
    #[arg(long)]
    rate: Option<f64>,
}

pub(crate) fn show(show: &Show) {
    let wanted = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
    let scenarios: Vec<_> = grid::healthy().into_iter().chain(grid::bad()).collect();
    for kind in Kind::ALL
        .into_iter()
        .filter(|kind| wanted(kind.name(), &show.rule))
    {
        for scenario in scenarios
            .iter()
            .filter(|each| wanted(each.name, &show.scenario))
        {
            if show.rate.is_some_and(|rate| rate != scenario.rate) {
                continue;
            }
            let summary = run(scenario, kind, show.runs);
            let ending = match scenario.is_healthy() {
                true => Ending::Promoted,
                false => Ending::RolledBack,
            };
            let rolled_back = summary.rolled_back();
            println!(
                "{:<24}{:<34}{:>7}/s  rolled back {:6.2} % ({:.2} to {:.2})  promoted {:6.2} %  \
                 {:6.0} s  {:7.0} requests  failures {:.1} (95 %: {:.0}, most {:.0})  {:?} a look",
                kind.name(),
                scenario.name,
                scenario.rate,
                100.0 * rolled_back.share,
                100.0 * rolled_back.interval.low,
                100.0 * rolled_back.interval.high,
                100.0 * summary.promoted().share,
                summary.median(ending, |outcome| outcome.seconds).value,
                summary
                    .median(ending, |outcome| outcome.canary_requests as f64)
                    .value,
                summary.mean(|outcome| outcome.extra_failures as f64).value,
                summary
                    .quantile(0.95, |_| true, |outcome| outcome.extra_failures as f64)
                    .value,
                summary.highest(|outcome| outcome.extra_failures as f64),
                cost_of_a_look(scenario, kind),
            );
        }
    }
}
