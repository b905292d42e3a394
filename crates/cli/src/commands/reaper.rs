//! `serin reaper`, which the driver starts beside a server: no task outlives a server that never comes back.

use std::time::Duration;

use compute::process::reaper;

use crate::args::{Global, Reaper};
use crate::exit::Exit;
use crate::failure::Failure;

pub fn run(args: &Reaper, global: &Global) -> Result<Exit, Failure> {
    let grace = Duration::try_from_secs_f64(args.grace)
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    match reaper::run(&global.state, args.server_pid, grace) {
        Ok(_) => Ok(Exit::Done),
        Err(error) => Err(Failure::new(Exit::Failed, error)),
    }
}
