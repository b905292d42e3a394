//! Bytes both ways, unread, until either side has had enough: TCP, and HTTP after a switch of protocols.
//!
//! Each side may end its direction while the other goes on. Bytes pass through the worker's scratch buffer;
//! only what a slow receiver has not taken yet is kept, at most one scratch buffer for each direction, and
//! its sender is not read from meanwhile. An idle tunnel owns no buffer. Where one side breaks, the other is
//! reset, so that nobody takes half of something for the whole.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::access_log::Entry;
use crate::clock::{self, Instant};
use crate::connection::Connection;
use crate::listener::Listener;
use crate::socket::Socket;
use crate::timers::Timer;
use crate::worker::Worker;

#[derive(Debug)]
pub(crate) struct Tunnel<'t> {
    pub(crate) worker: &'t Worker,
    pub(crate) listener: &'t Listener,
    pub(crate) timer: &'t Rc<Timer>,
    pub(crate) client: &'t mut Socket,
    pub(crate) upstream: &'t mut Socket,
    /// How long neither side may say anything.
    pub(crate) idle: Option<Duration>,
    /// Counts the bytes as they pass, so that a tunnel that is cut has told what passed until then.
    pub(crate) log: Option<&'t mut Entry>,
}

/// How a tunnel ended, and what had been said in it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) how: End,
    pub(crate) from_client: Direction,
    pub(crate) from_upstream: Direction,
}

#[derive(Debug)]
pub(crate) enum End {
    /// Both sides have said all they had to say.
    Finished,
    ClientBroke(io::Error),
    UpstreamBroke(io::Error),
    Idle,
    Cut,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Direction {
    pub(crate) first_byte: Option<Instant>,
    pub(crate) last_byte: Option<Instant>,
    /// When its sender said that nothing more would come.
    pub(crate) ended: Option<Instant>,
    is_delivered: bool,
}

/// Which side of a copy failed.
enum Broken {
    From(io::Error),
    To(io::Error),
}

#[cfg(test)]
impl Direction {
    pub(crate) fn at(
        first_byte: Option<Instant>,
        last_byte: Option<Instant>,
        ended: Option<Instant>,
    ) -> Self {
        Self {
            first_byte,
            last_byte,
            ended,
            is_delivered: false,
        }
    }
}

/// Carries what follows a switch to another protocol.
pub(crate) async fn run(
    connection: &mut Connection,
    mut upstream: Socket,
    idle: Option<Duration>,
    log: Option<&mut Entry>,
) {
    let ended = Tunnel {
        worker: &connection.worker,
        listener: &connection.listener,
        timer: &connection.timer,
        client: &mut connection.client,
        upstream: &mut upstream,
        idle,
        log,
    }
    .run()
    .await;
    if let End::ClientBroke(error) | End::UpstreamBroke(error) = ended.how {
        tracing::debug!(%error, "a tunnel broke");
    }
}

impl Tunnel<'_> {
    /// Ends when both directions have ended, one has failed, nothing was said for too long, or the
    /// listener is cut.
    pub(crate) async fn run(&mut self) -> Ended {
        self.upstream.keep_alive();
        self.timer.set(self.deadline(clock::now()));
        let (mut up, mut down) = (Direction::default(), Direction::default());
        let how = poll_fn(|cx| {
            if self.listener.is_cut() {
                return Poll::Ready(End::Cut);
            }
            if self.timer.is_expired() {
                return Poll::Ready(End::Idle);
            }
            let before = (up.last_byte, down.last_byte);
            let received = self.log.as_deref_mut().map(|log| &mut log.received);
            if let Poll::Ready(Err(broken)) = poll_copy(
                cx,
                self.worker,
                self.client,
                self.upstream,
                &mut up,
                received,
            ) {
                return Poll::Ready(match broken {
                    Broken::From(error) => End::ClientBroke(error),
                    Broken::To(error) => End::UpstreamBroke(error),
                });
            }
            let sent = self.log.as_deref_mut().map(|log| &mut log.sent);
            if let Poll::Ready(Err(broken)) =
                poll_copy(cx, self.worker, self.upstream, self.client, &mut down, sent)
            {
                return Poll::Ready(match broken {
                    Broken::From(error) => End::UpstreamBroke(error),
                    Broken::To(error) => End::ClientBroke(error),
                });
            }
            if up.is_delivered && down.is_delivered {
                return Poll::Ready(End::Finished);
            }
            if before != (up.last_byte, down.last_byte) {
                let last = up.last_byte.max(down.last_byte);
                self.timer.set(last.and_then(|last| self.deadline(last)));
            }
            Poll::Pending
        })
        .await;
        match how {
            End::ClientBroke(_) => self.upstream.abort(),
            End::UpstreamBroke(_) => self.client.abort(),
            End::Finished | End::Idle | End::Cut => {}
        }
        Ended {
            how,
            from_client: up,
            from_upstream: down,
        }
    }

    fn deadline(&self, last: Instant) -> Option<Instant> {
        last.checked_add(self.idle?)
    }
}

/// Ready when `from` has ended and `to` has been told.
fn poll_copy(
    cx: &mut Context<'_>,
    worker: &Worker,
    from: &mut Socket,
    to: &mut Socket,
    direction: &mut Direction,
    mut bytes: Option<&mut u64>,
) -> Poll<Result<(), Broken>> {
    if direction.is_delivered {
        return Poll::Ready(Ok(()));
    }
    loop {
        if to.has_unsent() {
            ready!(to.poll_flush(cx)).map_err(Broken::To)?;
            to.release_memory();
        }
        if direction.ended.is_some() {
            ready!(to.poll_shutdown(cx)).map_err(Broken::To)?;
            direction.is_delivered = true;
            return Poll::Ready(Ok(()));
        }
        let mut scratch = worker.scratch.borrow_mut();
        let read = ready!(from.poll_next(cx, &mut scratch)).map_err(Broken::From)?;
        let now = clock::now();
        if read == 0 {
            direction.ended = Some(now);
            continue;
        }
        direction.first_byte.get_or_insert(now);
        direction.last_byte = Some(now);
        if let Some(bytes) = &mut bytes {
            **bytes += read as u64;
        }
        to.send(cx, &scratch[..read]).map_err(Broken::To)?;
    }
}
