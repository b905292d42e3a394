//! After a switch to WebSocket: bytes both ways until either side has had enough.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::connection::Connection;
use crate::socket::Socket;
use crate::worker::Worker;

/// Ends when both directions have ended, one has failed, or the listener is cut.
pub(crate) async fn run(connection: &mut Connection, mut upstream: Socket) {
    connection.timer.set(None);
    let worker = Rc::clone(&connection.worker);
    let (mut up_ended, mut down_ended) = (false, false);
    poll_fn(|cx| {
        let client = &mut connection.client;
        let up = up_ended || poll_copy(cx, &worker, client, &mut upstream)?.is_ready();
        let down = down_ended || poll_copy(cx, &worker, &mut upstream, client)?.is_ready();
        (up_ended, down_ended) = (up, down);
        if (up && down) || connection.listener.is_cut() {
            return Poll::Ready(Ok::<_, std::io::Error>(()));
        }
        Poll::Pending
    })
    .await
    .unwrap_or_else(|error| tracing::debug!(%error, "a tunnel broke"));
}

/// Ready when `from` has ended and `to` has been told.
fn poll_copy(
    cx: &mut Context<'_>,
    worker: &Worker,
    from: &mut Socket,
    to: &mut Socket,
) -> Poll<std::io::Result<()>> {
    loop {
        ready!(to.poll_flush(cx))?;
        let mut scratch = worker.scratch.borrow_mut();
        let read = ready!(from.poll_next(cx, &mut scratch))?;
        if read == 0 {
            return to.poll_shutdown(cx);
        }
        to.send(cx, &scratch[..read])?;
    }
}
