//! What is asked on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::measure::Lengths;
use crate::peers::Peer;
use crate::scenario::{self, Scenario};

const DOCUMENT: &str = "../docs/benchmarks/data-plane.md";

/// Measures Serin's data plane beside its peers.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// How long and how often everything is measured
    #[arg(long, value_enum, default_value_t = Profile::Quick)]
    profile: Profile,
    /// Only these scenarios
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = scenario::by_name)]
    only: Vec<&'static Scenario>,
    /// Only these peers
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = Peer::by_name)]
    peers: Vec<Peer>,
    /// Rounds of each scenario, instead of the profile's
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds that each round measures, instead of the profile's
    #[arg(long)]
    seconds: Option<f64>,
    /// Count rounds in which others used the machine, too
    #[arg(long)]
    pub keep_noisy: bool,
    /// Count system calls as well, with `perf`, in a run of their own
    #[arg(long)]
    pub system_calls: bool,
    /// Where the report goes: a Markdown file, and a JSON file beside it. If not said, a report on all
    /// scenarios and peers goes to the repository's documents, another to standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// List the scenarios and end
    #[arg(long)]
    pub list: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Profile {
    /// Every scenario, in less than ten minutes
    Quick,
    /// Every scenario, in less than a quarter of an hour
    Judged,
    /// Every scenario, in about an hour
    Full,
}

impl Profile {
    fn rounds(self) -> usize {
        match self {
            Self::Quick => 3,
            Self::Judged => 5,
            Self::Full => 9,
        }
    }

    fn lengths(self) -> Lengths {
        let (warm_up, measured) = match self {
            Self::Quick => (200, 1_000),
            Self::Judged => (200, 1_000),
            Self::Full => (500, 3_000),
        };
        Lengths {
            warm_up: Duration::from_millis(warm_up),
            measured: Duration::from_millis(measured),
        }
    }
}

impl Arguments {
    /// `None` is standard output.
    pub fn out(&self) -> Option<PathBuf> {
        let is_whole = self.only.is_empty() && self.peers.is_empty();
        self.out.clone().or(is_whole.then(|| DOCUMENT.into()))
    }

    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(self.profile.rounds())
    }

    pub fn lengths(&self) -> Lengths {
        let of_profile = self.profile.lengths();
        Lengths {
            measured: self
                .seconds
                .map_or(of_profile.measured, Duration::from_secs_f64),
            ..of_profile
        }
    }

    pub fn scenarios(&self) -> Vec<&'static Scenario> {
        match &self.only[..] {
            [] => scenario::ALL.iter().collect(),
            only => only.to_vec(),
        }
    }

    pub fn peers(&self) -> Vec<Peer> {
        match &self.peers[..] {
            [] => Peer::ALL.to_vec(),
            peers => peers.to_vec(),
        }
    }
}
