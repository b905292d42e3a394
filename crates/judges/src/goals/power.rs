//! How soon a worse canary is found, and what cannot be promised of it.

use judge::BasisPoints;

use super::{Figure, number, percent};
use crate::grid;
use crate::rules::{Kind, serin::Serin};
use crate::run::{run, run_with};
use crate::scenario::{Fault, Scenario};
use crate::trial::Ending;

/// Goal 3.
pub(super) fn fivefold(runs: u64, tell: &mut dyn FnMut(Figure)) {
    let scenario = grid::failing("0.1 to 0.5 %", 100.0, 0.001, 0.005);
    tell(caught(&scenario, Kind::SerinAuto, runs, 0.98, 15.0));
    tell(unseen_bound());
}

/// Goal 4.
pub(super) fn low_traffic(runs: u64, tell: &mut dyn FnMut(Figure)) {
    let scenario = grid::failing("0.1 to 5 %", 1.0, 0.001, 0.05);
    tell(caught(&scenario, Kind::SerinAuto, runs, 0.99, 10.0));
}

fn caught(scenario: &Scenario, kind: Kind, runs: u64, share: f64, most: f64) -> Figure {
    let summary = run(scenario, kind, runs);
    let caught = summary.rolled_back();
    let failures = summary.mean(|outcome| outcome.extra_failures as f64);
    let measured = format!(
        "caught {}; failures {} on average, 95 % at most {:.0}; {} s; {} canary requests",
        percent(&caught),
        number(failures, 1),
        summary
            .quantile(0.95, |_| true, |outcome| outcome.extra_failures as f64)
            .value,
        number(
            summary.median(Ending::RolledBack, |outcome| outcome.seconds),
            0
        ),
        number(
            summary.median(Ending::RolledBack, |outcome| outcome.canary_requests as f64),
            0
        ),
    );
    let of = format!("{}, {}/s, {}", scenario.name, scenario.rate, kind.name());
    Figure::new(
        of,
        measured,
        caught.share >= share && failures.value <= most,
    )
}

/// The bound on goal 3: what no rule can do that promotes healthy canaries as fast as goal 6 wants.
///
/// A canary that fails once in 200 requests fails in none of n with a probability of 0.995^n, and looks
/// better than any healthy one then.
fn unseen_bound() -> Figure {
    let unseen = |requests: f64| 100.0 * 0.995_f64.powf(requests);
    let measured = format!(
        "a rule that promotes after n canary requests without a failure misses 0.995^n: {:.1} % at 598, \
         {:.1} % at 781, {:.1} % at the 1,227 of `false_promotion: 0.005`",
        unseen(598.0),
        unseen(781.0),
        unseen(1227.0)
    );
    Figure::new("the bound", measured, true)
}

/// Goal 5.
pub(super) fn slower(runs: u64, tell: &mut dyn FnMut(Figure)) {
    // Whole distributions are judged for each: a hundredth of the releases gives an interval narrow enough.
    let runs = (runs / 10).max(100);
    let at = |name, fault, share, most: f64| {
        let scenario = Scenario {
            limit: 1200.0,
            ..grid::slower(name, fault)
        };
        let summary = run_with(&scenario, runs, || {
            Box::new(Serin::fixed(&scenario, BasisPoints::new(share)))
        });
        let requests = summary.median(Ending::RolledBack, |outcome| outcome.canary_requests as f64);
        let caught = summary.rolled_back();
        let measured = format!(
            "{} canary requests; caught within 20 min {}",
            number(requests, 0),
            percent(&caught)
        );
        let of = format!("{name}, share {} %", f64::from(share) / 100.0);
        Figure::new(of, measured, caught.share >= 0.95 && requests.value <= most)
    };
    for share in [500, 2000] {
        tell(at("10 % slower", Fault::Slower(1.1), share, 1100.0));
        tell(at(
            "1 % ten times slower",
            Fault::SlowTail(0.01, 10.0),
            share,
            1200.0,
        ));
    }
}
