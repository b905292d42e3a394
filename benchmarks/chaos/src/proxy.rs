//! The proxy under test, in a process of its own: given new setups while it runs, watched through `/proc`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use setup::Setup;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};

pub struct Proxy {
    child: Child,
    input: ChildStdin,
}

/// What must not grow.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub resident: u64,
    pub descriptors: u64,
}

impl Proxy {
    pub async fn start(program: &Path, setup: &Setup) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .arg(serde_json::to_string(setup)?)
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let input = child.stdin.take().context("the proxy has no input")?;
        while TcpStream::connect(setup.listen).await.is_err() {
            if let Some(status) = child.try_wait()? {
                anyhow::bail!("the proxy ended with {status}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Self { child, input })
    }

    pub async fn change(&mut self, setup: &Setup) -> anyhow::Result<()> {
        let line = serde_json::to_string(setup)? + "\n";
        self.input
            .write_all(line.as_bytes())
            .await
            .context("the proxy has ended")
    }

    pub fn usage(&self) -> anyhow::Result<Usage> {
        let pid = self.child.id().context("the proxy has ended")?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next())
            .context("no VmRSS")?;
        Ok(Usage {
            resident: resident.parse::<u64>()? << 10,
            descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
        })
    }
}
