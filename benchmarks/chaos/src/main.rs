//! Load for half an hour while everything around the proxy changes: endpoints die and return, weights change
//! ten times a second, certificates rotate. No request may fail, since each version always has an endpoint
//! left, and neither memory nor descriptors may grow.

mod authority;
mod callers;
mod endpoint;
mod proxy;
mod steadiness;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, bail};
use authority::Authority;
use callers::{Callers, Door};
use clap::Parser;
use endpoint::Endpoint;
use proxy::Proxy;
use setup::{Protocol, Setup, Upstream};
use tokio::time::{Instant, interval};

/// Endpoints of each of the two versions.
const ENDPOINTS: usize = 3;
const WEIGHTS_EVERY: Duration = Duration::from_millis(100);
const DEATH_EVERY: Duration = Duration::from_millis(700);
const CERTIFICATE_EVERY: Duration = Duration::from_secs(10);
const USAGE_EVERY: Duration = Duration::from_secs(1);
const NEWS_EVERY: Duration = Duration::from_secs(10);
/// So many failures are told one by one.
const TOLD: usize = 20;

#[derive(Debug, Parser)]
struct Arguments {
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
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let directory = std::env::temp_dir().join(format!("serin-chaos-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let mut chaos = Chaos::start(&arguments, directory.clone()).await?;
    let lived_through = chaos.live_through(&arguments).await;
    std::fs::remove_dir_all(&directory)?;
    lived_through
}

struct Chaos {
    versions: Vec<Vec<Endpoint>>,
    authority: Authority,
    setup: Setup,
    proxy: Proxy,
    begun: Instant,
    changes: u64,
    deaths: u64,
}

impl Chaos {
    async fn start(arguments: &Arguments, directory: PathBuf) -> anyhow::Result<Self> {
        let authority = Authority::new(&directory)?;
        let mut versions = Vec::new();
        for version in ["blue", "green"] {
            let mut endpoints = Vec::new();
            for _ in 0..ENDPOINTS {
                endpoints.push(Endpoint::start(version).await?);
            }
            versions.push(endpoints);
        }
        let upstreams = versions
            .iter()
            .map(|endpoints| Upstream {
                address: endpoints[0].address,
                weight: 50,
                others: endpoints[1..]
                    .iter()
                    .map(|endpoint| endpoint.address)
                    .collect(),
            })
            .collect();
        let setup = Setup {
            listen: TcpListener::bind("127.0.0.1:0")?.local_addr()?,
            downstream: Protocol::Http1,
            upstream: Protocol::Http1,
            tls: (!arguments.no_tls).then(|| authority.certificate.clone()),
            is_permissive: true,
            upstreams,
            workers: 2,
            routes: 1,
            access_log: None,
            retries: true,
            large_bodies: false,
        };
        let program = std::env::current_exe()?.with_file_name("serin-peer");
        let proxy = Proxy::start(&program, &setup).await?;
        Ok(Self {
            versions,
            authority,
            setup,
            proxy,
            begun: Instant::now(),
            changes: 0,
            deaths: 0,
        })
    }

    async fn live_through(&mut self, arguments: &Arguments) -> anyhow::Result<()> {
        let mut doors = vec![Door {
            address: self.setup.listen,
            tls: None,
        }];
        if !arguments.no_tls {
            doors.push(Door {
                address: self.setup.listen,
                tls: Some(self.authority.client()?),
            });
        }
        let mut callers = Callers::start(&doors, arguments.callers, arguments.rate);
        let (mut failures, mut usages) = (Vec::new(), Vec::new());
        let end = self.begun + Duration::from_secs_f64(arguments.minutes * 60.0);
        let mut weights = interval(WEIGHTS_EVERY);
        let mut deaths = interval(DEATH_EVERY);
        let mut certificates = interval(CERTIFICATE_EVERY);
        let mut usage = interval(USAGE_EVERY);
        let mut news = interval(NEWS_EVERY);
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => break,
                _ = weights.tick() => self.change_weights().await?,
                _ = deaths.tick() => self.kill_or_revive().await?,
                _ = certificates.tick() => self.authority.rotate()?,
                _ = usage.tick() => usages.push(self.proxy.usage()?),
                _ = news.tick() => self.tell(&callers, failures.len(), usages.last()),
                Some(failure) = callers.failures.recv() => {
                    if failures.len() < TOLD {
                        let at = failure.at - self.begun;
                        eprintln!("{:8.3} s: {}", at.as_secs_f64(), failure.reason);
                    }
                    failures.push(failure);
                }
            }
        }
        callers.stop().await;
        while let Ok(failure) = callers.failures.try_recv() {
            failures.push(failure);
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

    async fn change_weights(&mut self) -> anyhow::Result<()> {
        let first = fastrand::u32(1..100);
        self.setup.upstreams[0].weight = first;
        self.setup.upstreams[1].weight = 100 - first;
        self.changes += 1;
        self.proxy.change(&self.setup).await
    }

    /// One endpoint of either version dies or comes back; at least one of each is always left.
    async fn kill_or_revive(&mut self) -> anyhow::Result<()> {
        for endpoints in &mut self.versions {
            let alive = endpoints
                .iter()
                .filter(|endpoint| endpoint.is_alive())
                .count();
            let chosen = &mut endpoints[fastrand::usize(0..ENDPOINTS)];
            if !chosen.is_alive() {
                chosen.revive().context("an endpoint cannot return")?;
            } else if alive > 1 {
                chosen.die().await;
                self.deaths += 1;
            }
        }
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

    fn tell(&self, callers: &Callers, failed: usize, usage: Option<&proxy::Usage>) {
        let usage = usage.map_or(String::new(), |usage| {
            let mebibytes = usage.resident as f64 / f64::from(1 << 20);
            format!("{mebibytes:.1} MiB, {} descriptors", usage.descriptors)
        });
        eprintln!(
            "{:6.0} s: {} answered, {failed} failed; {} deaths, {} changes of weights, {} certificates; {usage}",
            self.begun.elapsed().as_secs_f64(),
            callers.tally.answered.load(Ordering::Relaxed),
            self.deaths,
            self.changes,
            self.authority.issued,
        );
    }
}
