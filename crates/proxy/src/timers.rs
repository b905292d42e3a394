//! Deadlines that cost nothing while they are kept: one queue for each worker, moved lazily.
//!
//! A connection moves its deadline with every request, nearly always to later. The queue then keeps
//! the earlier entry and looks again when it comes up, so that moving is a store in a cell. Only a
//! deadline *earlier* than the entry in the queue is queued anew.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::task::Waker;

use tokio::sync::Notify;

use crate::clock::{self, Instant};

#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: RefCell<BTreeMap<(Instant, u64), Weak<Timer>>>,
    next_id: Cell<u64>,
    earlier: Notify,
}

/// One task's deadline, and the way to wake that task.
#[derive(Debug)]
pub(crate) struct Timer {
    timers: Rc<Timers>,
    id: u64,
    deadline: Cell<Option<Instant>>,
    queued: Cell<Option<Instant>>,
    expired: Cell<bool>,
    waker: RefCell<Waker>,
}

impl Timers {
    pub(crate) fn timer(self: &Rc<Self>) -> Rc<Timer> {
        let id = self.next_id.get();
        self.next_id.set(id + 1);
        Rc::new(Timer {
            timers: Rc::clone(self),
            id,
            deadline: Cell::new(None),
            queued: Cell::new(None),
            expired: Cell::new(false),
            waker: RefCell::new(Waker::noop().clone()),
        })
    }

    /// Expires deadlines for ever; each worker runs one.
    pub(crate) async fn run(&self) {
        loop {
            let first = self.queue.borrow().keys().next().map(|&(at, _)| at);
            let earlier = self.earlier.notified();
            match first {
                None => earlier.await,
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at) => self.expire(clock::now()),
                    () = earlier => {}
                },
            }
        }
    }

    fn expire(&self, now: Instant) {
        let due: Vec<Weak<Timer>> = {
            let mut queue = self.queue.borrow_mut();
            let later = queue.split_off(&(now, u64::MAX));
            std::mem::replace(&mut *queue, later)
                .into_values()
                .collect()
        };
        for timer in due.iter().filter_map(Weak::upgrade) {
            timer.queued.set(None);
            match timer.deadline.get() {
                Some(at) if at <= now => {
                    timer.expired.set(true);
                    timer.wake();
                }
                Some(at) => drop(timer.queue(at)),
                None => {}
            }
        }
    }
}

impl Timer {
    /// Tells the timer which task to wake; once for a task.
    pub(crate) fn wakes(&self, waker: &Waker) {
        self.waker.borrow_mut().clone_from(waker);
    }

    pub(crate) fn wake(&self) {
        self.waker.borrow().wake_by_ref();
    }

    pub(crate) fn set(self: &Rc<Self>, deadline: Option<Instant>) {
        self.expired.set(false);
        self.deadline.set(deadline);
        if let Some(at) = deadline
            && self.queued.get().is_none_or(|queued| at < queued)
        {
            self.unqueue();
            if self.queue(at) {
                self.timers.earlier.notify_one();
            }
        }
    }

    pub(crate) fn is_expired(&self) -> bool {
        self.expired.get()
    }

    /// True if nothing in the queue is earlier.
    fn queue(self: &Rc<Self>, at: Instant) -> bool {
        self.queued.set(Some(at));
        let mut queue = self.timers.queue.borrow_mut();
        queue.insert((at, self.id), Rc::downgrade(self));
        queue.keys().next() == Some(&(at, self.id))
    }

    fn unqueue(&self) {
        if let Some(at) = self.queued.take() {
            self.timers.queue.borrow_mut().remove(&(at, self.id));
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.unqueue();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::task::LocalSet;

    async fn expiry(timer: &Rc<Timer>) -> Instant {
        std::future::poll_fn(|cx| {
            timer.wakes(cx.waker());
            if timer.is_expired() {
                std::task::Poll::Ready(clock::now())
            } else {
                std::task::Poll::Pending
            }
        })
        .await
    }

    async fn with_timers<F: Future<Output = ()>>(test: impl FnOnce(Rc<Timers>) -> F) {
        let timers = Rc::new(Timers::default());
        let running = Rc::clone(&timers);
        LocalSet::new()
            .run_until(async {
                tokio::task::spawn_local(async move { running.run().await });
                test(timers).await;
            })
            .await;
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_deadline_can_be_moved_either_way() {
        with_timers(|timers| async move {
            let start = clock::now();
            let moved = timers.timer();
            moved.set(Some(start + 5 * SECOND));
            moved.set(Some(start + 9 * SECOND));
            assert_eq!(
                timers.queue.borrow().len(),
                1,
                "a later deadline is not queued"
            );
            assert_eq!(expiry(&moved).await.duration_since(start).as_secs(), 9);
            moved.set(Some(start + 60 * SECOND));
            moved.set(Some(start + 12 * SECOND));
            assert_eq!(expiry(&moved).await.duration_since(start).as_secs(), 12);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_taken_back_never_expires() {
        with_timers(|timers| async move {
            let (kept, taken_back) = (timers.timer(), timers.timer());
            taken_back.set(Some(clock::now() + SECOND));
            kept.set(Some(clock::now() + 2 * SECOND));
            taken_back.set(None);
            expiry(&kept).await;
            assert!(!taken_back.is_expired());
            drop((kept, taken_back));
            assert!(timers.queue.borrow().is_empty());
        })
        .await;
    }
}
