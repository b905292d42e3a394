//! Load for half an hour while everything around `serin proxy` changes: tasks are killed and return, weights
//! change ten times a second, certificates rotate, the server is killed and started again, and the proxy's
//! binary is replaced twice. No request may fail, since each version always has an endpoint left, and neither
//! memory nor descriptors may grow.

mod authority;
mod callers;
mod gateway;
mod mesh;
mod server;
mod steadiness;
mod tasks;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use authority::Authority;
use callers::{Callers, Door, Failure};
use clap::Parser;
use gateway::{Gateway, Usage};
use server::Server;
use tasks::Tasks;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};

const WEIGHTS_EVERY: Duration = Duration::from_millis(100);
const DEATH_EVERY: Duration = Duration::from_millis(700);
const CERTIFICATE_EVERY: Duration = Duration::from_secs(10);
const RESTART_EVERY: Duration = Duration::from_secs(40);
/// How long the server stays away.
const AWAY: Duration = Duration::from_secs(3);
/// A server that has just started may refuse a change.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
const USAGE_EVERY: Duration = Duration::from_secs(1);
const NEWS_EVERY: Duration = Duration::from_secs(10);
const REPLACEMENTS: u32 = 2;
/// So many failures are told one by one.
const TOLD: usize = 20;

#[derive(Debug, Parser)]
struct Arguments {
    /// The program under test
    #[arg(long)]
    serin: PathBuf,
    /// How long
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Requests a second
    #[arg(long, default_value_t = 1000.0)]
    rate: f64,
    /// Callers at each door
    #[arg(long, default_value_t = 32)]
    callers: usize,
    /// Callers use clear text only
    #[arg(long)]
    no_tls: bool,
    /// Leave the state directory and logs behind
    #[arg(long)]
    keep: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = Arguments::parse();
    arguments.serin = std::fs::canonicalize(&arguments.serin)
        .with_context(|| format!("{} is not there", arguments.serin.display()))?;
    let directory = std::env::temp_dir().join(format!("serin-chaos-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let mut server = Server::new(&arguments.serin, &directory, free_address()?);
    let lived_through = live(&mut server, &arguments, &directory).await;
    let stopped = server.stop().await;
    if arguments.keep || lived_through.is_err() {
        eprintln!("logs and state are left in {}", directory.display());
    } else {
        std::fs::remove_dir_all(&directory)?;
    }
    lived_through.and(stopped)
}

async fn live(server: &mut Server, arguments: &Arguments, directory: &Path) -> anyhow::Result<()> {
    let mut chaos = Chaos::start(server, arguments, directory).await?;
    chaos.live_through(arguments).await
}

struct Chaos<'a> {
    server: &'a mut Server,
    gateway: Gateway,
    address: SocketAddr,
    authority: Authority,
    tasks: Tasks,
    begun: Instant,
    /// When the server was last killed or started.
    server_since: Instant,
    changes: u64,
    /// Gateways that were replaced, as they end.
    replaced: JoinSet<anyhow::Result<()>>,
}

impl<'a> Chaos<'a> {
    async fn start(
        server: &'a mut Server,
        arguments: &Arguments,
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/crystal-rs");
        let source = source.canonicalize().context("the example is not there")?;
        std::fs::write(directory.join("serin.yaml"), mesh::manifest(&source))?;
        let authority = Authority::new(directory)?;
        eprintln!("the server starts and builds the example");
        server.start()?;
        let tasks = mesh::SERVICES.len() * mesh::TASKS_OF_EACH;
        server.is_ready(tasks).await?;
        mesh::create(server, &authority, !arguments.no_tls).await?;
        let address = free_address()?;
        let gateway = Gateway::start(&arguments.serin, directory, server.address, address).await?;
        Ok(Self {
            server,
            gateway,
            address,
            authority,
            tasks: Tasks::default(),
            begun: Instant::now(),
            server_since: Instant::now(),
            changes: 0,
            replaced: JoinSet::new(),
        })
    }

