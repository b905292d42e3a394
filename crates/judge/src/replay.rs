//! A release judged again from its journal: the same configuration and batches give the same verdicts, bit
//! for bit, on any machine.

use crate::{config::Config, counts::Batch, state::State, verdict::Verdict};

/// The verdict after each batch of a journal, and the state it leaves behind.
#[derive(Clone, Debug)]
pub struct Replay<I> {
    config: Config,
    state: State,
    batches: I,
}

pub fn replay<I: IntoIterator<Item = Batch>>(config: Config, batches: I) -> Replay<I::IntoIter> {
    Replay {
        config,
        state: State::default(),
        batches: batches.into_iter(),
    }
}

impl<I> Replay<I> {
    /// The state after the batches taken so far.
    pub fn state(&self) -> &State {
        &self.state
    }
}

impl<I: Iterator<Item = Batch>> Iterator for Replay<I> {
    type Item = Verdict;

    fn next(&mut self) -> Option<Verdict> {
        let batch = self.batches.next()?;
        self.state.absorb(&self.config, &batch);
        Some(self.state.verdict(&self.config))
    }
}
