//! Waiting on the way to an answer: for a turn, a name, a connection, the end of a pause.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::{Downstream, Expired, Failure, Times};
use crate::admission::Exchange;
use crate::clock;

/// Does something for as long as the request's time, its client and the listener last. What is done at once
/// costs nothing.
pub(super) async fn while_wanted<D: Downstream, T>(
    client: &mut D,
    exchange: &Exchange,
    mut times: Times,
    wanted: impl Future<Output = T>,
) -> Result<T, Failure> {
    let mut wanted = pin!(wanted);
    let mut has_begun = false;
    // One that is still sending over HTTP/1.1 cannot be asked without taking what it sends.
    let mut watches_client = exchange.body.is_done() || exchange.replay.is_some();
    poll_fn(|cx| {
        if let Poll::Ready(done) = wanted.as_mut().poll(cx) {
            return Poll::Ready(Ok(done));
        }
        if client.listener().is_cut() {
            return Poll::Ready(Err(Failure::Cut));
        }
        if !std::mem::replace(&mut has_begun, true) {
            client.timer().wakes(cx.waker());
            client.timer().set(times.next());
        }
        if client.timer().is_expired() {
            match times.expired(None, clock::now()) {
                None => client.timer().set(times.next()),
                Some(Expired::Client) => return Poll::Ready(Err(Failure::Deadline)),
                Some(_) => return Poll::Ready(Err(Failure::Timeout)),
            }
        }
        if watches_client {
            match client.poll_gone(cx) {
                Poll::Ready(true) => return Poll::Ready(Err(Failure::Cancelled)),
                Poll::Ready(false) => watches_client = false,
                Poll::Pending => {}
            }
        }
        Poll::Pending
    })
    .await
}
