//! The users of a sticky split over all proxies: each counts once, whoever told of them first.
//!
//! Several workers and proxies may tell the same user. Which of them is believed depends on the order in
//! which they report, never on the user's arm. Beyond a number of users new ones are left out; that
//! depends on how many came before, so it is no preference for an arm either. A restart of the server
//! forgets them: who fails again after it counts once more.

use std::collections::HashSet;

use view::observe::Cell;

/// Of each list: enough for a certificate at any share from 2 % on. About 2 MiB if both are full.
const MOST: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Users {
    /// What the hashes are salted with.
    arms: Vec<String>,
    served: HashSet<(u64, usize)>,
    failed: HashSet<u64>,
}

impl Users {
    /// Leaves in the cell only users who are told for the first time.
    pub(super) fn unite(&mut self, cell: &mut Cell) {
        let nobody =
            |arm: &view::observe::Arm| arm.users.served.is_empty() && arm.users.failed.is_empty();
        if cell.arms.iter().all(nobody) {
            return;
        }
        if !self.arms.iter().eq(cell.arms.iter().map(|arm| &arm.name)) {
            *self = Self {
                arms: cell.arms.iter().map(|arm| arm.name.clone()).collect(),
                ..Self::default()
            };
        }
        for (index, arm) in cell.arms.iter_mut().enumerate() {
            let Self { served, failed, .. } = self;
            arm.users
                .served
                .retain(|&user| served.len() < MOST && served.insert((user, index)));
            arm.users
                .failed
                .retain(|&user| failed.len() < MOST && failed.insert(user));
        }
    }
}

#[cfg(test)]
mod tests;
