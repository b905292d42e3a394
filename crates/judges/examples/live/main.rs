//! Real releases: 24 healthy and 38 bad versions of a service behind a running `serin`, each judged by what its
//! proxies counted.
//!
//! ```text
//! cargo run -p judges --release --example live -- --serin target/release/serin
//! ```
//!
//! One server runs several services, the lanes; each lane releases one version after another under the policy
//! `auto` while load comes in through the gateway. A version is this program again, told by a file in its
//! source what to do to its callers. A bad version that was promoted is replaced before the next release.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark prints, and ends where its surroundings fail"
)]

mod case;
mod mesh;
mod report;
mod service;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use clap::{Parser, Subcommand};

use case::{Case, Ending};
use mesh::Mesh;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// The binary that is judged
    #[arg(long, default_value = "target/release/serin")]
    serin: PathBuf,
    /// Services that release at the same time
    #[arg(long, default_value_t = 6)]
    lanes: usize,
    /// Requests a second to each
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// The longest that a release may take, in seconds; then it has missed
    #[arg(long, default_value_t = 180)]
    limit: u64,
    /// Only cases whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Where the table goes
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Be a version of the service, as a task
    #[command(hide = true)]
    Service,
}

fn main() {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Some(Command::Service)) {
        service::serve();
        return;
    }
    let mut cases = case::all();
    cases.retain(|case| case.name.contains(&arguments.only));
    let (all, lanes) = (cases.len(), arguments.lanes.min(cases.len()));
    // Taken from the end: the bad ones, which take less time, come last.
    cases.reverse();
    let waiting = Arc::new(Mutex::new(cases));
    let endings: Arc<Mutex<Vec<Ending>>> = Arc::default();
    let mesh = Mesh::start(&arguments.serin, lanes, arguments.rate);
    thread::scope(|scope| {
        for lane in 0..lanes {
            let (waiting, endings, mesh) = (Arc::clone(&waiting), Arc::clone(&endings), &mesh);
            let limit = arguments.limit;
            scope.spawn(move || {
                let mut number = 0;
                while let Some(case) = next(&waiting) {
                    number += 1;
                    let ending = mesh.release(lane, number, &case, limit);
                    let mut endings = endings.lock().unwrap_or_else(PoisonError::into_inner);
                    endings.push(ending);
                    let done = endings.len();
                    println!("{done} of {all}: {}", endings[done - 1]);
                }
            });
        }
    });
    let endings = endings.lock().unwrap_or_else(PoisonError::into_inner);
    let table = report::markdown(&endings, arguments.rate);
    println!("\n{table}");
    if let Some(out) = arguments.out {
        std::fs::write(&out, table).expect("the table is written");
    }
}

fn next(waiting: &Mutex<Vec<Case>>) -> Option<Case> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop()
}
