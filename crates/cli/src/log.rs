//! What the server logs goes into a file, so that the terminal stays readable; what a proxy logs goes to
//! standard error, where whoever runs it collects it.

use std::fmt;
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The variable that says what is logged, as `debug` or `proxy=trace,info`.
const LEVEL: &str = "SERIN_LOG";

/// Appends to `server.log` in the state directory from now on.
pub fn to_file(state: &Path) -> std::io::Result<Level> {
    server::Layout::new(state).create()?;
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(state.join("server.log"))?;
    Ok(to(Mutex::new(file)))
}

/// Writes to standard error from now on.
pub fn to_stderr() -> Level {
    to(std::io::stderr)
}

fn to<W>(writer: W) -> Level
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(level())
        .with_writer(writer)
        .with_ansi(false)
        .with_filter_reloading();
    let handle = subscriber.reload_handle();
    // A second call, as in a test, keeps what the first one said.
    drop(subscriber.try_init());
    Level {
        now: Arc::new(Mutex::new(level().to_string())),
        change: Arc::new(move |filter| handle.reload(filter).map_err(|error| error.to_string())),
    }
}

/// How much is logged, to be changed while the process runs.
#[derive(Clone)]
pub struct Level {
    now: Arc<Mutex<String>>,
    change: Arc<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>,
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Level")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
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
