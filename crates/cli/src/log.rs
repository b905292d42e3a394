//! What the server logs goes into a file, so that the terminal stays readable.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

/// The variable that says what is logged, as `debug` or `proxy=trace,info`.
const LEVEL: &str = "SERIN_LOG";

/// Appends to `server.log` in the state directory from now on.
pub fn to_file(state: &Path) -> std::io::Result<()> {
    server::Layout::new(state).create()?;
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(state.join("server.log"))?;
    let level = EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::INFO.into())
        .with_env_var(LEVEL)
        .from_env_lossy();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(level)
        .with_writer(Mutex::new(file))
        .with_ansi(false);
    // A second call, as in a test, keeps the first file.
    drop(subscriber.try_init());
    Ok(())
}
