//! The two servers: each answers a request with its method and target, whatever it carries.
#![expect(clippy::expect_used, reason = "a test whose peer is missing says so")]

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::ChildStdout;

pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    /// Goes after the process that works in it.
    _process: Process,
    directory: TempDir,
}

/// Ends when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Server {
    pub(super) async fn nginx() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap();
        let inside = directory.path().display();
        let configuration = format!(
            "daemon off; master_process off; pid {inside}/pid; error_log {inside}/error.log;
            events {{}}
            http {{
                log_format seen \"$request\"; access_log {inside}/seen.log seen;
                client_body_temp_path {inside}/body; proxy_temp_path {inside}/proxy;
                fastcgi_temp_path {inside}/fastcgi; uwsgi_temp_path {inside}/uwsgi;
                scgi_temp_path {inside}/scgi;
                server {{ listen {address}; return 200 \"$request_method $request_uri\"; }}
            }}"
        );
        let path = directory.path().join("nginx.conf");
        std::fs::write(&path, configuration).unwrap();
        let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"]
            .into_iter()
            .find(|program| Path::new(program).exists())
            .unwrap_or("nginx");
        let mut command = Command::new(program);
        command.arg("-c").arg(path).arg("-p").arg(directory.path());
        command.arg("-e").arg(directory.path().join("start.log"));
        let child = command
            .spawn()
            .expect("nginx is missing: scripts/prerequisites installs it");
        let process = Process(child);
        testkit::until("nginx listens", async || {
            TcpStream::connect(address).await.is_ok()
        })
        .await;
        Self {
            name: "nginx",
            address,
            _process: process,
            directory,
        }
    }

    pub(super) async fn python() -> Self {
        let python = std::env::var("SERIN_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(python)
            .args(["-B", "-c", include_str!("server.py")])
            .arg(directory.path().join("seen.log"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python is missing: scripts/prerequisites installs it");
        let output = child.stdout.take().unwrap();
        let process = Process(child);
        let mut line = String::new();
        let output = BufReader::new(ChildStdout::from_std(output).unwrap());
        testkit::within("h11's port", output.take(16).read_line(&mut line))
            .await
            .unwrap();
        let port = line
            .trim()
            .parse()
            .expect("h11 is missing: scripts/prerequisites installs it");
        Self {
            name: "h11",
            address: (Ipv4Addr::LOCALHOST, port).into(),
            _process: process,
            directory,
        }
    }

    /// The request lines that it has read.
    pub(super) fn seen(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.directory.path().join("seen.log"));
        log.unwrap_or_default().lines().map(str::to_owned).collect()
    }
}
