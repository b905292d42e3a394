//! A service under test: built in a copy of its example, run on a free port, and
//! asked by curl or over a socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy)]
pub(crate) enum Twin {
    Crystal,
    Rust,
}

/// An example built in a copy of its directory.
pub(crate) struct Version {
    directory: TempDir,
}

impl Version {
    /// None where the compiler is not installed, and this is not CI.
    pub(crate) fn build(twin: Twin, patch: Option<&str>) -> Option<Self> {
        let (name, build) = match twin {
            Twin::Crystal => (
                "crystal",
                "crystal build -Dwithout_openssl -o server src/server.cr",
            ),
            Twin::Rust => (
                "crystal-rs",
                "rustc --edition 2024 -O -o server src/main.rs",
            ),
        };
        if matches!(twin, Twin::Crystal)
            && Command::new("crystal").arg("--version").output().is_err()
        {
            let how = "the Crystal compiler is not installed: apt-get install crystal zlib1g-dev";
            assert!(std::env::var_os("CI").is_none(), "{how}");
            eprintln!("skipped: {how}");
            return None;
        }
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
        let directory = TempDir::new().unwrap();
        let run = |command: &mut Command| {
            let output = command.current_dir(directory.path()).output().unwrap();
            assert!(output.status.success(), "{command:?}: {}", errors(&output));
        };
        for part in ["src", "patches", "code_hash.txt"] {
            run(Command::new("cp")
                .arg("-R")
                .arg(examples.join(name).join(part))
                .arg("."));
        }
        if let Some(patch) = patch {
            run(Command::new("git").args(["apply", &format!("patches/{patch}.patch")]));
        }
        run(Command::new("sh").args(["-c", build]));
        Some(Self { directory })
    }

    pub(crate) fn command(&self, az: &str) -> Command {
        let mut command = Command::new(self.directory.path().join("server"));
        command.current_dir(self.directory.path());
        command.envs([
            ("IP", "127.0.0.1"),
            ("AZ", az),
            ("HOST", "127.0.0.1"),
            ("PORT", "0"),
        ]);
        command
    }
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A version that runs; killed when dropped.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    /// The lines it wrote before it listened.
    pub(crate) started: Vec<String>,
    log: Receiver<String>,
}

impl Server {
    pub(crate) fn start(version: &Version, az: &str) -> Self {
        let mut child = version.command(az).stdout(Stdio::piped()).spawn().unwrap();
        let log = lines(child.stdout.take().unwrap());
        let mut started = Vec::new();
        while let Ok(line) = log.recv_timeout(PATIENCE) {
            if let Some(address) = line.strip_prefix("Listening on http://") {
                let address = address.parse().unwrap();
                return Self {
                    child,
                    address,
                    started,
                    log,
                };
            }
            started.push(line);
        }
        let _gone = child.kill();
        let _reaped = child.wait();
        panic!("the server does not say that it listens: {started:?}");
    }

    pub(crate) fn curl(&self, path: &str, arguments: &[&str]) -> Response {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--include", "--max-time", "20"]);
        command
            .args(arguments)
            .arg(format!("http://{}{path}", self.address));
        let output = command.output().expect("curl is installed");
        assert!(output.status.success(), "{command:?}: {}", errors(&output));
        Response::parse(&output.stdout)
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Waits for a line that begins so.
    pub(crate) fn expect_log(&self, beginning: &str) {
        while let Ok(line) = self.log.recv_timeout(PATIENCE) {
            if line.starts_with(beginning) {
                assert!(line.ends_with("s)"), "{line}");
                return;
            }
        }
        panic!("no line in the log begins with {beginning}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Read on without a receiver, lest the server blocks on a full pipe.
            let _ended = sender.send(line);
        }
    });
    receiver
}

pub(crate) struct Connection {
    pub(crate) stream: BufReader<TcpStream>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        self.receive()
    }

    /// A server that refuses may close before it has read all of this.
    pub(crate) fn send(&mut self, bytes: &str) {
        let _reset = self.stream.get_mut().write_all(bytes.as_bytes());
    }

    pub(crate) fn receive(&mut self) -> Response {
        let mut response = self.receive_head();
        let length = response
            .header("content-length")
            .expect("a length")
            .parse()
            .unwrap();
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        response.body = String::from_utf8(body).unwrap();
        response
    }

    /// An answer without a body.
    pub(crate) fn receive_head(&mut self) -> Response {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let read = self.stream.read_until(b'\n', &mut head).unwrap();
            assert_ne!(read, 0, "closed after {:?}", String::from_utf8_lossy(&head));
        }
        Response::parse(&head)
    }

    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0))
    }
}

pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Response {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .expect("a status line");
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Self {
            status: status.parse().unwrap(),
            headers: headers.collect(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(other, _)| other == name);
        let value = found.next().map(|(_, value)| &**value);
        assert!(found.next().is_none(), "{name} comes twice");
        value
    }
}
