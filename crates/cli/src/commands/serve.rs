//! `serin serve`: the App Mesh API alone, without services, in the foreground until it is interrupted.

use server::Configuration;

use crate::args::{Global, Serve};
use crate::clock;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::line::Line;
use crate::render::moment;
use crate::server_process::{self, ServerProcess, Setup};
use crate::terminal::Terminal;

pub async fn run(args: &Serve, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let started = clock::now();
    let configuration = server_process::configuration(&args.serving)?;
    if args.check {
        return valid(&configuration, terminal);
    }
    let mut interrupt = Interrupt::listen()?;
    let warnings = configuration.warnings();
    let server = ServerProcess::start(Setup::control_plane(configuration, &global.state)).await?;
    server.announce(&warnings, terminal)?;
    let elapsed = moment::duration(started.elapsed());
    terminal.say(Line::new().faint(format!("server up after {elapsed}; Ctrl-C stops it")))?;
    interrupt.received().await;
    terminal.note(Line::new().plain("stopping: requests under way finish"));
    server.shutdown().await;
    terminal.note(Line::new().plain("stopped; the meshes are kept"));
    Ok(Exit::Done)
}

/// A server would start with this configuration.
fn valid(configuration: &Configuration, terminal: &mut Terminal) -> Result<Exit, Failure> {
    for warning in configuration.warnings() {
        terminal.note(Line::new().canary("warning: ").plain(warning));
    }
    terminal.say(Line::new().good("✓").plain(format!(
        " valid: account {}, region {}, API on {}, {} access keys",
        configuration.account,
        configuration.region,
        configuration.api,
        configuration.credentials.len()
    )))?;
    Ok(Exit::Done)
}
