//! What has come of a request's body, kept for another try, up to a bound.
//!
//! Small pieces are joined: each would cost many times its length otherwise, and hold on to all that was
//! read together with it, so that the bound would say little of the memory that a client can take.

use bytes::{Bytes, BytesMut};

use super::frame::{Frame, Tap};

/// Envoy's bound for requests that may be tried again.
const MAX_BYTES: usize = 64 * 1024;
/// Pieces below this are joined, to no more than `JOINED`.
const SMALL: usize = 4 * 1024;
const JOINED: usize = 16 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Replay {
    pieces: Vec<Piece>,
    bytes: usize,
    /// The next of `pieces` that this try has to send.
    next: usize,
    is_lost: bool,
}

#[derive(Debug)]
enum Piece {
    /// Of small ones.
    Joined(BytesMut),
    Whole(Frame),
}

impl Replay {
    /// Whether all that came is still here.
    pub(crate) fn is_complete(&self) -> bool {
        !self.is_lost
    }

    /// Begins with what came of an HTTP/1.1 body with its head.
    pub(super) fn begin(&mut self, data: Bytes) {
        self.bytes = data.len();
        if !data.is_empty() {
            self.pieces.push(Piece::Whole(Frame::Data(data)));
        }
    }

    /// Begins another try.
    pub(super) fn restart(&mut self) {
        self.next = 0;
    }

    /// There will be no other try.
    pub(super) fn forget(&mut self) {
        self.is_lost = true;
        if !self.has_stored() {
            self.pieces = Vec::new();
            self.next = 0;
        }
    }

    /// Keeps a piece; false if that would be too much.
    fn keep(&mut self, frame: &Frame) -> bool {
        let length = match frame {
            Frame::Data(data) => data.len(),
            Frame::Trailers(_) => 0,
        };
        if self.is_lost || self.bytes + length > MAX_BYTES {
            self.forget();
            return false;
        }
        self.bytes += length;
        match (frame, self.pieces.last_mut()) {
            (Frame::Data(data), Some(Piece::Joined(joined)))
                if length < SMALL && joined.len() + length <= JOINED =>
            {
                joined.extend_from_slice(data);
            }
            (Frame::Data(data), _) if length < SMALL => {
                self.pieces.push(Piece::Joined(BytesMut::from(&data[..])));
            }
            _ => self.pieces.push(Piece::Whole(frame.clone())),
        }
        true
    }
}

impl Piece {
    /// To be sent: nothing is joined to it from here on.
    fn sealed(&mut self) -> Frame {
        match self {
            Self::Whole(frame) => frame.clone(),
            Self::Joined(joined) => {
                let data = Frame::Data(std::mem::take(joined).freeze());
                *self = Self::Whole(data.clone());
                data
            }
        }
    }
}

impl Tap for Replay {
    fn stored(&mut self) -> Option<Frame> {
        let frame = self.pieces.get_mut(self.next)?.sealed();
        self.next += 1;
        Some(frame)
    }

    fn has_stored(&self) -> bool {
        self.next < self.pieces.len()
    }

    /// Comes after all that is stored has been sent, so that what is joined here is nothing that this try
    /// has yet to send.
    fn pass(&mut self, frame: &Frame) -> bool {
        debug_assert!(!self.has_stored(), "{self:?}");
        let is_kept = self.keep(frame);
        if is_kept {
            // This try has it in hand.
            self.next = self.pieces.len();
        }
        is_kept
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn data(bytes: &[u8]) -> Frame {
        Frame::Data(Bytes::copy_from_slice(bytes))
    }

    /// What another try sends, and whether trailers end it.
    fn sent_again(replay: &mut Replay) -> (Vec<u8>, bool) {
        replay.restart();
        let mut body = Vec::new();
        while let Some(frame) = replay.stored() {
            match frame {
                Frame::Data(data) => body.extend_from_slice(&data),
                Frame::Trailers(_) => return (body, !replay.has_stored()),
            }
        }
        (body, false)
    }

    fn allocated(replay: &Replay) -> usize {
        let pieces = replay.pieces.iter().map(|piece| match piece {
            Piece::Joined(joined) => joined.capacity(),
            Piece::Whole(Frame::Data(data)) => data.len(),
            Piece::Whole(Frame::Trailers(_)) => 0,
        });
        pieces.sum::<usize>() + replay.pieces.capacity() * size_of::<Piece>()
    }

    #[test]
    fn pieces_of_one_byte_cost_little_more_than_their_length() {
        let mut replay = Replay::default();
        let body: Vec<u8> = (0..MAX_BYTES).map(|at| at as u8).collect();
        for byte in body.chunks(1) {
            assert!(replay.pass(&data(byte)));
            assert!(!replay.has_stored(), "this try has it in hand");
        }
        assert!(
            allocated(&replay) <= 2 * MAX_BYTES,
            "{}",
            allocated(&replay)
        );
        assert_eq!(sent_again(&mut replay), (body, false));
        assert!(!replay.pass(&data(b"x")), "that is too much");
        assert!(!replay.is_complete());
    }

    /// A small piece must not keep all that was read with it.
    #[test]
    fn a_small_piece_of_a_large_read_is_a_copy() {
        let read = Bytes::from(vec![7; 1 << 20]);
        let mut replay = Replay::default();
        assert!(replay.pass(&Frame::Data(read.slice(..10))));
        assert!(read.is_unique(), "nobody else holds it");
    }

    #[test]
    fn each_try_sends_all_that_came_before_and_in_it() {
        let mut replay = Replay::default();
        replay.begin(Bytes::from_static(b"with the head, "));
        assert_eq!(sent_again(&mut replay).0, b"with the head, ");
        assert!(replay.pass(&data(b"first, ")));
        assert!(replay.pass(&data(b"second, ")));
        assert_eq!(sent_again(&mut replay).0, b"with the head, first, second, ");
        let large = vec![b'x'; SMALL];
        assert!(replay.pass(&data(b"third, ")));
        assert!(replay.pass(&data(&large)));
        assert!(replay.pass(&data(b"last")));
        assert!(replay.pass(&Frame::Trailers(HeaderMap::new())));
        let (body, has_trailers) = sent_again(&mut replay);
        let small = b"with the head, first, second, third, ";
        assert_eq!(body, [&small[..], &large, b"last"].concat());
        assert!(has_trailers);
    }
}
