//! Serin's data plane beside its peers: the same load on each, in interleaved rounds, on the same cores.
//!
//! The proxy has core 0 for itself, load and upstreams share core 1. What counts is the processor time
//! that the kernel has accounted to the proxy, divided by requests: it stays meaningful where times do not.

mod arguments;
mod certificate;
mod load;
mod machine;
mod measure;
mod peers;
mod process;
mod report;
mod scenario;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

use arguments::Arguments;
use certificate::Identity;
use load::{EventLoop, Plan};
use measure::{Lengths, Sample};
use peers::Peer;
use process::Process;
use report::Report;
use scenario::Scenario;

/// Everything that measurements need and that outlives them.
struct Bench {
    arguments: Arguments,
    lengths: Lengths,
    events: EventLoop,
    identity: Identity,
    directory: PathBuf,
    programs: Vec<(Peer, PathBuf)>,
    report: Report,
}

/// A peer that runs and has answered.
struct Candidate {
    peer: Peer,
    process: Process,
    plan: Plan,
    has_failed: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if arguments.list {
        for scenario in scenario::ALL {
            println!("{:16} {}", scenario.name, scenario.title);
        }
        return Ok(());
    }
    let cores = machine::cores();
    if cores < 2 {
        bail!("the proxy and its load need a core each, and this machine has one");
    }
    let report = Report::new(cores);
    raise_file_limit()?;
    let mut own = CpuSet::new();
    own.set(1);
    sched_setaffinity(None, &own).context("the load generator cannot be put on core 1")?;

    let directory = std::env::temp_dir().join(format!("serin-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let mut bench = Bench {
        lengths: arguments.lengths(),
        events: EventLoop::new(scenario::WEIGHTS.len())?,
        identity: Identity::new(&directory)?,
        programs: Vec::new(),
        arguments,
        directory,
        report,
    };
    bench.find_peers();
    let done = bench.measure_all(cores);
    std::fs::remove_dir_all(&bench.directory)?;
    done?;
    match bench.arguments.out() {
        Some(path) => bench.report.write(&path)?,
        None => print!("{}", bench.report.markdown()),
    }
    Ok(())
}

/// Ten thousand connections need as many files, here and in the proxy.
fn raise_file_limit() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("the limit of open files cannot be raised")
}

impl Bench {
    fn find_peers(&mut self) {
        for peer in self.arguments.peers() {
            match peer.program() {
                Some(program) => {
                    self.report.version(peer, peer.version(&program));
                    self.programs.push((peer, program));
                }
                None => eprintln!("{}: not installed, left out", peer.name()),
            }
        }
    }

    fn measure_all(&mut self, cores: usize) -> anyhow::Result<()> {
        for scenario in self.arguments.scenarios() {
            eprintln!("\n== {}: {}", scenario.name, scenario.title);
            self.events.answer_with(scenario.upstream, scenario.body);
            let proxy_cores = match (scenario.workers, cores) {
                (1, _) => "0",
                (_, 2) => "0,1",
                (_, _) => "0,2",
            };
            let mut candidates = Vec::new();
            for (peer, program) in self.programs.clone() {
                match self.start(peer, &program, scenario, proxy_cores) {
                    Ok(Some(candidate)) => candidates.push(candidate),
                    Ok(None) => {}
                    Err(error) => self.report.failure(scenario.name, peer, &error),
                }
            }
            if scenario.idles {
                self.measure_memory(scenario, &candidates);
            } else {
                self.measure_rounds(scenario, &mut candidates)?;
            }
        }
        Ok(())
    }

    /// A peer that can do what the scenario asks, running; `None` if it does not claim to.
    fn start(
        &mut self,
        peer: Peer,
        program: &Path,
        scenario: &Scenario,
        cores: &str,
    ) -> anyhow::Result<Option<Candidate>> {
        let directory = self
            .directory
            .join(format!("{}-{}", scenario.name, peer.name()));
        std::fs::create_dir_all(&directory)?;
        let setup = scenario.setup(
            process::free_address()?,
            &self.events.upstream_addresses()?,
            &self.identity.certificate,
            &directory,
        );
        if !peer.supports(&setup) {
            return Ok(None);
        }
        let command = peer.command(program, &setup, &directory)?;
        let process = Process::start(&command, cores, setup.listen, &directory)?;
        let plan = scenario.plan(&setup, self.identity.client(scenario.downstream));
        let outcome = self.events.open_idle(&plan.probe())?;
        self.events.close_clients();
        if outcome.failed() > 0 || outcome.answered == 0 {
            bail!("it does not answer: {:?}", outcome.failures);
        }
        Ok(Some(Candidate {
            peer,
            process,
            plan,
            has_failed: false,
        }))
    }

    fn measure_rounds(
        &mut self,
        scenario: &Scenario,
        candidates: &mut [Candidate],
    ) -> anyhow::Result<()> {
        for round in 1..=self.arguments.rounds() {
            fastrand::shuffle(candidates);
            for candidate in candidates
                .iter_mut()
                .filter(|candidate| !candidate.has_failed)
            {
                let Candidate {
                    peer,
                    process,
                    plan,
                    has_failed,
                } = candidate;
                let measured = measure::round(
                    &mut self.events,
                    process,
                    scenario,
                    plan,
                    &self.lengths,
                    !peer.is_limit(),
                );
                match measured {
                    Ok(measured) => {
                        let mut sample = Sample::new(scenario, peer.name(), round, &measured);
                        if self.arguments.keep_noisy {
                            sample.dropped = None;
                        }
                        self.report.sample(sample);
                    }
                    Err(error) => {
                        *has_failed = true;
                        self.report.failure(scenario.name, *peer, &error);
                    }
                }
            }
        }
        if self.arguments.system_calls {
            for candidate in candidates.iter().filter(|candidate| !candidate.has_failed) {
                let Candidate { process, plan, .. } = candidate;
                let calls = measure::system_calls(&mut self.events, process, plan, &self.lengths)?;
                self.report
                    .system_calls(scenario.name, candidate.peer, calls);
            }
        }
        Ok(())
    }

    fn measure_memory(&mut self, scenario: &Scenario, candidates: &[Candidate]) {
        for Candidate {
            peer,
            process,
            plan,
            ..
        } in candidates
            .iter()
            .filter(|candidate| !candidate.peer.is_limit())
        {
            match measure::idle_memory(&mut self.events, process, peer.name(), plan) {
                Ok(memory) => self.report.memory(memory),
                Err(error) => self.report.failure(scenario.name, *peer, &error),
            }
        }
    }
}
