//! `serin check`: is this machine able?
//!
//! Every check is data: a category, an id, a result, and a hint where something is to be done. A warning
//! names something that only some uses need.

mod host;
mod program;
mod server;

use serde::Serialize;

use crate::args::{Check, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::line::Line;
use crate::render::table;
use crate::terminal::Terminal;

pub use program::{find as find_program, version as version_of_program};

#[derive(Debug, Serialize)]
struct Checked {
    category: &'static str,
    id: &'static str,
    result: Outcome,
    /// What was found, in a few words.
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Outcome {
    Passed,
    Warning,
    Failed,
    Skipped,
}

#[derive(Debug, Serialize)]
struct Report {
    able: bool,
    checks: Vec<Checked>,
}

pub async fn run(args: &Check, global: &Global, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let mut checks = host::checks(&global.state);
    checks.extend(program::checks());
    checks.extend(server::checks(args.file.as_deref(), global).await);
    let able = checks.iter().all(|check| check.result != Outcome::Failed);
    let report = Report { able, checks };
    match terminal.is_json() {
        true => terminal.json(&report)?,
        false => terminal.say_all(lines(&report))?,
    }
    Ok(match able {
        true => Exit::Done,
        false => Exit::CheckFailed,
    })
}

impl Checked {
    fn new(
        category: &'static str,
        id: &'static str,
        result: Outcome,
        found: impl Into<String>,
    ) -> Self {
        Self {
            category,
            id,
            result,
            found: found.into(),
            hint: None,
        }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

fn lines(report: &Report) -> Vec<Line> {
    let mut category = "";
    let rows = report.checks.iter().map(|check| {
        let heading = if check.category == category {
            ""
        } else {
            check.category
        };
        category = check.category;
        vec![
            Line::new().strong(heading),
            mark(check.result).plain(format!(" {}", check.id)),
            Line::new().plain(&check.found),
        ]
    });
    let mut lines = Vec::new();
    for (row, check) in table::columns(rows.collect())
        .into_iter()
        .zip(&report.checks)
    {
        lines.push(row);
        if let Some(hint) = &check.hint {
            lines.push(Line::new().canary("            hint: ").plain(hint));
        }
    }
    lines.push(Line::new());
    lines.push(match report.able {
        true => Line::new().good("this machine is able"),
        false => Line::new().bad("this machine is not able yet"),
    });
    lines
}

fn mark(result: Outcome) -> Line {
    match result {
        Outcome::Passed => Line::new().good("✓"),
        Outcome::Warning => Line::new().canary("!"),
        Outcome::Failed => Line::new().bad("✗"),
        Outcome::Skipped => Line::new().faint("-"),
    }
}
