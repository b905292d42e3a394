//! A running `serin`, what it prints, and what it leaves behind.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal};
use testkit::raw::RawClient;

pub(crate) fn serin(state: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command
        .args(arguments)
        .arg("--state")
        .arg(state)
        .env_remove("SERIN_SERVER")
        .env_remove("SERIN_TOKEN")
        .env_remove("SERIN_CONFIG")
        .env("SERIN_API", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// `serin up` with the service of [`example`], which answers.
pub(crate) fn serving(state: &Path, manifest: &Path) -> Running {
    let mut up = Running::start(&mut serin(state, &["up", "-f", manifest.to_str().unwrap()]));
    up.wait_for("crystal  ready");
    up
}

/// Runs a command to its end: exit code, standard output, standard error.
pub(crate) fn run(state: &Path, arguments: &[&str]) -> (i32, String, String) {
    told(serin(state, arguments).output().unwrap())
}

fn told(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap_or(-1),
        text(output.stdout),
        text(output.stderr),
    )
}

/// A copy of the twin, on a free port.
pub(crate) fn example(directory: &Path) -> PathBuf {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/crystal-rs");
    for part in ["src", "patches"] {
        std::fs::create_dir_all(directory.join(part)).unwrap();
        for file in std::fs::read_dir(example.join(part)).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), directory.join(part).join(file.file_name())).unwrap();
        }
    }
    std::fs::copy(
        example.join("code_hash.txt"),
        directory.join("code_hash.txt"),
    )
    .unwrap();
    let manifest = std::fs::read_to_string(example.join("serin.yaml")).unwrap();
    assert!(manifest.contains("port: 8080"), "{manifest}");
    let file = directory.join("serin.yaml");
    std::fs::write(&file, manifest.replace("port: 8080", "port: 0")).unwrap();
    file
}

/// What a command answers as JSON.
pub(crate) fn json(state: &Path, arguments: &[&str]) -> serde_json::Value {
    let (code, stdout, stderr) = run(state, &[arguments, &["-o", "json"]].concat());
    assert_eq!(code, 0, "{arguments:?}: {stderr}");
    serde_json::from_str(&stdout).unwrap()
}

/// A command in the background; stopped if its test ends before it.
pub(crate) struct Running {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    seen: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            stdout: Some(stdout),
            seen: String::new(),
        }
    }

    /// Reads until a line has these words, and returns that line.
    pub(crate) fn wait_for(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            if self.stdout.as_mut().unwrap().read_line(&mut line).unwrap() == 0 {
                let mut stderr = String::new();
                self.child
                    .stderr
                    .take()
                    .unwrap()
                    .read_to_string(&mut stderr)
                    .unwrap();
                panic!("ended before it said `{words}`:\n{}\n{stderr}", self.seen);
            }
            self.seen.push_str(&line);
            if line.contains(words) {
                return line;
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Reads no further, and waits for its end: exit code and standard error.
    pub(crate) fn read_no_more(mut self) -> (i32, String) {
        self.stdout = None;
        let (code, _, stderr) = self.finish();
        (code, stderr)
    }

    /// Waits for its end: exit code, all of standard output, standard error.
    pub(crate) fn finish(mut self) -> (i32, String, String) {
        if let Some(stdout) = &mut self.stdout {
            stdout.read_to_string(&mut self.seen).unwrap();
        }
        let mut stderr = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        let status = self.child.wait().unwrap();
        (
            status.code().unwrap_or(-1),
            std::mem::take(&mut self.seen),
            stderr,
        )
    }
}

impl Drop for Running {
    /// Asks first, so that it stops its tasks.
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.child);
        if let Ok(None) = self.child.try_wait()
            && rustix::process::kill_process(pid, Signal::TERM).is_ok()
        {
            drop(self.child.wait());
        }
    }
}

/// Processes that run a program, or in a directory, below this one.
pub(crate) fn processes_below(directory: &Path) -> Vec<String> {
    let directory = directory.canonicalize().unwrap();
    let is_below =
        |link: PathBuf| std::fs::read_link(link).is_ok_and(|target| target.starts_with(&directory));
    let processes = std::fs::read_dir("/proc")
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let ours =
        processes.filter(|process| is_below(process.join("exe")) || is_below(process.join("cwd")));
    ours.map(|process| {
        let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
        format!(
            "{}: {}",
            process.display(),
            String::from_utf8_lossy(&command)
        )
    })
    .collect()
}

/// What an admin port answers to a request line.
pub(crate) async fn admin(address: SocketAddr, line: &str) -> (u16, String) {
    let mut client = RawClient::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let response = client.ask(request).await.unwrap();
    (response.status, response.text())
}
