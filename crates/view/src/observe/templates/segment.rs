//! Segments of a path, and which of them are identifiers. On the way of every request: no call, no allocation.

/// No longer name is kept.
pub(super) const LONGEST_NAME: usize = 80;

const DIGIT: u8 = 1;
const HEX: u8 = 2;
const ALPHANUMERIC: u8 = 4;
/// Found in no name.
const FOREIGN: u8 = 8;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        if character.is_ascii_digit() {
            classes[byte] |= DIGIT;
        }
        if character.is_ascii_hexdigit() || character == b'-' {
            classes[byte] |= HEX;
        }
        if character.is_ascii_alphanumeric() {
            classes[byte] |= ALPHANUMERIC;
        }
        if matches!(character, b'%' | b'@' | b'{') {
            classes[byte] |= FOREIGN;
        }
        byte += 1;
    }
    classes
};

/// Numbers, dates, UUIDs, digests, tokens, addresses; `v2`, `oauth2` and `us-east-1` are names.
#[inline]
pub(super) fn is_identifier(segment: &[u8]) -> bool {
    const MANY: usize = 5;
    let (mut digits, mut of_all) = (0, HEX | ALPHANUMERIC);
    for byte in segment {
        let class = CLASSES[usize::from(*byte)];
        digits += usize::from(class & DIGIT);
        of_all &= class;
        if digits >= MANY || class & FOREIGN != 0 {
            return true;
        }
    }
    let length = segment.len();
    digits == length
        || (digits >= 2 && length >= 6 && of_all & HEX != 0)
        || (digits >= 1 && length >= 20 && of_all & ALPHANUMERIC != 0)
        || length > LONGEST_NAME
}

/// What stands between two slashes, and its first eight bytes, in which most names differ.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) head: u64,
}

impl Segment<'_> {
    /// Whether this is its name, which begins as it does.
    #[inline]
    pub(super) fn is(self, name: &[u8]) -> bool {
        let length = self.bytes.len();
        name.len() == length && (length <= WORD || name[WORD..] == self.bytes[WORD..])
    }
}

/// The segments of a path that are not empty.
pub(super) struct Segments<'a> {
    path: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    #[inline]
    pub(super) fn of(path: &'a str) -> Self {
        Self {
            path: path.as_bytes(),
            at: 0,
        }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    #[inline]
    fn next(&mut self) -> Option<Segment<'a>> {
        while self.path.get(self.at) == Some(&b'/') {
            self.at += 1;
        }
        let start = self.at;
        if start >= self.path.len() {
            return None;
        }
        let first = word(self.path, start);
        let mut found = first_slash(first);
        let head = found.map_or(first, |length| first & !(u64::MAX << (8 * length)));
        let mut end = start;
        while found.is_none() && end + WORD < self.path.len() {
            end += WORD;
            found = first_slash(word(self.path, end));
        }
        self.at = found.map_or(self.path.len(), |slash| end + slash);
        let bytes = &self.path[start..self.at];
        Some(Segment { bytes, head })
    }
}

const WORD: usize = 8;

/// Eight bytes, those behind the end being zero.
#[inline]
fn word(bytes: &[u8], at: usize) -> u64 {
    let rest = &bytes[at..];
    match (rest.first_chunk(), bytes.last_chunk()) {
        (Some(word), _) => u64::from_le_bytes(*word),
        (None, Some(last)) => u64::from_le_bytes(*last) >> (8 * (WORD - rest.len())),
        (None, None) => {
            let bytes = rest.iter().rev();
            bytes.fold(0, |word, &byte| word << 8 | u64::from(byte))
        }
    }
}

/// Where the first slash is among eight bytes. Of the bytes that equal one, the lowest is found for sure: it is
/// the first to borrow from its highest bit.
#[inline]
fn first_slash(word: u64) -> Option<usize> {
    const LOWS: u64 = u64::from_ne_bytes([0x01; WORD]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; WORD]);
    const SLASHES: u64 = u64::from_ne_bytes([b'/'; WORD]);
    let differs = word ^ SLASHES;
    let slashes = differs.wrapping_sub(LOWS) & !differs & HIGHS;
    (slashes != 0).then_some(slashes.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn identifiers_are_told_from_names() {
        for identifier in [
            "7",
            "00017",
            "2026-11-23",
            "550e8400-e29b-41d4-a716-446655440000",
            "9f86d081",
            "order-88172",
            "01HV8Z3K9XQJ4W2M7R5T6Y1N0P",
            "kQhTqUgVxWsLmNbPfRd3",
            "ann@example.org",
            "caf%C3%A9",
            "{}",
        ] {
            assert!(is_identifier(identifier.as_bytes()), "{identifier}");
        }
        for name in [
            "orders",
            "v2",
            "oauth2",
            "us-east-1",
            "sha256",
            "index.html",
            "google.cloud.bigquery.storage.v1.BigQueryRead",
            "decade",
            "ListOrders",
        ] {
            assert!(!is_identifier(name.as_bytes()), "{name}");
        }
    }

    proptest! {
        #[test]
        fn segments_are_what_stands_between_slashes(path in "[/a-z0\u{af}\u{b0}]{0,60}") {
            let expected: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
            let found: Vec<_> = Segments::of(&path).map(|segment| str::from_utf8(segment.bytes).unwrap()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
