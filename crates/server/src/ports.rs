//! Egress ports that outlive the server: tasks were told them in their environment, and a task that is
//! adopted after a crash still calls its backends there.

use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug)]
pub(crate) struct Ports {
    file: PathBuf,
    /// By the path of the virtual node.
    known: BTreeMap<String, u16>,
}

impl Ports {
    /// A file that cannot be read costs running tasks their egress until they restart, not the server its start.
    pub(crate) fn open(file: PathBuf) -> Self {
        let known = std::fs::read(&file)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        Self { file, known }
    }

    /// The node's port; 0 if it has none yet.
    pub(crate) fn get(&self, node: &str) -> u16 {
        self.known.get(node).copied().unwrap_or_default()
    }

    pub(crate) fn remember(&mut self, node: &str, port: u16) -> std::io::Result<()> {
        if self.get(node) == port {
            return Ok(());
        }
        self.known.insert(node.to_owned(), port);
        let draft = self.file.with_extension("draft");
        std::fs::write(&draft, serde_json::to_vec(&self.known)?)?;
        std::fs::rename(draft, &self.file)
    }
}
