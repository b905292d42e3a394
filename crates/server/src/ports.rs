//! Egress ports that outlive the server: tasks were told them in their environment, and a task that is
//! adopted after a crash still calls its backends there.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

#[derive(Debug)]
pub(crate) struct Ports {
    file: PathBuf,
    /// By the path of the virtual node; a backend over TCP by its listener's name behind that.
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

    /// The node's port: the one it has had, else a free one, which it has from now on.
    pub(crate) fn of(&mut self, node: &str) -> std::io::Result<u16> {
        if let Some(port) = self.known.get(node) {
            return Ok(*port);
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        self.known.insert(node.to_owned(), port);
        let draft = self.file.with_extension("draft");
        std::fs::write(&draft, serde_json::to_vec(&self.known)?)?;
        std::fs::rename(draft, &self.file)?;
        Ok(port)
    }
}

#[cfg(test)]
mod tests {
    use super::Ports;

    #[test]
    fn a_node_keeps_its_port_over_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ports.json");
        let mut ports = Ports::open(file.clone());
        let port = ports.of("mesh/m/virtualNode/a").unwrap();
        assert_ne!(port, 0);
        assert_eq!(ports.of("mesh/m/virtualNode/a").unwrap(), port);
        assert_eq!(Ports::open(file).of("mesh/m/virtualNode/a").unwrap(), port);
    }
}
