//! What the load has seen so far.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// The client's count of everything it asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Right answers, by the old and the new version.
    pub answered: [u64; 2],
    /// Answers that said they failed.
    pub failed: u64,
    /// No whole answer came.
    pub cut: u64,
    /// Success, with a text that no version says.
    pub strange: u64,
    /// The last right answer of either version.
    pub texts: [String; 2],
}

impl Seen {
    pub fn requests(&self) -> u64 {
        self.answered.iter().sum::<u64>() + self.failures()
    }

    /// Requests that did not end as their users wished.
    pub fn failures(&self) -> u64 {
        self.failed + self.cut + self.strange
    }
}

/// A [`Seen`] that is being counted.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Seen>);

impl Tally {
    pub(super) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    pub(super) fn answered(&self, version: usize, text: &str) {
        let mut seen = self.lock();
        seen.answered[version] += 1;
        text.clone_into(&mut seen.texts[version]);
    }

    pub(super) fn failed(&self) {
        self.lock().failed += 1;
    }

    pub(super) fn cut(&self) {
        self.lock().cut += 1;
    }

    pub(super) fn strange(&self) {
        self.lock().strange += 1;
    }

    /// Counts stay counts, even if a thread died while it held them.
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
