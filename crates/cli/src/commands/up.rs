//! `serin up`: the mesh of a manifest, in the foreground until it is interrupted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use release::Manifest;
use release::manifest;
use serde::Serialize;
use server::api::types::{ReleaseStatus, ServiceStatus, Status};
use tokio::sync::Notify;

use crate::args::{Global, Up};
use crate::client::Client;
use crate::clock;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::line::Line;
use crate::render::{moment, number};
use crate::server_process::{self, ServerProcess, Setup};
use crate::terminal::Terminal;

const PERIOD: Duration = Duration::from_millis(50);

/// How long the tasks of a server that was killed wait for the next `serin up`.
const REAPER_GRACE: Duration = Duration::from_secs(60);

pub async fn run(args: &Up, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let started = clock::now();
    let manifest = Manifest::load(&args.file).map_err(refused)?;
    let mut configuration = server_process::configuration(&args.serving)?;
    let configured = std::mem::take(&mut configuration.proxy.ceilings);
    configuration.proxy.ceilings = args.ceilings.settings().or(configured);
    let warnings = configuration.warnings();
    let mut interrupt = Interrupt::listen()?;
    let server = ServerProcess::start(Setup {
        manifest: Some(manifest),
        configuration,
        state: &global.state,
        grace: REAPER_GRACE,
    });
    let server = server.await?;
    let quit = Arc::new(Notify::new());
    let shown = async {
        // Held until the server ends.
        let admin = match args.admin {
            Some(address) => server.administer(address, Arc::clone(&quit)).await?,
            None => None,
        };
        server.announce(admin.as_ref(), &warnings, terminal)?;
        server_process::say_up(started, "stops everything", terminal)?;
        wait_until_ready(&server.client()?, started, terminal).await?;
        std::future::pending().await
    };
    let outcome = tokio::select! {
        outcome = shown => outcome,
        () = interrupt.received() => Ok(Exit::Done),
        () = quit.notified() => Ok(Exit::Done),
    };
    // Whatever becomes of the output, everything is stopped.
    drop(terminal.clear());
    terminal.note(Line::new().plain("stopping: requests under way finish, then the tasks stop"));
    server.shutdown().await;
    terminal.note(Line::new().plain("stopped; `serin up` goes on where this ended"));
    outcome
}

/// Names each service once its tasks are healthy.
async fn wait_until_ready(
    client: &Client,
    started: Instant,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let mut period = tokio::time::interval(PERIOD);
    let mut announced: Vec<String> = Vec::new();
    // Where nothing can be repainted, what is waited for is said once.
    let mut told: Vec<Line> = Vec::new();
    loop {
        period.tick().await;
        let status = client.status().await?;
        if let Some(release) = status.services.iter().find_map(failed_first) {
            return Err(not_made(release));
        }
        for service in status.services.iter().filter(|service| service.ready) {
            if !announced.contains(&service.name) {
                announced.push(service.name.clone());
                let ready = Ready::new(service, started);
                match terminal.is_json() {
                    true => terminal.json(&ready)?,
                    false => terminal.say(ready.line())?,
                }
            }
        }
        if announced.len() == status.services.len() {
            return Ok(terminal.clear()?);
        }
        let now = waiting(&status);
        if !terminal.is_live() && !terminal.is_json() {
            let news = now.iter().filter(|line| !told.contains(line));
            terminal.say_all(news.cloned())?;
        }
        told.clone_from(&now);
        terminal.paint(now)?;
    }
}

/// The release that should have made a service's first version, if it could not.
fn failed_first(service: &ServiceStatus) -> Option<&ReleaseStatus> {
    let release = service.release.as_ref()?;
    (service.versions.is_empty() && release.ended.is_some()).then_some(release)
}

fn not_made(release: &ReleaseStatus) -> Failure {
    let ended = release.ended.as_ref();
    let error = NotMade {
        service: release.service.clone(),
        source: Reason(ended.map_or_else(String::new, |ended| ended.reason.clone())),
    };
    Failure::new(Exit::Failed, error)
        .hint("mend the source or the manifest, and `serin up` tries again")
}

#[derive(Debug, thiserror::Error)]
#[error("{service} has no version that runs")]
struct NotMade {
    service: String,
    source: Reason,
}

/// The server's words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Reason(String);

/// A service whose tasks are healthy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready<'s> {
    service: &'s str,
    after_seconds: f64,
    versions: Vec<&'s str>,
    tasks: usize,
    url: &'s str,
}

impl<'s> Ready<'s> {
    fn new(service: &'s ServiceStatus, started: Instant) -> Self {
        let versions = service.versions.iter();
        let running = versions.filter(|version| !version.tasks.is_empty());
        Self {
            service: &service.name,
            after_seconds: started.elapsed().as_secs_f64(),
            versions: running
                .clone()
                .map(|version| version.tag.as_str())
                .collect(),
            tasks: running.map(|version| version.tasks.len()).sum(),
            url: &service.url,
        }
    }

    fn line(&self) -> Line {
        let after = moment::duration(Duration::from_secs_f64(self.after_seconds));
        Line::new()
            .strong(self.service)
            .good("  ready")
            .plain(format!(" after {after}: "))
            .plain(format!(
                "{} with {} at {}",
                self.versions.join(", "),
                number::of(self.tasks as u64, "task"),
                self.url
            ))
    }
}

fn waiting(status: &Status) -> Vec<Line> {
    let waiting = status.services.iter().filter(|service| !service.ready);
    waiting
        .map(|service| {
            let now = service
                .release
                .as_ref()
                .map_or("starting", |release| release.now.as_str());
            Line::new().strong(&service.name).plain(format!("  {now}"))
        })
        .collect()
}

fn refused(error: manifest::Error) -> Failure {
    let hint = match &error {
        manifest::Error::Read { .. } => {
            "name the manifest with `serin up -f FILE`; `serin demo` needs none"
        }
        _ => "nothing was started; mend the manifest and try again",
    };
    Failure::new(Exit::Invalid, error).hint(hint)
}
