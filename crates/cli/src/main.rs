//! `serin`: the command line of the mesh.
//!
//! Arguments are read in [`args`], each command is a file under [`commands`], and what it says is rendered
//! by the pure functions of [`render`]. All but `up` and `demo` only ask a running server, by its public
//! API.

#![expect(
    unreachable_pub,
    reason = "nothing is outside of a binary; `pub` is what a module offers the others"
)]

mod args;
mod client;
mod clock;
mod commands;
mod demo;
mod exit;
mod failure;
mod follow;
mod interrupt;
mod line;
mod log;
mod render;
mod server_process;
mod terminal;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use args::Arguments;
use exit::Exit;
use terminal::Terminal;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            // Nobody is left to tell that nobody reads it.
            drop(usage.print());
            return if usage.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            }
            .into();
        }
    };
    let mut terminal = Terminal::new(&arguments.global);
    let exit = commands::run(arguments, &mut terminal).unwrap_or_else(|failure| {
        terminal.tell(&failure.lines());
        failure.exit
    });
    exit.into()
}
