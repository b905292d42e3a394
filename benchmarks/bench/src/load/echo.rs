//! Raw TCP: a message goes out, and as many bytes of the upstream's letter come back.

use super::client::Answer;

/// Counts a connection's echoes.
pub(super) struct Echoes {
    length: usize,
    left: usize,
}

impl Echoes {
    pub(super) fn new(length: usize) -> Self {
        Self {
            length,
            left: length,
        }
    }

    pub(super) fn take(&mut self, mut bytes: &[u8], answers: &mut Vec<Answer>) {
        while !bytes.is_empty() {
            let here = self.left.min(bytes.len());
            self.left -= here;
            if self.left == 0 {
                answers.push(Answer {
                    stream: 0,
                    status: 200,
                    letter: bytes.get(here - 1).copied(),
                    length: self.length,
                });
                self.left = self.length;
            }
            bytes = &bytes[here..];
        }
    }
}
