//! Connections that last are asked to move when a view changes weights, so that what they carry is drawn
//! anew, or what their listener demands of TLS: each at a random moment of a set time, as all at once would
//! be a storm of handshakes.
//!
//! An HTTP/2 client gets GOAWAY and its streams go on; an HTTP/1.1 client gets `Connection: close` with
//! its next response. What does not end by itself is cut only where the options say so.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use crate::clock::{self, Instant};
use crate::listener::Listener;
use crate::worker::Worker;

/// When one connection moves, if it has to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    /// The last time it was asked that the connection knows of.
    known: Option<Instant>,
    at: Option<Instant>,
}

impl Move {
    /// A connection that begins now has nothing to catch up with.
    pub(crate) fn of_new(listener: &Listener) -> Self {
        Self {
            known: listener.asked_to_move(),
            at: None,
        }
    }

    /// When to move. Being asked again does not put it off.
    pub(crate) fn at(&mut self, worker: &Worker, listener: &Listener) -> Option<Instant> {
        let asked = listener.asked_to_move();
        if asked != self.known {
            self.known = asked;
            if self.at.is_none() {
                let share = worker.rng.borrow_mut().f64();
                let delay = worker.limits.reconnect_within.mul_f64(share);
                self.at = asked.and_then(|asked| asked.checked_add(delay));
            }
        }
        self.at
    }

    /// Costs a comparison while there is nothing to move for.
    pub(crate) fn is_due(&mut self, worker: &Worker, listener: &Listener) -> bool {
        self.at(worker, listener)
            .is_some_and(|at| at <= clock::now())
    }

    /// Ends when what does not end by itself is to be cut, if ever. The task is woken by the listener.
    pub(crate) async fn overstays(mut self, worker: &Worker, listener: &Listener) {
        poll_fn(|_| match self.at(worker, listener) {
            Some(_) if worker.limits.cut_moved_after.is_some() => Poll::Ready(()),
            _ => Poll::Pending,
        })
        .await;
        if let Some(at) = self.cut_at(worker) {
            tokio::time::sleep_until(at).await;
        }
    }

    /// When what has not ended by itself is cut.
    pub(crate) fn cut_at(&self, worker: &Worker) -> Option<Instant> {
        let patience: Duration = worker.limits.cut_moved_after?;
        self.at?.checked_add(patience)
    }
}
