//! `serin up` with two services whose tasks are processes: it is killed and started again, and spoken to as
//! any client of its App Mesh API would.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long the first start may take: it builds the services.
const PATIENCE: Duration = Duration::from_secs(180);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);

pub struct Server {
    serin: PathBuf,
    directory: PathBuf,
    pub address: SocketAddr,
    /// None while it is away.
    child: Option<Child>,
    pub starts: u64,
}

impl Server {
    /// One that nobody has started yet.
    pub fn new(serin: &Path, directory: &Path, address: SocketAddr) -> Self {
        Self {
            serin: serin.to_owned(),
            directory: directory.to_owned(),
            address,
            child: None,
            starts: 0,
        }
    }

    pub fn is_away(&self) -> bool {
        self.child.is_none()
    }

    pub fn start(&mut self) -> anyhow::Result<()> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("server.txt"))?;
        let child = Command::new(&self.serin)
            .args(["up", "--state", "server"])
            .current_dir(&self.directory)
            .env("SERIN_API", self.address.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.serin.display()))?;
        self.child = Some(child);
        self.starts += 1;
        Ok(())
    }

    pub async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await.context("the server cannot be killed")?;
        }
        Ok(())
    }

    /// Stops it as an operator would, and its tasks with it.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take()
            && let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok())
            && let Some(pid) = rustix::process::Pid::from_raw(pid)
        {
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
            let status = timeout(PATIENCE, child.wait()).await??;
            ensure!(status.success(), "the server ended with {status}");
        }
        Ok(())
    }

    /// Waits until every task of every service is healthy.
    pub async fn is_ready(&mut self, tasks: usize) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut healthy = Ok(0);
        while begun.elapsed() < PATIENCE {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                bail!("the server ended with {status}");
            }
            healthy = self.sight().await.map(|sight| sight.tasks.len());
            if healthy.as_ref().is_ok_and(|healthy| *healthy == tasks) {
                return Ok(());
            }
            sleep(Duration::from_millis(200)).await;
        }
        let healthy = healthy.context("the server does not tell of its tasks")?;
        bail!("{healthy} of {tasks} tasks were healthy after {PATIENCE:?}")
    }

    pub async fn sight(&self) -> anyhow::Result<Sight> {
        let status = self.ask("GET", "/v1/status", None).await?;
        let mut found = Vec::new();
        for service in list(&status["services"]) {
            let name = service["name"].as_str().context("a service has no name")?;
            let versions = list(&service["versions"]);
            for task in versions.iter().flat_map(|version| list(&version["tasks"])) {
                if task["state"] == "healthy"
                    && let Some(pid) = task["pid"].as_u64()
                {
                    found.push((name.to_owned(), u32::try_from(pid)?));
                }
            }
        }
        Ok(Sight {
            tasks: found,
            has_proxy: list(&status["proxies"]).iter().any(is_elsewhere),
        })
    }

    pub async fn put(&self, path: &str, body: &Value) -> anyhow::Result<()> {
        let path = format!("/v20190125/meshes/chaos/{path}");
        self.ask("PUT", &path, Some(body)).await.map(drop)
    }

    fn token(&self) -> anyhow::Result<String> {
        let text = std::fs::read(self.directory.join("server/server.json"))?;
        Ok(serde_json::from_slice::<Access>(&text)?.token)
    }

    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let token = self.token()?;
        let asked = timeout(ANSWER, exchange(self.address, &token, method, path, body));
        asked
            .await
            .unwrap_or_else(|_| Err(anyhow::anyhow!("no answer in {ANSWER:?}")))
            .with_context(|| format!("{method} {path}"))
    }
}

/// What the server sees.
pub struct Sight {
    /// The processes of healthy tasks, with the name of their service.
    pub tasks: Vec<(String, u32)>,
    /// A proxy of another process follows it.
    pub has_proxy: bool,
}

fn is_elsewhere(proxy: &Value) -> bool {
    proxy["connected"] == true && !proxy["instance"].is_null()
}

/// What opens the release API. The App Mesh API takes no notice of it.
#[derive(Deserialize)]
struct Access {
    token: String,
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

async fn exchange(
    address: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<Value> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no whole answer")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(status == "200", "status {status}: {body}");
    Ok(serde_json::from_str(body)?)
}
