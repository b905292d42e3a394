//! SHA-256 digests, written `sha256:<hex>` as container registries write them.
//!
//! A [`Hasher`] takes *fields*, each preceded by its length, so that no two different sequences of
//! fields have the same bytes.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const PREFIX: &str = "sha256:";

/// The digest of some content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// The text is not a digest.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{given:?} is not a digest: write `sha256:` and 64 hexadecimal digits in lower case")]
pub struct DigestError {
    given: String,
}

impl Digest {
    /// The 64 hexadecimal digits alone, for use as a file name.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The digest that has these digits.
    pub(crate) fn of_hex(hex: &str) -> Option<Self> {
        bytes_of_hex(hex).map(Self)
    }

    /// The digest of some bytes.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of everything `reader` gives, in constant memory.
    pub(crate) fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let mut hasher = Sha256::new();
        let mut chunk = vec![0; 64 * 1024];
        loop {
            match reader.read(&mut chunk)? {
                0 => return Ok(Self(hasher.finalize().into())),
                count => hasher.update(chunk.get(..count).unwrap_or_default()),
            }
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{PREFIX}{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.strip_prefix(PREFIX)
            .and_then(Self::of_hex)
            .ok_or_else(|| DigestError {
                given: text.chars().take(100).collect(),
            })
    }
}

fn bytes_of_hex(hex: &str) -> Option<[u8; 32]> {
    let canonical = hex
        .bytes()
        .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    if hex.len() != 64 || !canonical {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Builds a digest out of fields.
pub(crate) struct Hasher(Sha256);

impl Hasher {
    /// Starts a digest; `purpose` keeps digests of different things apart.
    pub(crate) fn new(purpose: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.field(purpose.as_bytes());
        hasher
    }

    /// Adds one field.
    pub(crate) fn field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// The digest of everything added.
    pub(crate) fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_digest_reads_back() {
        let abc = Digest::of_reader(&b"abc"[..]).unwrap();
        assert_eq!(
            abc.hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(Digest::of_bytes(b"abc"), abc);
        assert_eq!(abc.to_string().parse::<Digest>(), Ok(abc));
        assert!(abc.to_string().to_uppercase().parse::<Digest>().is_err());
        assert!(
            abc.hex().parse::<Digest>().is_err(),
            "the prefix is part of a digest"
        );
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let digest = |fields: &[&[u8]]| {
            let mut hasher = Hasher::new("test");
            fields.iter().for_each(|field| hasher.field(field));
            hasher.finish()
        };
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
        assert_ne!(digest(&[b""]), digest(&[]));
    }
}
