//! A body on its way between protocols, piece by piece: one frame is in hand at a time.
//!
//! The next piece is taken from one side only when the other has taken the one before, and the sender's
//! flow-control window grows again only then: a side that is slow stops the other, in constant memory.

use std::num::NonZeroU64;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::Reason;
use http::HeaderMap;

use crate::http1::Malformed;
use crate::overload::is_too_long;

#[derive(Clone, Debug)]
pub(crate) enum Frame {
    Data(Bytes),
    /// Always the last.
    Trailers(HeaderMap),
}

/// Why a side can give or take no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Closed or reset in the middle.
    Gone,
    Malformed(Malformed),
    /// An HTTP/2 peer has not begun with the request and says so.
    Refused,
    /// An HTTP/2 peer is leaving and has not begun with the request.
    Unprocessed,
}

impl From<h2::Error> for Broken {
    fn from(error: h2::Error) -> Self {
        match error.reason() {
            Some(Reason::REFUSED_STREAM) if error.is_reset() => Self::Refused,
            _ if error.is_go_away() && error.is_remote() => Self::Unprocessed,
            Some(_) if error.is_library() => Self::Malformed(Malformed::Http2),
            _ => Self::Gone,
        }
    }
}

/// Both directions of one side's body.
pub(crate) trait Duplex {
    /// The next piece; `None` is the end.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, Broken>>;

    /// The other side has taken this many bytes.
    fn release(&mut self, bytes: usize);

    /// Whether it is known already that nothing more will come.
    fn is_ended(&self) -> bool;

    /// How much of `wanted` bytes would be taken now; not 0, unless nothing is wanted.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<Result<usize, Broken>>;

    fn send_data(&mut self, data: Bytes, is_last: bool) -> Result<(), Broken>;

    fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), Broken>;

    /// Where the last piece was not known to be the last.
    fn end(&mut self) -> Result<(), Broken>;

    /// Gets what was sent on its way.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>>;
}

/// Sees what passes through a pump.
pub(crate) trait Tap {
    /// A piece from before, to be sent before anything new.
    fn stored(&mut self) -> Option<Frame> {
        None
    }

    fn has_stored(&self) -> bool {
        false
    }

    /// True if the tap keeps the piece, so that its sender need not be held back for it.
    fn pass(&mut self, frame: &Frame) -> bool;
}

/// Which side ended a transfer early.
#[derive(Debug)]
pub(crate) enum Stopped {
    From(Broken),
    To,
}

/// One direction of a body.
#[derive(Debug, Default)]
pub(crate) struct Pump {
    pending: Option<Pending>,
    pub(crate) moved: bool,
    /// Bytes of data.
    pub(crate) carried: u64,
    /// Of them, as many as may be.
    most: Option<NonZeroU64>,
    is_ended: bool,
}

#[derive(Debug)]
struct Pending {
    frame: Frame,
    /// The sender waits for it to be taken.
    holds_sender: bool,
}

impl Pump {
    /// Gives up where there is more than this.
    pub(crate) fn up_to(most: Option<NonZeroU64>) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// Begins with a piece that came already.
    pub(crate) fn starting_with(frame: Option<Frame>) -> Self {
        let pending = frame.map(|frame| Pending {
            frame,
            holds_sender: true,
        });
        Self {
            pending,
            ..Self::default()
        }
    }

    /// Nothing is to come, and the receiver knows.
    pub(crate) fn ended() -> Self {
        Self {
            is_ended: true,
            ..Self::default()
        }
    }

    /// Whether a piece is in hand that the receiver has not taken.
    pub(crate) fn is_full(&self) -> bool {
        self.pending.is_some()
    }

    /// Ready when all has been taken.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut dyn Duplex,
        to: &mut dyn Duplex,
        tap: &mut dyn Tap,
    ) -> Poll<Result<(), Stopped>> {
        while !self.is_ended {
            if let Some(Pending {
                frame,
                holds_sender,
            }) = &mut self.pending
            {
                match frame {
                    Frame::Data(data) => {
                        let room = ready!(to.poll_room(cx, data.len())).map_err(taker)?;
                        let piece = data.split_to(room.min(data.len()));
                        let (length, is_whole) = (piece.len(), data.is_empty());
                        self.carried += length as u64;
                        if is_too_long(self.carried, self.most) {
                            let too_long = Broken::Malformed(Malformed::BodyTooLong);
                            return Poll::Ready(Err(Stopped::From(too_long)));
                        }
                        let is_last = is_whole && !tap.has_stored() && from.is_ended();
                        to.send_data(piece, is_last).map_err(taker)?;
                        if *holds_sender {
                            from.release(length);
                        }
                        if is_whole {
                            self.pending = None;
                        }
                        self.is_ended = is_last;
                    }
                    Frame::Trailers(trailers) => {
                        let trailers = std::mem::take(trailers);
                        to.send_trailers(trailers).map_err(taker)?;
                        self.pending = None;
                        self.is_ended = true;
                    }
                }
                self.moved = true;
                continue;
            }
            if let Some(frame) = tap.stored() {
                self.pending = Some(Pending {
                    frame,
                    holds_sender: false,
                });
                continue;
            }
            match from.poll_frame(cx) {
                Poll::Pending => {
                    let flushed = to.poll_flush(cx);
                    return match flushed {
                        Poll::Ready(Err(broken)) => Poll::Ready(Err(taker(broken))),
                        _ => Poll::Pending,
                    };
                }
                Poll::Ready(Err(broken)) => return Poll::Ready(Err(Stopped::From(broken))),
                Poll::Ready(Ok(Some(frame))) => {
                    let is_kept = tap.pass(&frame);
                    if let (true, Frame::Data(data)) = (is_kept, &frame) {
                        from.release(data.len());
                    }
                    self.pending = Some(Pending {
                        frame,
                        holds_sender: !is_kept,
                    });
                }
                Poll::Ready(Ok(None)) => {
                    to.end().map_err(taker)?;
                    self.is_ended = true;
                }
            }
        }
        to.poll_flush(cx).map_err(taker)
    }
}

/// What ended the side that takes is told by the side that gives, or by nobody; unless that gave what
/// cannot be taken.
fn taker(broken: Broken) -> Stopped {
    match broken {
        Broken::Malformed(Malformed::BodyMisplaced) => Stopped::From(broken),
        _ => Stopped::To,
    }
}
