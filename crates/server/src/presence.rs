//! `server.json`: how programs of this user reach the server that runs on a state directory.
//!
//! Readable by its owner alone, since the token in it lets a caller run builds as this user.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

#[derive(Clone, Serialize, Deserialize)]
pub struct Presence {
    /// Where commands of this machine reach the release API.
    pub api: String,
    /// Bearer token of every call but health and `openapi.json`.
    pub token: String,
    pub pid: u32,
    /// Where traffic enters the mesh of the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
}

impl std::fmt::Debug for Presence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Presence")
            .field("api", &self.api)
            .field("pid", &self.pid)
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

impl Presence {
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        // Its owner alone can read a temporary file.
        let mut draft = NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
        draft.write_all(&serde_json::to_vec_pretty(self)?)?;
        draft.persist(path)?;
        Ok(())
    }
}

/// What callers of the release API prove themselves with; no `Debug` shows it.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    /// 128 random bits from the operating system.
    pub(crate) fn new() -> io::Result<Self> {
        let mut bytes = [0; 16];
        io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
        Ok(Self(
            bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        ))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes as long for a nearly right token as for a wrong one.
    pub(crate) fn is(&self, given: &str) -> bool {
        let (own, given) = (self.0.as_bytes(), given.as_bytes());
        let differing = own.iter().zip(given).fold(0, |bits, (a, b)| bits | (a ^ b));
        own.len() == given.len() && differing == 0
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(hidden)")
    }
}
