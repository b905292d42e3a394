//! `serin up`: the mesh of a manifest, in the foreground until it is interrupted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use release::Manifest;
use release::manifest;
use server::api::types::{ReleaseStatus, ServiceStatus, Status};
use tokio::sync::Notify;

use crate::args::{Global, Up};
use crate::client::Client;
use crate::clock;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::line::Line;
use crate::render::moment;
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
        server.announce(&warnings, terminal)?;
        let admin = match args.admin {
            Some(address) => server.administer(address, Arc::clone(&quit)).await?,
            None => None,
        };
        if let Some(admin) = &admin {
            let url = format!("http://{}", admin.address);
            terminal.say(Line::new().plain("admin    ").plain(url))?;
        }
        let elapsed = moment::duration(started.elapsed());
        let up = format!("server up after {elapsed}; Ctrl-C stops everything");
        terminal.say(Line::new().faint(up))?;
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
    loop {
        period.tick().await;
        let status = client.status().await?;
        if let Some(release) = status.services.iter().find_map(failed_first) {
            return Err(not_made(release));
        }
        for service in status.services.iter().filter(|service| service.ready) {
            if !announced.contains(&service.name) {
                announced.push(service.name.clone());
                terminal.say(ready(service, started))?;
            }
        }
        if announced.len() == status.services.len() {
            return Ok(terminal.clear()?);
        }
        terminal.paint(waiting(&status))?;
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

fn ready(service: &ServiceStatus, started: Instant) -> Line {
    let tags: Vec<&str> = service
        .versions
        .iter()
        .filter(|version| !version.tasks.is_empty())
        .map(|version| version.tag.as_str())
        .collect();
    let tasks: usize = service
        .versions
        .iter()
        .map(|version| version.tasks.len())
        .sum();
    Line::new()
        .strong(&service.name)
        .good("  ready")
        .plain(format!(" after {}: ", moment::duration(started.elapsed())))
        .plain(format!(
            "{} with {tasks} tasks at {}",
            tags.join(", "),
            service.url
        ))
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
