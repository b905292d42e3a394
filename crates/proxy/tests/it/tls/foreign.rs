//! Peers that are not ours: curl, and Python's ssl.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use view::Certificate;

/// What curl prints, or why it did not.
pub(crate) async fn curl(arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "20"]).args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// `server.py` for as long as it is kept.
pub(super) struct PythonServer {
    child: Child,
    pub(super) address: SocketAddr,
}

impl PythonServer {
    /// Demands certificates of `clients`' authority, if it is not empty.
    pub(super) fn showing(certificate: &Certificate, clients: &str) -> Self {
        let Certificate::File { chain, key } = certificate else {
            unreachable!("Python needs files");
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/server.py");
        let mut child = Command::new("python3")
            .args(["-B", script, chain, key, clients])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut port)
            .unwrap();
        let address = ([127, 0, 0, 1], port.trim().parse().unwrap()).into();
        Self { child, address }
    }
}

impl Drop for PythonServer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
