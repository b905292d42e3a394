//! The benchmark of judges: the rules of rollout controllers, ours among them, on the same simulated
//! releases.
//!
//! ```text
//! cargo run -p judges --release -- grid            # every rule on every scenario, as tables and plots
//! cargo run -p judges --release -- goals           # what we promise ourselves, with pass or fail
//! cargo run -p judges --release -- show flagger dead
//! ```
//!
//! What was measured stands in `docs/benchmarks/judge`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "results are what this program is for"
)]

mod calm;
mod clock;
mod compare;
mod draw;
mod goals;
mod grid;
mod histogram;
mod log;
mod normal;
mod plot;
mod rules;
mod run;
mod scenario;
mod show;
mod summary;
mod table;
mod trial;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "judges", about = "The benchmark of judges")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every rule on every scenario, and write tables and pictures
    Grid(compare::Grid),
    /// Measure what we promise ourselves; fails where a promise is not kept
    Goals(goals::Goals),
    /// Print how one rule does on some scenarios
    Show(show::Show),
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Grid(grid) => match compare::grid(&grid) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("judges: failed to write the results of the grid: {error}");
                ExitCode::FAILURE
            }
        },
        Command::Goals(goals) => match goals::goals(&goals) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
        Command::Show(show) => {
            show::show(&show);
            ExitCode::SUCCESS
        }
    }
}
