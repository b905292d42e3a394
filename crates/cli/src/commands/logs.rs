//! `serin logs`: what a service's tasks wrote.

use serde::Serialize;

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
            Some(line) if terminal.is_json() => terminal.json(&Written::read(&line))?,
            Some(line) => terminal.raw(&(line + "\n"))?,
            None => return Ok(Exit::Done),
        }
    }
}

/// A line as programs get it. When it was written only the task could say.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Written<'l> {
    /// As `crystal/epoch/0`.
    task: Option<&'l str>,
    line: &'l str,
}

impl<'l> Written<'l> {
    /// From `[crystal/epoch/0] text`.
    fn read(text: &'l str) -> Self {
        let parts = text
            .strip_prefix('[')
            .and_then(|rest| rest.split_once("] "));
        match parts {
            Some((task, line)) => Self {
                task: Some(task),
                line,
            },
            None => Self {
                task: None,
                line: text,
            },
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

#[cfg(test)]
mod tests {
    use super::Written;

    #[test]
    fn a_line_is_told_apart_from_its_task() {
        let read = |text| {
            let Written { task, line } = Written::read(text);
            (task, line)
        };
        assert_eq!(
            read("[crystal/epoch/0] [info] up"),
            (Some("crystal/epoch/0"), "[info] up")
        );
        assert_eq!(read("[crystal/epoch/0] "), (Some("crystal/epoch/0"), ""));
        assert_eq!(read("broken"), (None, "broken"));
    }
}
