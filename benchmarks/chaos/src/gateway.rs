//! The virtual gateway under test, `serin proxy` in a process of its own: replaced by newer binaries, and
//! watched through `/proc`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// How long one that was replaced may drain.
const DRAIN: Duration = Duration::from_secs(30);

pub struct Gateway {
    serin: PathBuf,
    directory: PathBuf,
    server: SocketAddr,
    address: SocketAddr,
    child: Child,
    pub replacements: u64,
}

/// What must not grow.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub resident: u64,
    pub descriptors: u64,
}

impl Gateway {
    pub async fn start(
        serin: &Path,
        directory: &Path,
        server: SocketAddr,
        address: SocketAddr,
    ) -> anyhow::Result<Self> {
        let mut gateway = Self {
            serin: serin.to_owned(),
            directory: directory.to_owned(),
            server,
            address,
            child: spawn(serin, directory, server, address, false)?,
            replacements: 0,
        };
        while TcpStream::connect(address).await.is_err() {
            if let Some(status) = gateway.child.try_wait()? {
                anyhow::bail!("the gateway ended with {status}");
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(gateway)
    }

    /// Starts another file of the same program beside it. The one before ends by itself, and well.
    pub fn replace(&mut self) -> anyhow::Result<impl Future<Output = anyhow::Result<()>> + use<>> {
        self.replacements += 1;
        let newer = self.directory.join(format!("serin-{}", self.replacements));
        std::fs::copy(&self.serin, &newer).context("the binary cannot be copied")?;
        let next = spawn(&newer, &self.directory, self.server, self.address, true)?;
        let mut before = std::mem::replace(&mut self.child, next);
        Ok(async move {
            let status = timeout(DRAIN, before.wait())
                .await
                .context("the gateway that was replaced does not end")??;
            ensure!(
                status.success(),
                "the gateway that was replaced ended with {status}"
            );
            Ok(())
        })
    }

    pub fn usage(&mut self) -> anyhow::Result<Usage> {
        if let Some(status) = self.child.try_wait()? {
            anyhow::bail!("the gateway ended with {status}");
        }
        let pid = self.child.id().context("the gateway has ended")?;
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

fn spawn(
    program: &Path,
    directory: &Path,
    server: SocketAddr,
    address: SocketAddr,
    replaces: bool,
) -> anyhow::Result<Child> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(directory.join("gateway.txt"))?;
    let mut command = Command::new(program);
    command
        .args(["proxy", "--node", "mesh/chaos/virtualGateway/door"])
        .args([
            "--state",
            "gateway",
            "--workers",
            "2",
            "--bind",
            "127.0.0.1",
        ])
        .arg(format!("--gateway-port=8080={}", address.port()))
        .arg(format!("--server=http://{server}"))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    if replaces {
        command.arg("--replace");
    }
    command
        .spawn()
        .with_context(|| format!("{} cannot be started", program.display()))
}
