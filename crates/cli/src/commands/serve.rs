//! `serin serve`: the App Mesh API alone, without services, in the foreground until it is interrupted.

use std::net::SocketAddr;

use serde::Serialize;
use server::Configuration;

use crate::args::{Global, Serve};
use crate::client::Client;
use crate::clock;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::line::Line;
use crate::render::number;
use crate::server_process::{self, ServerProcess, Setup};
use crate::terminal::Terminal;

pub async fn run(args: &Serve, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let started = clock::now();
    let configuration = server_process::configuration(&args.serving)?;
    if args.check {
        return valid(&configuration, global, terminal).await;
    }
    let mut interrupt = Interrupt::listen()?;
    let warnings = configuration.warnings();
    let server = ServerProcess::start(Setup::control_plane(configuration, &global.state)).await?;
    server.announce(None, &warnings, terminal)?;
    server_process::say_up(started, "stops it", terminal)?;
    interrupt.received().await;
    terminal.note(Line::new().plain("stopping: requests under way finish"));
    server.shutdown().await;
    terminal.note(Line::new().plain("stopped; the meshes are kept"));
    Ok(Exit::Done)
}

/// What was found of a configuration with which a server would start.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Valid {
    valid: bool,
    account: String,
    region: String,
    api: SocketAddr,
    access_keys: usize,
    warnings: Vec<String>,
}

/// A server would start with this configuration.
async fn valid(
    configuration: &Configuration,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let mut warnings = configuration.warnings();
    // A server that runs here knows the nodes. It holds its port, and gives it back before the next starts.
    let running = Client::find(None, &global.state).ok();
    let known = match &running {
        Some(client) => client.export(None).await.ok(),
        None => None,
    };
    match known {
        Some(known) => {
            let nodes = known.resources.iter().map(|described| &described.resource);
            warnings.extend(configuration.strangers(nodes));
        }
        None => server_process::is_free(configuration.api)?,
    }
    let valid = Valid {
        valid: true,
        account: configuration.account.to_string(),
        region: configuration.region.to_string(),
        api: configuration.api,
        access_keys: configuration.credentials.len(),
        warnings,
    };
    if terminal.is_json() {
        terminal.json(&valid)?;
        return Ok(Exit::Done);
    }
    server_process::warn(&valid.warnings, terminal);
    terminal.say(Line::new().good("✓").plain(format!(
        " valid: account {}, region {}, API on {}, {}",
        valid.account,
        valid.region,
        valid.api,
        number::of(valid.access_keys as u64, "access key")
    )))?;
    Ok(Exit::Done)
}
