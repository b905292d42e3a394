//! Which requests are under way on an HTTP/2 connection, so that one without any can be ended.
//!
//! hyper ends silent connections of HTTP/1.1 only. A request is under way until its answer was read to the
//! end: the stream of a proxy is, for as long as it lasts.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::watch;
use tokio::time::timeout;

/// How many requests are under way.
#[derive(Debug, Default)]
pub(super) struct Activity(watch::Sender<usize>);

/// A request, until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(watch::Sender<usize>);

impl Activity {
    pub(super) fn begin(&self) -> UnderWay {
        self.0.send_modify(|requests| *requests += 1);
        UnderWay(self.0.clone())
    }

    /// Returns when no request has been under way for so long.
    pub(super) async fn silence(&self, limit: Duration) {
        let mut requests = self.0.subscribe();
        loop {
            // The sender lives in `self`, so a wait ends only as it should.
            requests.wait_for(|requests| *requests == 0).await.ok();
            if timeout(limit, requests.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl UnderWay {
    pub(super) fn until_read(self, answer: Response<Body>) -> Response<Body> {
        answer.map(|body| {
            Body::new(Reading {
                body,
                _under_way: self,
            })
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.send_modify(|requests| *requests -= 1);
    }
}

/// The body of an answer.
struct Reading {
    body: Body,
    _under_way: UnderWay,
}

impl hyper::body::Body for Reading {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn silence_begins_when_the_last_answer_was_read() {
        let (activity, begin) = (Activity::default(), Instant::now());
        let first = activity.begin();
        let answer = activity.begin().until_read(Response::new(Body::from("x")));
        let requests = async {
            tokio::time::sleep(LIMIT * 3).await;
            drop(first);
            tokio::time::sleep(LIMIT * 3).await;
            drop(answer);
            tokio::time::sleep(LIMIT / 2).await;
            drop(activity.begin());
        };
        tokio::join!(activity.silence(LIMIT), requests);
        assert_eq!(begin.elapsed(), LIMIT * 15 / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_never_asks_is_silent_from_its_beginning() {
        let begin = Instant::now();
        Activity::default().silence(LIMIT).await;
        assert_eq!(begin.elapsed(), LIMIT);
    }
}
