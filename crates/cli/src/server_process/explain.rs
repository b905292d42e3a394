//! Why a server did not start, and what to do about it.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use server::ConfigurationError;

use crate::exit::Exit;
use crate::failure::Failure;

#[derive(Debug, thiserror::Error)]
#[error("could not keep state in {}", state.display())]
struct Unusable {
    state: PathBuf,
    #[source]
    source: io::Error,
}

/// The state directory cannot be written.
pub fn unusable(state: &Path, source: io::Error) -> Failure {
    let hint = about_disk(source.kind());
    let state = state.to_owned();
    Failure::new(Exit::Failed, Unusable { state, source }).hint(hint)
}

pub(super) fn not_started(error: server::Error, state: &Path) -> Failure {
    let hint = match (error.in_use_by(), &error) {
        (Some(pid), _) => format!(
            "`serin status --state {}` shows what runs there, `kill {pid}` stops it",
            state.display()
        ),
        (None, server::Error::Gateway(_)) => {
            "`gateway: { port: … }` in the manifest names another port".to_owned()
        }
        (None, server::Error::Api { .. }) => return taken(error),
        (None, server::Error::Configuration(_) | server::Error::Tls(_)) => {
            return not_configured(error);
        }
        (None, server::Error::Store(_)) => format!(
            "`serin status --state {}` shows a server that runs there; {} has more",
            state.display(),
            state.join("server.log").display()
        ),
        (None, error) => match io_kind(error) {
            Some(kind) => about_disk(kind).to_owned(),
            None => format!("{} has more", state.join("server.log").display()),
        },
    };
    Failure::new(Exit::Failed, error).hint(hint)
}

/// The API cannot listen where it should.
pub(super) fn taken(error: server::Error) -> Failure {
    Failure::new(Exit::Failed, error).hint("`--api 127.0.0.1:0` takes a free port")
}

/// The configuration is refused; nothing was started.
pub fn not_configured(error: server::Error) -> Failure {
    let hint = match &error {
        server::Error::Configuration(ConfigurationError::Unguarded { .. }) => {
            "list access keys under `credentials` in the file of --config, or listen on 127.0.0.1"
        }
        server::Error::Configuration(ConfigurationError::Read { .. }) => {
            "name the file with --config or SERIN_CONFIG"
        }
        _ => "nothing was started; `serin serve --check --config FILE` checks again",
    };
    let cause: Box<dyn Error + Send + Sync> = match error {
        // It says itself what it is about.
        server::Error::Configuration(error) => error.into(),
        error => error.into(),
    };
    Failure::new(Exit::Invalid, cause).hint(hint)
}

/// The operating system's reason, at the end of the chain of causes.
fn io_kind(error: &(dyn Error + 'static)) -> Option<ErrorKind> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        next = error.source();
    }
    None
}

fn about_disk(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "make room on that disk, or name a directory on another with --state"
        }
        _ => "name a directory that you may write to with --state",
    }
}
