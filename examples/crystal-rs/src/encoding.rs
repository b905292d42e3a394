//! Texts in a form the client accepts: gzip, else deflate, else as they are.
//!
//! Both forms are correct but save nothing: they hold the text in *stored*
//! blocks (RFC 1951, 3.2.4), which need no compressor.

/// The name of the form, if it has one, and the text in it.
pub fn encode(text: Vec<u8>, accept_encoding: &str) -> (Option<&'static str>, Vec<u8>) {
    // Looks for the word alone, as Crystal's handler does: a `q=0` is not heeded.
    let accepts = |name: &str| {
        accept_encoding
            .split(|character: char| !character.is_ascii_alphanumeric())
            .any(|word| word.eq_ignore_ascii_case(name))
    };
    if accepts("gzip") {
        (Some("gzip"), gzip(&text))
    } else if accepts("deflate") {
        (Some("deflate"), zlib(&text))
    } else {
        (None, text)
    }
}

/// RFC 1952. No name, no time, unknown file system.
fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoded = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    store(text, &mut encoded);
    encoded.extend(crc32(text).to_le_bytes());
    encoded.extend((text.len() as u32).to_le_bytes());
    encoded
}

/// RFC 1950, which is what HTTP calls deflate.
fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoded = vec![0x78, 0x01];
    store(text, &mut encoded);
    encoded.extend(adler32(text).to_be_bytes());
    encoded
}

fn store(text: &[u8], encoded: &mut Vec<u8>) {
    let mut blocks = text.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = block.len() as u16;
        let is_last = blocks.peek().is_none();
        encoded.push(u8::from(is_last));
        encoded.extend(length.to_le_bytes());
        encoded.extend((!length).to_le_bytes());
        encoded.extend(block);
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    })
}

fn adler32(bytes: &[u8]) -> u32 {
    let (low, high) = bytes.iter().fold((1, 0), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65_521;
        (low, (high + low) % 65_521)
    });
    high << 16 | low
}
