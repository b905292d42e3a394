//! What the server logs goes into a file, so that the terminal stays readable; what a proxy logs goes to
//! standard error, where whoever runs it collects it.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

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
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(level())
        .with_writer(Mutex::new(file))
        .with_ansi(false);
    // A second call, as in a test, keeps the first file.
    drop(subscriber.try_init());
    Ok(())
}

/// Writes to standard error from now on.
pub fn to_stderr() -> Level {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(level())
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_filter_reloading();
    let handle = subscriber.reload_handle();
    drop(subscriber.try_init());
    Level {
        now: Mutex::new(level().to_string()),
        change: Box::new(move |filter| handle.reload(filter).map_err(|error| error.to_string())),
    }
}

/// How much is logged, to be changed while the process runs.
pub struct Level {
    now: Mutex<String>,
    change: Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>,
}

impl admin::LogLevel for Level {
    fn get(&self) -> String {
        self.now
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, level: &str) -> Result<(), String> {
        let filter = EnvFilter::try_new(level).map_err(|error| error.to_string())?;
        (self.change)(filter)?;
        level.clone_into(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

fn level() -> EnvFilter {
    EnvFilter::builder()
        .with_default_directive(tracing_subscriber::filter::LevelFilter::INFO.into())
        .with_env_var(LEVEL)
        .from_env_lossy()
}
