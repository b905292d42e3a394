//! A running `serin` that has the App Mesh API.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// Stops when dropped.
pub(crate) struct Server {
    /// What `AWS_ENDPOINT_URL_APP_MESH` must be.
    pub(crate) endpoint: String,
    child: Child,
    stdout: BufReader<ChildStdout>,
    _directory: tempfile::TempDir,
}

impl Server {
    /// The API alone, with this configuration.
    pub(crate) fn serve(configuration: &str) -> Self {
        Self::start(|directory| {
            let file = directory.join("serin-server.yaml");
            std::fs::write(&file, configuration).unwrap();
            private(&file);
            vec!["serve".into(), "--config".into(), file.into()]
        })
    }

    /// The API and the mesh of the workshop's crystal service.
    pub(crate) fn up() -> Self {
        Self::start(|directory| {
            let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/crystal-rs");
            std::fs::create_dir(directory.join("src")).unwrap();
            let sources = std::fs::read_dir(example.join("src")).unwrap();
            let sources = sources.map(|source| Path::new("src").join(source.unwrap().file_name()));
            for file in sources.chain(["code_hash.txt".into()]) {
                std::fs::copy(example.join(&file), directory.join(&file)).unwrap();
            }
            let manifest = std::fs::read_to_string(example.join("serin.yaml")).unwrap();
            let file = directory.join("serin.yaml");
            std::fs::write(&file, manifest.replace("port: 8080", "port: 0")).unwrap();
            vec!["up".into(), "-f".into(), file.into()]
        })
    }

    fn start(arguments: impl Fn(&Path) -> Vec<std::ffi::OsString>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_serin"))
            .args(arguments(directory.path()))
            .args(["--api", "127.0.0.1:0", "--state"])
            .arg(directory.path().join("state"))
            .env_remove("SERIN_SERVER")
            .env_remove("SERIN_TOKEN")
            .env_remove("SERIN_CONFIG")
            .env_remove("SERIN_API")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self {
            endpoint: String::new(),
            child,
            stdout,
            _directory: directory,
        };
        server.endpoint = server.said("AWS_ENDPOINT_URL_APP_MESH=");
        server
    }

    /// Reads on to the line that has these words, and returns what follows them.
    pub(crate) fn said(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).unwrap();
            assert!(read > 0, "ended before it said `{words}`");
            if let Some((_, rest)) = line.split_once(words) {
                return rest.trim().to_owned();
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if kill_process(Pid::from_child(&self.child), Signal::TERM).is_ok() {
            drop(self.child.wait());
        }
    }
}

/// The server refuses secrets that others may read.
fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}
