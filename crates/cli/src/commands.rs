//! The commands, a file each.

mod check;
mod completions;
mod export;
mod follow;
mod import;
mod logs;
mod order;
mod patch;
pub mod plan;
mod proxy;
mod reaper;
mod release;
mod replay;
mod serve;
mod status;
mod up;
mod why;

use std::future::Future;

use crate::args::{Arguments, Command, Global};
use crate::client::Client;
use crate::demo;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Terminal;

/// Runs a command to its end.
pub fn run(arguments: Arguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let global = &arguments.global;
    match &arguments.command {
        Command::Completions { shell } => completions::run(*shell, terminal),
        Command::Patch(patch) => patch::run(patch, terminal),
        Command::Reaper(reaper) => reaper::run(reaper, global),
        Command::Demo(demo) => block_on(demo::run(demo, global, terminal)),
        Command::Up(up) => block_on(up::run(up, global, terminal)),
        Command::Proxy(proxy) => block_on(proxy::run(proxy, global, terminal)),
        Command::Serve(serve) => block_on(serve::run(serve, global, terminal)),
        Command::Release(release) => block_on(release::run(release, global, terminal)),
        Command::Plan(plan) => block_on(plan::run(plan, global, terminal)),
        Command::Follow(target) => block_on(follow::run(target, global, terminal)),
        Command::Status(status) => block_on(status::run(status, global, terminal)),
        Command::Set(set) => block_on(order::run(order::set(set), &set.steer, global, terminal)),
        Command::Hold(steer) => block_on(order::run(order::plain("hold"), steer, global, terminal)),
        Command::Resume(steer) => {
            block_on(order::run(order::plain("resume"), steer, global, terminal))
        }
        Command::Promote(steer) => {
            block_on(order::run(order::plain("promote"), steer, global, terminal))
        }
        Command::Rollback(steer) => block_on(order::run(
            order::plain("rollback"),
            steer,
            global,
            terminal,
        )),
        Command::Replay(target) => block_on(replay::run(target, global, terminal)),
        Command::Why(target) => block_on(why::run(target, global, terminal)),
        Command::Logs(logs) => block_on(logs::run(logs, global, terminal)),
        Command::Import(import) => block_on(import::run(import, global, terminal)),
        Command::Export(export) => block_on(export::run(export, global, terminal)),
        Command::Check(check) => block_on(check::run(check, global, terminal)),
    }
}

pub use check::{find_program, version_of_program};

fn block_on(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Failure::new(Exit::Failed, source))?;
    let outcome = runtime.block_on(command);
    // Nothing that still runs can change the outcome.
    runtime.shutdown_background();
    outcome
}

/// The server that the global options name.
fn client(global: &Global) -> Result<Client, Failure> {
    Ok(Client::find(global.server.as_deref(), &global.state)?)
}
