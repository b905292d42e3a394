//! An HTTP/2 side of a translation: one stream's two directions, each with its flow control.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{RecvStream, SendStream};
use http::HeaderMap;

use super::frame::{Broken, Duplex, Frame};
use crate::http1::may_be_a_trailer;

#[derive(Debug)]
pub(crate) struct Http2 {
    /// `None` while the other side has not begun its message.
    pub(super) incoming: Option<RecvStream>,
    /// `None` before this side's head has gone out.
    pub(super) outgoing: Option<SendStream<Bytes>>,
    /// All data has come; there may be trailers.
    data_has_ended: bool,
}

impl Http2 {
    pub(crate) fn new(incoming: Option<RecvStream>, outgoing: Option<SendStream<Bytes>>) -> Self {
        Self {
            incoming,
            outgoing,
            data_has_ended: false,
        }
    }

    /// This side's message, once its head has gone out.
    pub(crate) fn outgoing(&mut self) -> Option<&mut SendStream<Bytes>> {
        self.outgoing.as_mut()
    }

    fn begun(&mut self) -> Result<&mut SendStream<Bytes>, Broken> {
        self.outgoing.as_mut().ok_or(Broken::Gone)
    }
}

impl Duplex for Http2 {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, Broken>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(Err(Broken::Gone));
        };
        while !self.data_has_ended {
            match ready!(incoming.poll_data(cx)) {
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => return Poll::Ready(Ok(Some(Frame::Data(data)))),
                Some(Err(error)) => return Poll::Ready(Err(error.into())),
                None => self.data_has_ended = true,
            }
        }
        let trailers = ready!(incoming.poll_trailers(cx))?;
        Poll::Ready(Ok(trailers.map(Frame::Trailers)))
    }

    fn release(&mut self, bytes: usize) {
        if let Some(incoming) = &mut self.incoming {
            // Fails only where more is given back than was taken.
            let released = incoming.flow_control().release_capacity(bytes);
            debug_assert!(released.is_ok(), "{released:?}");
        }
    }

    fn is_ended(&self) -> bool {
        self.incoming.as_ref().is_none_or(RecvStream::is_end_stream)
    }

    /// Capacity is asked for only when there is something to send: what one stream holds of the
    /// connection's window, the others lack.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<Result<usize, Broken>> {
        let outgoing = self.begun()?;
        if wanted == 0 {
            return Poll::Ready(Ok(0));
        }
        outgoing.reserve_capacity(wanted);
        loop {
            match outgoing.capacity() {
                0 => {}
                room => return Poll::Ready(Ok(room.min(wanted))),
            }
            match ready!(outgoing.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(error.into())),
                None => return Poll::Ready(Err(Broken::Gone)),
            }
        }
    }

    fn send_data(&mut self, data: Bytes, is_last: bool) -> Result<(), Broken> {
        Ok(self.begun()?.send_data(data, is_last)?)
    }

    fn send_trailers(&mut self, mut trailers: HeaderMap) -> Result<(), Broken> {
        let misplaced: Vec<_> = trailers
            .keys()
            .filter(|name| !may_be_a_trailer(name.as_str().as_bytes()))
            .cloned()
            .collect();
        for name in misplaced {
            trailers.remove(name);
        }
        if trailers.is_empty() {
            return self.end();
        }
        Ok(self.begun()?.send_trailers(trailers)?)
    }

    fn end(&mut self) -> Result<(), Broken> {
        self.send_data(Bytes::new(), true)
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }
}
