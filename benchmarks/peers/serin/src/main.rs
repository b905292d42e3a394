//! Serin as a peer: its own binary as a sidecar, all counters on. The mesh that the setup asks for is compiled
//! as the server would, and left where `serin proxy` keeps its last view: it starts from that, as it does
//! whenever its server is away.

mod mesh;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde_json::json;
use setup::Setup;

/// Nobody listens there.
const NO_SERVER: &str = "http://127.0.0.1:1";

/// More than any scenario opens. By default it is half of the files that the process may have, as each
/// connection may need one to an endpoint; those of the scenarios do not.
const CONNECTIONS: &str = "15000";

fn main() -> anyhow::Result<()> {
    let setup = Setup::from_arguments().map_err(anyhow::Error::msg)?;
    let state = std::env::args().nth(2).map(PathBuf::from);
    let state = state.context("the directory is missing: the second argument")?;
    let view = mesh::view(&setup)?;
    let views = state.join("views");
    fs::create_dir_all(&views).with_context(|| format!("{} cannot be made", views.display()))?;
    let file = views.join(view.node.replace('/', "_") + ".json");
    let saved_at = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let saved = json!({"saved_at": saved_at, "view": view});
    fs::write(&file, saved.to_string())
        .with_context(|| format!("{} cannot be written", file.display()))?;

    let serin = std::env::var_os("SERIN").context("SERIN does not name the binary")?;
    let failure = Command::new(&serin)
        .arg("proxy")
        .args(["--node", &view.node])
        .args(["--server", NO_SERVER])
        .args(["--workers", &setup.workers.to_string()])
        .args(["--max-connections", CONNECTIONS])
        .args(["--drain", "0s"])
        .arg("--state")
        .arg(&state)
        .exec();
    Err(failure).with_context(|| format!("{} cannot be started", serin.display()))
}
