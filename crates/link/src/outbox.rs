//! The proxy's side of the reports: each is kept until the server says that it has it for good.
//!
//! While there is no room, nothing new is read out of the data plane's counters; there counts add up in
//! constant memory, each under the weights it belongs to. So a server that is away for a day costs no
//! memory and no evidence.

use std::collections::VecDeque;

use view::observe::Cell;

use crate::Report;

/// Reports that may be under way at once: six seconds of them.
const ROOM: usize = 32;

#[derive(Debug, Default)]
pub struct Outbox {
    last: u64,
    untaken: VecDeque<Report>,
}

impl Outbox {
    /// Whether a further report may be made.
    pub fn has_room(&self) -> bool {
        self.untaken.len() < ROOM
    }

    /// Numbers what was counted; nothing is no report.
    pub fn put(&mut self, cells: Vec<Cell>) -> Option<&Report> {
        if cells.is_empty() {
            return None;
        }
        self.last += 1;
        self.untaken.push_back(Report {
            number: self.last,
            cells,
        });
        self.untaken.back()
    }

    /// What a new stream must carry first, in order.
    pub fn untaken(&self) -> impl Iterator<Item = &Report> {
        self.untaken.iter()
    }

    /// The server has everything up to `through`.
    pub fn taken(&mut self, through: u64) {
        while self
            .untaken
            .front()
            .is_some_and(|report| report.number <= through)
        {
            self.untaken.pop_front();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.untaken.is_empty()
    }
}
