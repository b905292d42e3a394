//! How many client connections a worker holds at once. Further ones wait to be accepted: what is under way
//! keeps the sockets that it needs, and memory its bound.

use std::cell::Cell;
use std::num::NonZeroUsize;

use rustix::process::{Resource, getrlimit};
use tokio::sync::Notify;

use crate::overload::Ceilings;

/// What the process needs beside its connections: logs, listeners, checks, the store.
const RESERVED_FILES: u64 = 64;

#[derive(Debug)]
pub(crate) struct Doors {
    most: usize,
    inside: Cell<usize>,
    left: Notify,
    filled: Notify,
}

impl Doors {
    pub(crate) fn new(most: NonZeroUsize) -> Self {
        Self {
            most: most.get(),
            inside: Cell::new(0),
            left: Notify::new(),
            filled: Notify::new(),
        }
    }

    /// Waits until there is room for one more.
    pub(crate) async fn room(&self) {
        loop {
            let left = self.left.notified();
            if self.inside.get() < self.most {
                return;
            }
            left.await;
        }
    }

    /// Waits until the last place is taken.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    pub(crate) fn enter(&self) {
        self.inside.set(self.inside.get() + 1);
        if self.inside.get() == self.most {
            let most = self.most;
            self.filled.notify_waiters();
            tracing::warn!(
                most,
                "a worker has all the connections it may have: further ones wait"
            );
        }
    }

    pub(crate) fn leave(&self) {
        let inside = self.inside.replace(self.inside.get() - 1);
        if inside == self.most {
            self.left.notify_waiters();
        }
    }
}

/// As many for each worker as the process may have open files, each connection with one to an endpoint. But
/// who is to be shed must be let in first, even if all come to the same worker.
pub(crate) fn default_most(workers: NonZeroUsize, ceilings: &Ceilings) -> NonZeroUsize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let connections = usize::try_from(files.saturating_sub(RESERVED_FILES) / 2);
    let each = connections.unwrap_or(usize::MAX) / workers;
    let shed = ceilings.connections.map_or(0, |most| most.get());
    NonZeroUsize::MIN.saturating_add(each.max(shed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn who_finds_no_room_waits_for_somebody_to_leave() {
        let doors = Doors::new(NonZeroUsize::new(2).unwrap());
        let mut cx = Context::from_waker(Waker::noop());
        doors.enter();
        assert!(matches!(
            Box::pin(doors.room()).as_mut().poll(&mut cx),
            Poll::Ready(())
        ));
        doors.enter();
        let (mut one, mut other) = (Box::pin(doors.room()), Box::pin(doors.room()));
        assert!(one.as_mut().poll(&mut cx).is_pending());
        assert!(other.as_mut().poll(&mut cx).is_pending());
        doors.leave();
        assert!(one.as_mut().poll(&mut cx).is_ready());
        doors.enter();
        assert!(
            other.as_mut().poll(&mut cx).is_pending(),
            "the place is taken again"
        );
        doors.leave();
        assert!(other.as_mut().poll(&mut cx).is_ready());
    }
}
