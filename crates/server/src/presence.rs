//! `server.json`: how programs of this user reach the server that runs on a state directory.
//!
//! Readable by its owner alone, since the token in it lets a caller run builds as this user.

use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
pub struct Presence {
    /// The release API.
    pub api: String,
    /// Bearer token of every call but health and `openapi.json`.
    pub token: String,
    pub pid: u32,
    /// Where traffic enters the mesh.
    pub gateway: String,
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
        let draft = path.with_extension("draft");
        match std::fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(draft, path)
    }
}

/// 128 random bits from the operating system.
pub(crate) fn new_token() -> io::Result<String> {
    let mut bytes = [0; 16];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
