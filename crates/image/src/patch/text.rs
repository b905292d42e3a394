//! A patch file as lines, which keep their line ends.

/// The lines of a text; the first has the index 0.
pub(super) struct Text<'a> {
    bytes: &'a [u8],
    starts: Vec<usize>,
}

impl<'a> Text<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let after_line_ends = bytes
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(at, _)| at + 1);
        let starts = std::iter::once(0)
            .chain(after_line_ends)
            .filter(|start| *start < bytes.len())
            .collect();
        Self { bytes, starts }
    }

    /// How many lines there are.
    pub(super) fn count(&self) -> usize {
        self.starts.len()
    }

    /// The line at `index` with its line end, which only the last line may lack; empty behind the
    /// last.
    pub(super) fn line(&self, index: usize) -> &'a [u8] {
        let end = self
            .starts
            .get(index + 1)
            .copied()
            .unwrap_or(self.bytes.len());
        self.starts
            .get(index)
            .and_then(|start| self.bytes.get(*start..end))
            .unwrap_or_default()
    }

    /// All from the line at `index` on.
    pub(super) fn from(&self, index: usize) -> &'a [u8] {
        self.starts
            .get(index)
            .and_then(|start| self.bytes.get(*start..))
            .unwrap_or_default()
    }
}

/// The lines of a file, with their line ends.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

/// Whether git takes the byte for white space.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// The number that `text` begins with, and what follows it. A number too large is the largest.
pub(super) fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(digits).filter(|_| digits > 0)?;
    let value = number.iter().fold(0_u64, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    });
    Some((value, rest))
}
