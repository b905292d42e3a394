//! How a release that is followed is shown to people: its events above, and below them a live picture of
//! how it stands; or, where nothing can be repainted, a line now and then.

use server::api::types::EventLine;

use crate::clock;
use crate::line::Line;
use crate::render::event::Teller;
use crate::render::pace::Pace;
use crate::render::progress::Progress;
use crate::terminal::{Terminal, Unwritable};

#[derive(Debug, Default)]
pub struct Watch {
    teller: Teller,
    pace: Pace,
}

impl Watch {
    pub fn event(&mut self, event: &EventLine, terminal: &mut Terminal) -> Result<(), Unwritable> {
        terminal.say_all(self.pace.before(event))?;
        terminal.say_all(self.teller.line(event))
    }

    /// What was measured last, if it was not shown; and the picture is gone.
    pub fn settle(&mut self, terminal: &mut Terminal) -> Result<(), Unwritable> {
        terminal.clear()?;
        terminal.say_all(self.pace.last())
    }

    /// Shows `picture` where it can be painted, else what the progress comes to in one line.
    pub fn standing(
        &mut self,
        progress: &Progress<'_>,
        picture: Vec<Line>,
        terminal: &mut Terminal,
    ) -> Result<(), Unwritable> {
        match terminal.is_live() {
            true => terminal.paint(picture),
            false => terminal.say_all(self.pace.line(progress, clock::now())),
        }
    }

    /// Whether the progress is worth a line now, for programs.
    pub fn is_due(&mut self, progress: &Progress<'_>) -> bool {
        self.pace.line(progress, clock::now()).is_some()
    }
}
