//! What an authority remembers, in a file that only its owner can read.

use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::root::State;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("could not read the mesh's certificate authority from {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "the mesh's certificate authority in {} can be read by others than its owner (mode {mode:o}): \
         chmod 600, and remove it if it may have been read", path.display()
    )]
    Exposed { path: PathBuf, mode: u32 },
    #[error(
        "the mesh's certificate authority in {} is damaged; if you have no copy, remove it: identities are then made anew",
        path.display()
    )]
    Damaged {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("could not write the mesh's certificate authority to {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
}

impl Store {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Empty where nothing was kept yet.
    pub fn load(&self) -> Result<State, StoreError> {
        let path = || self.path.clone();
        let unreadable = |source| StoreError::Read {
            path: path(),
            source,
        };
        let text = match std::fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
            text => text.map_err(unreadable)?,
        };
        let metadata = std::fs::metadata(&self.path).map_err(unreadable)?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(StoreError::Exposed { path: path(), mode });
        }
        serde_json::from_slice(&text).map_err(|source| StoreError::Damaged {
            path: path(),
            source,
        })
    }

    /// All or nothing: the file is replaced.
    pub fn save(&self, state: &State) -> Result<(), StoreError> {
        self.replace(state).map_err(|source| StoreError::Write {
            path: self.path.clone(),
            source,
        })
    }

    fn replace(&self, state: &State) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(directory)?;
        // Its owner alone can read a temporary file.
        let mut draft = NamedTempFile::new_in(directory)?;
        draft.write_all(&serde_json::to_vec(state)?)?;
        draft.as_file().sync_all()?;
        draft.persist(&self.path)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::{Authority, Lifetimes};

    #[test]
    fn an_authority_goes_on_with_its_roots_and_nobody_else_reads_them() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(directory.path().join("identity.json"));
        let hour = Duration::from_secs(3600);
        let lifetimes = Lifetimes::new(48 * hour, hour).unwrap();
        let now = SystemTime::UNIX_EPOCH + 1000 * hour;
        let first = Authority::new("m", lifetimes, store.load().unwrap(), now).unwrap();
        store.save(first.state()).unwrap();
        store.save(first.state()).unwrap();
        let again = Authority::new("m", lifetimes, store.load().unwrap(), now + hour).unwrap();
        assert_eq!(again.bundle(now), first.bundle(now));

        let others = |mode| std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&store.path, others(0o640)).unwrap();
        assert!(matches!(
            store.load(),
            Err(StoreError::Exposed { mode: 0o640, .. })
        ));
        std::fs::set_permissions(&store.path, others(0o600)).unwrap();
        std::fs::write(&store.path, "{").unwrap();
        assert!(matches!(store.load(), Err(StoreError::Damaged { .. })));
    }
}
