//! The chunked transfer coding (RFC 9112 section 7.1) as a byte-at-a-time state machine.
//!
//! Framing is validated but passed on as it came, but for trailers; `decode` also hands out the data
//! alone, for clients that do not know the coding. Sizes, extensions and trailers are bounded, and every line
//! ends in CR LF, so that the next hop cannot find the end anywhere else.

use super::Malformed;

/// Sixteen hexadecimal digits are a `u64`.
const MAX_SIZE_DIGITS: u8 = 16;
/// Extensions are unused in practice; all of a body's together may have this many bytes.
const MAX_EXTENSION_BYTES: u32 = 4096;
const MAX_TRAILER_BYTES: u32 = 8192;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunked {
    state: State,
    extension_bytes: u32,
    trailer_bytes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { size: u64, digits: u8 },
    Extension { size: u64 },
    SizeLineFeed { size: u64 },
    Data { left: u64 },
    DataReturn,
    DataLineFeed,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    LastLineFeed,
    Done,
}

const NEXT_SIZE: State = State::Size { size: 0, digits: 0 };

impl State {
    fn is_trailer(self) -> bool {
        matches!(
            self,
            Self::TrailerStart | Self::TrailerName | Self::TrailerValue | Self::TrailerLineFeed
        )
    }
}

