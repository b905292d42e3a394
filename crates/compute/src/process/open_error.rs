//! Why a state directory cannot be opened.

use std::io;
use std::path::{Path, PathBuf};

use super::record::ReadError;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    #[error(
        "state directory {state} is in use by process {pid}: stop that server first, or choose \
         another state directory"
    )]
    InUse { state: PathBuf, pid: u32 },
    #[error(
        "state directory {state} is locked by a process that cannot be seen from here, perhaps of \
         another container: stop it first, or choose another state directory"
    )]
    Locked { state: PathBuf },
    #[error("could not {operation} {path}")]
    Io {
        operation: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "{path} was written by a newer serin, in format {found}: use that one, or choose another \
         state directory"
    )]
    Newer { path: PathBuf, found: u32 },
    #[error("could not start the reaper {program}")]
    Reaper {
        program: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("could not get a handle on a process: Linux 5.3 or later is needed")]
    NoProcessHandles(#[source] io::Error),
}

impl OpenError {
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            operation,
            path,
            source,
        }
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Newer { path, found } => Self::Newer { path, found },
            ReadError::Io { path, source } => Self::io("read", &path)(source),
            ReadError::Malformed { path, source } => Self::io("understand", &path)(source.into()),
        }
    }
}
