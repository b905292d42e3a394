//! How much of a message's body is still to come.

use super::{Malformed, chunked::Chunked};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// This many bytes; none is `Length(0)`.
    Length(u64),
    Chunked(Chunked),
    /// Everything until the sender closes; responses only.
    UntilClose,
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
