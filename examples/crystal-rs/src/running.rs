//! How many of something run at this moment.
//!
//! Used twice: it bounds the connections, and it lets a server that was told to
//! stop wait for the requests under way.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Default)]
pub struct Running {
    count: Mutex<usize>,
    fewer: Condvar,
}

/// One of those that run; counts itself out when dropped.
pub struct One<'a>(&'a Running);

impl Running {
    /// Waits until fewer than `limit` run.
    pub fn enter_below(&self, limit: usize) -> One<'_> {
        let mut count = self
            .fewer
            .wait_while(self.lock(), |count| *count >= limit)
            .unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        One(self)
    }

    pub fn enter(&self) -> One<'_> {
        *self.lock() += 1;
        One(self)
    }

    /// Waits until none runs, `patience` at most.
    pub fn wait_for_none(&self, patience: Duration) {
        let _count = self
            .fewer
            .wait_timeout_while(self.lock(), patience, |count| *count > 0)
            .unwrap_or_else(PoisonError::into_inner);
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for One<'_> {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.fewer.notify_all();
    }
}
