//! How much of a message's body is still to come.

use super::{Malformed, Trailers, chunked::Chunked};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// This many bytes; none is `Length(0)`.
    Length(u64),
    Chunked(Chunked),
    /// Everything until the sender closes; responses only.
    UntilClose,
}

/// What of some bytes belongs to a body that goes on in the framing that it came in.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) used: usize,
    /// So many of the used bytes go on as they are ...
    pub(crate) as_is: usize,
    /// ... and this in place of the others: its trailers, once they have come whole.
    pub(crate) trailers: Vec<u8>,
}

impl Body {
    pub(crate) const EMPTY: Self = Self::Length(0);

    pub(crate) fn chunked() -> Self {
        Self::Chunked(Chunked::new())
    }

    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_done(),
            Self::UntilClose => false,
        }
    }

    /// Counts off what of `bytes` belongs to the body and returns how many bytes that is.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        self.decode(bytes, |_| {})
    }

    /// As `advance`; counts what is in the body, its framing left out, for who asks.
    pub(crate) fn advance_counting(
        &mut self,
        bytes: &[u8],
        count: Option<&mut u64>,
    ) -> Result<usize, Malformed> {
        match count {
            None => self.advance(bytes),
            Some(count) => self.decode(bytes, |piece| *count += piece.len() as u64),
        }
    }

    /// As `advance_counting`, for who sends the body on: without the trailers that may not be there, which
    /// are gathered in `trailers` until all have come.
    pub(crate) fn pass(
        &mut self,
        bytes: &[u8],
        count: Option<&mut u64>,
        trailers: &mut Trailers,
    ) -> Result<Passed, Malformed> {
        let Self::Chunked(chunked) = self else {
            let used = self.advance_counting(bytes, count)?;
            return Ok(Passed {
                used,
                as_is: used,
                trailers: Vec::new(),
            });
        };
        let mut nobody_counts = 0;
        let count = count.unwrap_or(&mut nobody_counts);
        let mut section_at = (!trailers.is_empty()).then_some(0);
        let used = chunked.decode_with_trailers(
            bytes,
            |piece| *count += piece.len() as u64,
            |at| {
                section_at.get_or_insert(at);
                trailers.push(bytes[at]);
            },
        )?;
        let is_due = chunked.is_done() && section_at.is_some();
        Ok(Passed {
            used,
            as_is: section_at.unwrap_or(used),
            trailers: if is_due {
                trailers.finish()
            } else {
                Vec::new()
            },
        })
    }

    /// As `advance`, and gives `data` the content without its framing.
    pub(crate) fn decode<'b>(
        &mut self,
        bytes: &'b [u8],
        mut data: impl FnMut(&'b [u8]),
    ) -> Result<usize, Malformed> {
        match self {
            Self::Length(left) => {
                let here = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                *left -= here as u64;
                data(&bytes[..here]);
                Ok(here)
            }
            Self::Chunked(chunked) => chunked.decode(bytes, data),
            Self::UntilClose => {
                data(bytes);
                Ok(bytes.len())
            }
        }
    }
}
