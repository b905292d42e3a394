//! `judges grid`: every rule on every scenario, into a directory.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::grid;
use crate::plot;
use crate::rules::Kind;
use crate::run::{cost_of_a_look, run};
use crate::scenario::Scenario;
use crate::table::{self, Cell, Row};

#[derive(Debug, Args)]
pub(crate) struct Grid {
    #[arg(long, default_value = "quick")]
    profile: Profile,
    /// Where the tables and pictures go
    #[arg(long, default_value = "docs/benchmarks/judge")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    /// Some minutes on two cores
    Quick,
    /// Some hours: 10,000 releases for ours, 2,000 for the others where requests are not too many
    Full,
}

impl Profile {
    /// How often a cell is run: fewer times where each release has many requests.
    fn runs(self, kind: Kind, scenario: &Scenario) -> u64 {
        let (most, requests) = match (self, kind.is_ours()) {
            (Self::Quick, true) => (200, 3e6),
            (Self::Quick, false) => (100, 4e6),
            (Self::Full, true) => (10_000, 1e9),
            (Self::Full, false) => (2000, 4e8),
        };
        // Ours mostly ends sooner.
        let lasts = if kind == Kind::SerinAuto { 60.0 } else { 600.0 };
        most.min((requests / (scenario.rate * lasts)) as u64)
            .max(10)
    }
}

pub(crate) fn grid(grid: &Grid) -> io::Result<()> {
    let scenarios = grid::compared();
    let mut rows = Vec::new();
    for (done, scenario) in scenarios.iter().enumerate() {
        println!("{} of {}: {}", done + 1, scenarios.len(), scenario.name);
        let cells = Kind::ALL.map(|kind| Cell {
            kind,
            summary: run(scenario, kind, grid.profile.runs(kind, scenario)),
            look: 1e6 * cost_of_a_look(scenario, kind).as_secs_f64(),
        });
        rows.push(Row {
            scenario: *scenario,
            cells: cells.into(),
        });
    }
    fs::create_dir_all(&grid.out)?;
    fs::write(grid.out.join("tables.md"), table::markdown(&rows))?;
    fs::write(grid.out.join("results.csv"), table::csv(&rows))?;
    fs::write(
        grid.out.join("blame-against-delay.svg"),
        plot::blame_against_delay(&rows),
    )?;
    fs::write(
        grid.out.join("failures.svg"),
        plot::failures_by_scenario(&rows),
    )
}