impl Chunked {
    pub(crate) fn new() -> Self {
        Self {
            state: NEXT_SIZE,
            extension_bytes: 0,
            trailer_bytes: 0,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Reads as much of `bytes` as belongs to the body, gives its data to `data` piece by piece, and
    /// returns how many bytes that was.
    pub(crate) fn decode<'b>(
        &mut self,
        bytes: &'b [u8],
        data: impl FnMut(&'b [u8]),
    ) -> Result<usize, Malformed> {
        self.decode_with_trailers(bytes, data, |_| {})
    }

    /// As `decode`, and tells `trailer` where each byte of the trailer section is, but for its last line,
    /// which is empty.
    pub(crate) fn decode_with_trailers<'b>(
        &mut self,
        bytes: &'b [u8],
        mut data: impl FnMut(&'b [u8]),
        mut trailer: impl FnMut(usize),
    ) -> Result<usize, Malformed> {
        let mut at = 0;
        while at < bytes.len() {
            if let State::Data { left } = self.state {
                let here = usize::try_from(left)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len() - at);
                data(&bytes[at..at + here]);
                at += here;
                self.state = match left - here as u64 {
                    0 => State::DataReturn,
                    left => State::Data { left },
                };
                continue;
            }
            if self.is_done() {
                break;
            }
            let before = self.state;
            self.state = self.after(before, bytes[at])?;
            if before.is_trailer() && self.state != State::LastLineFeed {
                trailer(at);
            }
            at += 1;
        }
        Ok(at)
    }

    fn after(&mut self, state: State, byte: u8) -> Result<State, Malformed> {
        Ok(match (state, byte) {
            (State::Size { size, digits }, byte) if byte.is_ascii_hexdigit() => {
                if digits == MAX_SIZE_DIGITS {
                    return Err(Malformed::ChunkSize);
                }
                State::Size {
                    size: size << 4 | u64::from(hex_value(byte)),
                    digits: digits + 1,
                }
            }
            (State::Size { digits: 0, .. }, _) => return Err(Malformed::ChunkSize),
            (State::Size { size, .. }, b'\r') => State::SizeLineFeed { size },
            (State::Size { size, .. }, b';') => State::Extension { size },
            (State::Size { .. }, _) => return Err(Malformed::ChunkSize),

            (State::Extension { size }, b'\r') => State::SizeLineFeed { size },
            (State::Extension { size }, byte) => {
                self.extension_bytes += 1;
                if !is_text(byte) || self.extension_bytes > MAX_EXTENSION_BYTES {
                    return Err(Malformed::ChunkExtension);
                }
                State::Extension { size }
            }
            (State::SizeLineFeed { size: 0 }, b'\n') => State::TrailerStart,
            (State::SizeLineFeed { size }, b'\n') => State::Data { left: size },
            (State::SizeLineFeed { .. }, _) => return Err(Malformed::ChunkSize),

            (State::DataReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => NEXT_SIZE,
            (State::DataReturn | State::DataLineFeed, _) => return Err(Malformed::ChunkEnd),

            (State::TrailerStart, b'\r') => State::LastLineFeed,
            (State::TrailerStart | State::TrailerName, byte) if is_token(byte) => {
                self.count_trailer_byte()?;
                State::TrailerName
            }
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerValue, b'\r') => State::TrailerLineFeed,
            (State::TrailerValue, byte) if is_text(byte) => {
                self.count_trailer_byte()?;
                State::TrailerValue
            }
            (State::TrailerLineFeed, b'\n') => State::TrailerStart,
            (State::LastLineFeed, b'\n') => State::Done,
            (
                State::TrailerStart
                | State::TrailerName
                | State::TrailerValue
                | State::TrailerLineFeed
                | State::LastLineFeed,
                _,
            ) => return Err(Malformed::Trailers),

            (state @ (State::Data { .. } | State::Done), _) => state,
        })
    }

    fn count_trailer_byte(&mut self) -> Result<(), Malformed> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > MAX_TRAILER_BYTES {
            return Err(Malformed::Trailers);
        }
        Ok(())
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// What may stand in a header's value or a chunk's extension.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::{chunked_body, decode};
    use proptest::prelude::*;

    fn read(body: &[u8]) -> Result<(Vec<u8>, usize, bool), Malformed> {
        decode(std::iter::once(body))
    }

    #[test]
    fn reads_data_extensions_and_trailers_and_stops_at_the_end() {
        let body = b"4;a=\"b c\"\r\nWiki\r\n0A\r\n0123456789\r\n0;last\r\nA: b\r\nC:\r\n\r\n";
        let mut bytes = body.to_vec();
        bytes.extend_from_slice(b"GET /next");
        assert_eq!(
            read(&bytes),
            Ok((b"Wiki0123456789".to_vec(), body.len(), true))
        );
    }

    #[test]
    fn refuses_what_another_reader_could_read_differently() {
        for (body, why) in [
            ("\r\n", Malformed::ChunkSize),
            ("g\r\n", Malformed::ChunkSize),
            ("0x1\r\n", Malformed::ChunkSize),
            ("-1\r\n", Malformed::ChunkSize),
            ("+1\r\n", Malformed::ChunkSize),
            (" 1\r\n", Malformed::ChunkSize),
            ("1 \r\n", Malformed::ChunkSize),
            ("1_0\r\n", Malformed::ChunkSize),
            ("1\nA\r\n", Malformed::ChunkSize),
            ("1\rA\r\n", Malformed::ChunkSize),
            ("00000000000000001\r\n", Malformed::ChunkSize),
            ("1;\nA\r\n", Malformed::ChunkExtension),
            ("1;\0\r\nA\r\n", Malformed::ChunkExtension),
            ("1\r\nAB\r\n", Malformed::ChunkEnd),
            ("1\r\nA\n0\r\n", Malformed::ChunkEnd),
            ("1\r\nA\r0\r\n", Malformed::ChunkEnd),
            ("0\r\nA b: c\r\n\r\n", Malformed::Trailers),
            ("0\r\n: c\r\n\r\n", Malformed::Trailers),
            ("0\r\n A: c\r\n\r\n", Malformed::Trailers),
            ("0\r\nA: c\n\r\n", Malformed::Trailers),
            ("0\r\nA: \0\r\n\r\n", Malformed::Trailers),
            ("0\r\nA\r\n\r\n", Malformed::Trailers),
            ("0\r\n\n", Malformed::Trailers),
        ] {
            assert_eq!(read(body.as_bytes()), Err(why), "{body:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_are_bounded() {
        let extensions = "1;aaaaaaaaaaaaaaa\r\nA\r\n".repeat(300);
        assert_eq!(read(extensions.as_bytes()), Err(Malformed::ChunkExtension));
        let trailers = format!("0\r\n{}\r\n", "A: b\r\n".repeat(5000));
        assert_eq!(read(trailers.as_bytes()), Err(Malformed::Trailers));
    }

    proptest! {
        #[test]
        fn where_reads_are_cut_changes_nothing(
            body in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..60),
                "([0-3];?x?\r\n[ab]{0,3}\r\n){0,3}(0\r\n)?((A|Host|te): b\r\n){0,3}(\r\n)?.{0,4}"
                    .prop_map(String::into_bytes),
            ]
        ) {
            chunked_body(&[&[1], body.as_slice()].concat());
        }

        #[test]
        fn what_was_encoded_is_decoded(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..8)
        ) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend_from_slice(format!("{:X}\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            prop_assert_eq!(read(&body), Ok((chunks.concat(), body.len(), true)));
        }
    }
}
