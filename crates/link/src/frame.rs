//! gRPC's framing: each message after one byte (not compressed) and its length in four.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

const PREFIX: usize = 5;

/// A view of tens of thousands of routes fits; what is larger is a mistake or an attack.
const LONGEST: usize = 32 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a message of {0} bytes is longer than the {LONGEST} allowed")]
    TooLong(usize),
    #[error("a message is compressed, which was not agreed")]
    Compressed,
    #[error("a message is not one that this version knows")]
    Unknown(#[source] serde_json::Error),
}

/// One message as it goes over the wire.
pub fn encode<T: Serialize>(message: &T) -> Result<Bytes, FrameError> {
    let text = serde_json::to_vec(message).map_err(FrameError::Unknown)?;
    if text.len() > LONGEST {
        return Err(FrameError::TooLong(text.len()));
    }
    let mut frame = BytesMut::with_capacity(PREFIX + text.len());
    frame.put_u8(0);
    frame.put_u32(text.len() as u32);
    frame.put_slice(&text);
    Ok(frame.freeze())
}

/// Messages out of bytes, however these were cut.
#[derive(Debug, Default)]
pub struct Decoder {
    received: BytesMut,
}

impl Decoder {
    pub fn push(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// The next whole message, if it is there.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let Some((&[compressed, a, b, c, d], _)) = self.received.split_first_chunk::<PREFIX>()
        else {
            return Ok(None);
        };
        if compressed != 0 {
            return Err(FrameError::Compressed);
        }
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > LONGEST {
            return Err(FrameError::TooLong(length));
        }
        if self.received.len() < PREFIX + length {
            return Ok(None);
        }
        self.received.advance(PREFIX);
        let text = self.received.split_to(length);
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(FrameError::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_arrive_however_they_are_cut(
            texts in proptest::collection::vec(".{0,40}", 0..8),
            cut in 1usize..16,
        ) {
            let wire: Vec<u8> = texts.iter().flat_map(|text| encode(text).unwrap()).collect();
            let mut decoder = Decoder::default();
            let mut heard: Vec<String> = Vec::new();
            for piece in wire.chunks(cut) {
                decoder.push(piece);
                while let Some(text) = decoder.take().unwrap() {
                    heard.push(text);
                }
            }
            prop_assert_eq!(heard, texts);
        }

        #[test]
        fn bytes_from_outside_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.take::<serde_json::Value>() {}
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_before_it_comes() {
        let mut decoder = Decoder::default();
        decoder.push(&[0, 255, 255, 255, 255]);
        assert!(matches!(
            decoder.take::<String>(),
            Err(FrameError::TooLong(_))
        ));
    }
}
