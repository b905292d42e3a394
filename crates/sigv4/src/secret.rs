//! What a server knows about an access key, kept out of logs.

use std::fmt;

use subtle::ConstantTimeEq;

/// A text that nobody gets to see: it has no `Display`, and its `Debug` hides it.
#[derive(Clone)]
pub struct Secret(String);

/// What belongs to an access key id.
#[derive(Debug, Clone)]
pub struct Credential {
    pub secret_access_key: Secret,
    /// Where there is one, each request must bring it along; where there is none, none may.
    pub session_token: Option<Secret>,
}

impl Secret {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Takes as long whichever byte differs.
    pub(crate) fn equals(&self, other: &str) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}
