//! What a command says when it cannot go on: the error, its causes, a hint, and the exit code.
//!
//! Every operation has an error type of its own; how it is explained to people is written where it turns
//! into a [`Failure`], and printed once, by `main`.

use std::error::Error;
use std::io;

use crate::exit::Exit;
use crate::line::Line;
use crate::terminal;

type Cause = Box<dyn Error + Send + Sync>;

#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// None is silence: nobody reads the output any more.
    cause: Option<Cause>,
    hint: Option<String>,
}

impl Failure {
    pub fn new(exit: Exit, cause: impl Into<Cause>) -> Self {
        Self {
            exit,
            cause: Some(cause.into()),
            hint: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As printed to standard error; empty for silence.
    pub fn lines(&self) -> Vec<Line> {
        let Some(error) = &self.cause else {
            return Vec::new();
        };
        let mut lines = paragraph(Line::new().bad("error: "), &error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            lines.extend(paragraph(
                Line::new().plain("  because: "),
                &cause.to_string(),
            ));
            source = cause.source();
        }
        if let Some(hint) = &self.hint {
            lines.push(Line::new());
            lines.extend(paragraph(Line::new().canary("hint: "), hint));
        }
        lines
    }
}

/// An error and its causes in one row, where there is room for no more.
pub fn in_one_row(error: &dyn Error) -> String {
    let first = |error: &dyn Error| {
        let text = error.to_string();
        text.lines().next().unwrap_or_default().to_owned()
    };
    let mut row = first(error);
    let mut source = error.source();
    while let Some(cause) = source {
        row = format!("{row}: {}", first(cause));
        source = cause.source();
    }
    row
}

/// Text of one or more lines after its label, the further ones indented.
fn paragraph(label: Line, text: &str) -> Vec<Line> {
    let mut rows = text.lines();
    let first = label.plain(rows.next().unwrap_or_default());
    let rest = rows.map(|row| Line::new().plain("  ").plain(row));
    std::iter::once(first).chain(rest).collect()
}

impl From<terminal::Unwritable> for Failure {
    fn from(error: terminal::Unwritable) -> Self {
        if error.0.kind() == io::ErrorKind::BrokenPipe {
            return Self {
                exit: Exit::Interrupted,
                cause: None,
                hint: None,
            };
        }
        Self::new(Exit::Failed, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not read the manifest")]
    struct Outer(#[source] io::Error);

    fn text(failure: &Failure) -> String {
        let lines: Vec<String> = failure
            .lines()
            .iter()
            .map(|line| line.paint(false))
            .collect();
        lines.join("\n")
    }

    #[test]
    fn causes_are_indented_and_the_hint_stands_apart() {
        let failure = Failure::new(
            Exit::Invalid,
            Outer(io::Error::other("no such file\nor directory")),
        )
        .hint("`serin up -f FILE` takes another");
        assert_eq!(
            text(&failure),
            "error: could not read the manifest\n  because: no such file\n  or directory\n\nhint: `serin up -f FILE` takes another"
        );
    }

    #[test]
    fn a_broken_pipe_is_silence() {
        let broken = terminal::Unwritable(io::ErrorKind::BrokenPipe.into());
        assert_eq!(text(&broken.into()), "");
        let full = terminal::Unwritable(io::ErrorKind::StorageFull.into());
        assert!(text(&full.into()).starts_with("error: could not write the output\n  because: "));
    }
}
