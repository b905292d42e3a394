//! What has come of a request's body, kept for another try, up to a bound.

use bytes::Bytes;

use super::frame::{Frame, Tap};

/// Envoy's bound for requests that may be tried again.
const MAX_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Replay {
    frames: Vec<Frame>,
    bytes: usize,
    /// The next of `frames` that this try has to send.
    next: usize,
    is_lost: bool,
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
            self.frames.push(Frame::Data(data));
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
            self.frames = Vec::new();
            self.next = 0;
        }
    }

    /// Keeps a piece; false if that would be too much.
    pub(super) fn keep(&mut self, frame: &Frame) -> bool {
        let length = match frame {
            Frame::Data(data) => data.len(),
            Frame::Trailers(_) => 0,
        };
        if self.is_lost || self.bytes + length > MAX_BYTES {
            self.forget();
            return false;
        }
        self.bytes += length;
        self.frames.push(frame.clone());
        true
    }
}

impl Tap for Replay {
    fn stored(&mut self) -> Option<Frame> {
        let frame = self.frames.get(self.next).cloned();
        self.next += usize::from(frame.is_some());
        frame
    }

    fn has_stored(&self) -> bool {
        self.next < self.frames.len()
    }

    fn pass(&mut self, frame: &Frame) -> bool {
        let is_kept = self.keep(frame);
        if is_kept {
            // This try has it in hand.
            self.next = self.frames.len();
        }
        is_kept
    }
}
