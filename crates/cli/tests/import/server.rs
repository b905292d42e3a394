//! A server without a manifest, and commands that speak to it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Server {
    process: Child,
    /// Kept open: a server that nobody hears ends.
    _stdout: BufReader<ChildStdout>,
    directory: TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::configured("")
    }

    pub(crate) fn configured(configuration: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("serin-server.yaml");
        std::fs::write(&file, format!("region: us-east-1\n{configuration}")).unwrap();
        let mut process = serin()
            .args(["serve", "--api", "127.0.0.1:0", "--config"])
            .arg(&file)
            .arg("--state")
            .arg(directory.path().join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It says where it listens once it does.
        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with("api"), "{line}");
        Self {
            process,
            _stdout: stdout,
            directory,
        }
    }

    /// Runs a command to its end: exit code, standard output, standard error.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        self.run_with(arguments, "")
    }

    /// The same with this on standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> (i32, String, String) {
        let mut process = serin()
            .args(arguments)
            .arg("--state")
            .arg(self.directory.path().join("state"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = process.stdin.take().unwrap();
        stdin.write_all(input.as_bytes()).unwrap();
        drop(stdin);
        let output = process.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap_or(-1);
        (code, text(output.stdout), text(output.stderr))
    }

    /// Runs `import`, and tells its exit code and its report.
    pub(crate) fn import(&self, arguments: &[&str]) -> (i32, Value) {
        let (code, stdout, stderr) = self.run(&[&["import", "-o", "json"], arguments].concat());
        let report = serde_json::from_str(&stdout);
        (
            code,
            report.unwrap_or_else(|_| panic!("{code}: {stdout}{stderr}")),
        )
    }

    pub(crate) fn export(&self, arguments: &[&str]) -> String {
        let (code, stdout, stderr) = self.run(&[&["export"], arguments].concat());
        assert_eq!(code, 0, "{stderr}");
        stdout
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn serin() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command
        .env_remove("SERIN_SERVER")
        .env_remove("SERIN_TOKEN")
        .env_remove("SERIN_CONFIG")
        .env_remove("SERIN_API");
    command
}

pub(crate) fn sample(name: &str) -> String {
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/import/samples");
    samples.join(name).display().to_string()
}

/// How many resources of a report have this action.
pub(crate) fn count(report: &Value, action: &str) -> usize {
    let resources = report["resources"].as_array().unwrap().iter();
    resources.filter(|row| row["action"] == action).count()
}
