//! `serin completions`: a script for a shell to load.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Arguments;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Terminal;

pub fn run(shell: Shell, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "serin", &mut script);
    terminal.raw(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
