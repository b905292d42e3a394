//! `serin why`: why a release went as it did.

use crate::args::{Global, Target};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Terminal;
use crate::{clock, render};

pub async fn run(
    target: &Target,
    global: &Global,
    terminal: &mut Terminal,
) -> Result<Exit, Failure> {
    let why = super::client(global)?.why(&target.release).await?;
    match terminal.is_json() {
        true => terminal.json(&why)?,
        false => terminal.say_all(render::why::lines(&why, clock::today()))?,
    }
    Ok(Exit::Done)
}
