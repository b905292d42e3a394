//! Standard output and standard error: who reads them, and how to write to them.
//!
//! Data goes to standard output, everything else to standard error. On a terminal the last lines of
//! standard output may be a live picture that is repainted in place; lines said meanwhile scroll above it.
//! Elsewhere nothing but plain lines is ever written.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::args::{Colour, Format, Global};
use crate::line::Line;

#[derive(Debug)]
pub struct Terminal {
    format: Format,
    quiet: bool,
    /// Standard output is a terminal that can move its cursor.
    live: bool,
    colour: bool,
    error_colour: bool,
    picture: Vec<Line>,
    /// Rows of the picture that stand on the screen now.
    painted: usize,
}

/// Standard output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("could not write the output")]
pub struct Unwritable(#[source] pub io::Error);

/// Rows and columns assumed where the terminal does not tell.
const USUAL_SIZE: (usize, usize) = (24, 80);

impl Terminal {
    pub fn new(global: &Global) -> Self {
        let choice = match global.color {
            Colour::Auto => None,
            Colour::Always => Some(true),
            Colour::Never => Some(false),
        };
        let wants_colour = |choice_of_stream| choice_of_stream != anstream::ColorChoice::Never;
        let moves_cursor =
            std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        Self {
            format: global.output,
            quiet: global.quiet,
            live: global.output == Format::Text && io::stdout().is_terminal() && moves_cursor,
            colour: choice
                .unwrap_or_else(|| wants_colour(anstream::AutoStream::choice(&io::stdout()))),
            error_colour: choice
                .unwrap_or_else(|| wants_colour(anstream::AutoStream::choice(&io::stderr()))),
            picture: Vec::new(),
            painted: 0,
        }
    }

    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// A live picture can be painted.
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// Prints a line of what was asked for.
    pub fn say(&mut self, line: Line) -> Result<(), Unwritable> {
        self.say_all([line])
    }

    pub fn say_all(&mut self, lines: impl IntoIterator<Item = Line>) -> Result<(), Unwritable> {
        let rows = lines.into_iter().flat_map(|line| match self.live {
            true => line.broken(size().1),
            false => vec![line],
        });
        let text: String = rows.map(|row| row.paint(self.colour) + "\n").collect();
        self.raw(&text)
    }

    /// Prints text as it is: what a program wrote, or a script will read.
    pub fn raw(&mut self, text: &str) -> Result<(), Unwritable> {
        let whole = self.erased() + text + &self.rows_of_picture();
        self.write(&whole)
    }

    /// Prints one line of JSON.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Unwritable> {
        let text = serde_json::to_string(value).map_err(|error| Unwritable(error.into()))?;
        self.raw(&(text + "\n"))
    }

    /// Replaces the live picture.
    pub fn paint(&mut self, picture: Vec<Line>) -> Result<(), Unwritable> {
        if !self.live || self.picture.iter().skip(1).eq(&picture) {
            return Ok(());
        }
        let erased = self.erased();
        self.picture = picture;
        if !self.picture.is_empty() {
            self.picture.insert(0, Line::new());
        }
        let whole = erased + &self.rows_of_picture();
        self.write(&whole)
    }

    /// Takes the live picture away.
    pub fn clear(&mut self) -> Result<(), Unwritable> {
        self.paint(Vec::new())
    }

    /// Tells people about something beside the data, on standard error.
    pub fn note(&mut self, line: Line) {
        if !self.quiet {
            self.tell(&[line]);
        }
    }

    /// Tells people what they must know, on standard error.
    pub fn tell(&mut self, lines: &[Line]) {
        let text: String = lines
            .iter()
            .map(|line| line.paint(self.error_colour) + "\n")
            .collect();
        // Who cannot hear why we end cannot be told that either.
        drop(io::stderr().lock().write_all(text.as_bytes()));
    }

    /// What takes the picture off the screen.
    fn erased(&mut self) -> String {
        match std::mem::take(&mut self.painted) {
            0 => String::new(),
            rows => format!("\r\u{1b}[{rows}A\u{1b}[J"),
        }
    }

    fn rows_of_picture(&mut self) -> String {
        let (rows, columns) = size();
        let visible = self.picture.iter().take(rows.saturating_sub(1));
        self.painted = visible.len();
        visible
            .map(|line| line.clone().cut(columns).paint(self.colour) + "\n")
            .collect()
    }

    fn write(&self, text: &str) -> Result<(), Unwritable> {
        // A terminal that knows this shows the whole change at once; the others ignore it.
        let whole = match self.live {
            true => format!("\u{1b}[?2026h{text}\u{1b}[?2026l"),
            false => text.to_owned(),
        };
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(whole.as_bytes())
            .and_then(|()| stdout.flush())
            .map_err(Unwritable)
    }
}

/// Rows and columns of the terminal.
fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_row > 1 && size.ws_col > 1 => (size.ws_row.into(), size.ws_col.into()),
        _ => USUAL_SIZE,
    }
}
