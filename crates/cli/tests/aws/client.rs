//! A script of this directory, as a client of one server and of nothing else.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::server::Server;

/// A server without credentials takes any key.
pub(crate) const ANY_KEY: (&str, &str) = ("any", "key");

/// Runs a script to its end, which must be a good one.
pub(crate) fn run(server: &Server, script: &[&str], key: (&str, &str)) {
    let output = command(server, script, key).output().unwrap();
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(
        !report.contains("No module named"),
        "{} lacks a module; {INSTALL}:\n{report}",
        python().display()
    );
    assert!(output.status.success(), "{script:?}:\n{report}");
}

pub(crate) fn command(server: &Server, script: &[&str], key: (&str, &str)) -> Command {
    let (name, arguments) = script.split_first().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws");
    let mut command = Command::new(python());
    for (name, _) in std::env::vars_os() {
        // Neither this user's keys and endpoints, nor a proxy between us.
        let text = name.to_string_lossy().to_lowercase();
        if text.starts_with("aws_") || text.ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command
        .arg(path.join(name))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("AWS_ENDPOINT_URL_APP_MESH", &server.endpoint)
        .env("AWS_ACCESS_KEY_ID", key.0)
        .env("AWS_SECRET_ACCESS_KEY", key.1)
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_MAX_ATTEMPTS", "1");
    command
}

fn python() -> OsString {
    std::env::var_os("SERIN_TEST_PYTHON").unwrap_or_else(|| "python3".into())
}

const INSTALL: &str = "install the clients with `python3 -m venv .venv && .venv/bin/pip install -r \
                       scripts/requirements.txt` and set SERIN_TEST_PYTHON to the absolute path of \
                       .venv/bin/python";
