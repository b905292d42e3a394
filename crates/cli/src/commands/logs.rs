//! `serin logs`: what a service's tasks wrote.

use crate::args::{Global, Logs};
use crate::client::segment;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::terminal::Terminal;

pub async fn run(args: &Logs, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let client = super::client(global)?;
    let mut interrupt = Interrupt::listen()?;
    let mut lines = client.lines(&path(args)).await?;
    loop {
        let line = tokio::select! {
            line = lines.next() => line?,
            () = interrupt.received() => return Ok(Exit::Interrupted),
        };
        match line {
            Some(line) if terminal.is_json() => terminal.json(&line)?,
            Some(line) => terminal.raw(&(line + "\n"))?,
            None => return Ok(Exit::Done),
        }
    }
}

fn path(args: &Logs) -> String {
    let mut path = format!(
        "/v1/services/{}/logs?lines={}",
        segment(&args.service),
        args.lines
    );
    if let Some(version) = &args.version {
        path.push_str(&format!("&version={}", segment(version)));
    }
    if let Some(task) = args.task {
        path.push_str(&format!("&task={task}"));
    }
    if args.follow {
        path.push_str("&follow=true");
    }
    path
}