    async fn live_through(&mut self, arguments: &Arguments) -> anyhow::Result<()> {
        let mut callers =
            Callers::start(&self.doors(arguments)?, arguments.callers, arguments.rate);
        let (mut failures, mut usages) = (Vec::new(), Vec::new());
        let time = Duration::from_secs_f64(arguments.minutes * 60.0);
        let end = self.begun + time;
        let replace_every = time / (REPLACEMENTS + 1);
        let mut weights = interval(WEIGHTS_EVERY);
        weights.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut deaths = interval(DEATH_EVERY);
        let mut certificates = interval(CERTIFICATE_EVERY);
        let mut usage = interval(USAGE_EVERY);
        let mut news = interval(NEWS_EVERY);
        let mut replacements = interval_at(self.begun + replace_every, replace_every);
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => break,
                _ = weights.tick() => self.change_weights().await?,
                _ = deaths.tick() => {
                    self.tasks.look(self.server).await;
                    self.tasks.kill_one()?;
                }
                _ = certificates.tick() => self.authority.rotate()?,
                () = tokio::time::sleep_until(self.next_restart()) => self.kill_or_start().await?,
                _ = replacements.tick() => {
                    if self.gateway.replacements < REPLACEMENTS.into() {
                        self.replaced.spawn(self.gateway.replace()?);
                    }
                }
                Some(ended) = self.replaced.join_next() => ended??,
                _ = usage.tick() => usages.push(self.gateway.usage()?),
                _ = news.tick() => self.tell(&callers, failures.len(), usages.last()),
                Some(failure) = callers.failures.recv() => self.note(failure, &mut failures),
            }
        }
        callers.stop().await;
        while let Ok(failure) = callers.failures.try_recv() {
            self.note(failure, &mut failures);
        }
        while let Some(ended) = self.replaced.join_next().await {
            ended??;
        }
        self.tell(&callers, failures.len(), usages.last());
        if !failures.is_empty() {
            bail!(
                "{} requests failed though an endpoint was left",
                failures.len()
            );
        }
        if callers.tally.answered.load(Ordering::Relaxed) == 0 {
            bail!("no request was answered");
        }
        if !arguments.no_tls {
            self.check_certificates(&callers)?;
        }
        steadiness::check(&usages)
    }

    fn doors(&self, arguments: &Arguments) -> anyhow::Result<Vec<Door>> {
        let mut doors = vec![Door {
            address: self.address,
            tls: None,
        }];
        if !arguments.no_tls {
            doors.push(Door {
                address: self.address,
                tls: Some(self.authority.client()?),
            });
        }
        Ok(doors)
    }

    fn note(&self, failure: Failure, failures: &mut Vec<Failure>) {
        if failures.len() < TOLD {
            let at = failure.at - self.begun;
            eprintln!("{:8.3} s: {}", at.as_secs_f64(), failure.reason);
        }
        failures.push(failure);
    }

    async fn change_weights(&mut self) -> anyhow::Result<()> {
        if self.server.is_away() {
            return Ok(());
        }
        match mesh::change(self.server, fastrand::u32(1..100)).await {
            Ok(()) => self.changes += 1,
            Err(_) if self.server_since.elapsed() < SETTLED_AFTER => {}
            Err(error) => return Err(error.context("weights cannot be changed")),
        }
        Ok(())
    }

    fn next_restart(&self) -> Instant {
        match self.server.is_away() {
            true => self.server_since + AWAY,
            false => self.server_since + RESTART_EVERY,
        }
    }

    async fn kill_or_start(&mut self) -> anyhow::Result<()> {
        match self.server.is_away() {
            true => self.server.start()?,
            false => self.server.kill().await?,
        }
        self.server_since = Instant::now();
        Ok(())
    }

    fn check_certificates(&self, callers: &Callers) -> anyhow::Result<()> {
        let seen = callers
            .tally
            .certificates
            .lock()
            .map_or(0, |seen| seen.len() as u64);
        // The last may not have been seen yet.
        if seen + 2 < self.authority.issued {
            bail!(
                "of {} certificates only {seen} were shown",
                self.authority.issued
            );
        }
        Ok(())
    }

    fn tell(&self, callers: &Callers, failed: usize, usage: Option<&Usage>) {
        let usage = usage.map_or(String::new(), |usage| {
            let mebibytes = usage.resident as f64 / f64::from(1 << 20);
            format!("{mebibytes:.1} MiB, {} descriptors", usage.descriptors)
        });
        eprintln!(
            "{:6.0} s: {} answered, {failed} failed; {} deaths, {} changes of weights, {} certificates, \
             {} starts of the server, {} replacements; {usage}",
            self.begun.elapsed().as_secs_f64(),
            callers.tally.answered.load(Ordering::Relaxed),
            self.tasks.deaths,
            self.changes,
            self.authority.issued,
            self.server.starts,
            self.gateway.replacements,
        );
    }
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
