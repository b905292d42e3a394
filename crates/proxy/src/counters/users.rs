//! The users of a sticky split that this worker has seen, so that each is told once.
//!
//! It outlives the weights, as a user's first failure is the first under any of them. When it is full, new
//! users are not counted any more: whether one is depends on how many came before, not on their arm,
//! so a test stays valid and only learns nothing new.

use std::cell::RefCell;
use std::collections::HashSet;

/// Of each list: as many as the server counts. About 3 MiB where both are full.
const MOST: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Users {
    /// With the arm that served them.
    served: RefCell<HashSet<(u64, usize)>>,
    failed: RefCell<HashSet<u64>>,
}

impl Users {
    /// Whether this is news.
    pub(super) fn served(&self, user: u64, arm: usize) -> bool {
        let mut served = self.served.borrow_mut();
        served.len() < MOST && served.insert((user, arm))
    }

    /// Whether this is news: the user's first failure on any arm.
    pub(super) fn failed(&self, user: u64) -> bool {
        let mut failed = self.failed.borrow_mut();
        failed.len() < MOST && failed.insert(user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_news_once_and_nobody_is_when_full() {
        let users = Users::default();
        assert!(users.failed(7) && !users.failed(7));
        assert!(users.served(7, 0) && !users.served(7, 0) && users.served(7, 1));
        let told = (100..).take(2 * MOST).filter(|&user| users.failed(user));
        assert_eq!(told.count(), MOST - 1);
        assert!(users.served(8, 0), "the lists fill up on their own");
    }
}
