//! Where a server keeps what: the files below its state directory.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use release::ReleaseId;

/// The state directory, `.serin` by default.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Makes the state directory its owner's alone: patches, logs and the API's token lie there.
    pub fn create(&self) -> io::Result<()> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.root)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Mesh resources and journals.
    pub fn store(&self) -> PathBuf {
        self.root.join("mesh.redb")
    }

    /// Running tasks: their records, working copies and logs.
    pub fn tasks(&self) -> PathBuf {
        self.root.join("tasks")
    }

    /// Built versions.
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// Egress ports that running tasks were told.
    pub fn ports(&self) -> PathBuf {
        self.root.join("ports.json")
    }

    fn authorities(&self) -> PathBuf {
        self.root.join("authorities")
    }

    /// A mesh's own certificate authority.
    pub fn identity(&self, mesh: &str) -> PathBuf {
        self.authorities().join(format!("{mesh}.json"))
    }

    /// How to reach the server that runs now.
    pub fn presence(&self) -> PathBuf {
        self.root.join("server.json")
    }

    /// A release's patches and its build log.
    pub fn release(&self, id: &ReleaseId) -> PathBuf {
        self.root.join("releases").join(id.to_string())
    }

    pub fn build_log(&self, id: &ReleaseId) -> PathBuf {
        self.release(id).join("build.log")
    }

    /// Forgets the mesh, its releases and its tasks, which must not run; built versions stay.
    pub fn forget_mesh(&self) -> io::Result<()> {
        for file in [self.store(), self.ports(), self.presence()] {
            absent_is_fine(std::fs::remove_file(file))?;
        }
        for directory in [self.tasks(), self.authorities(), self.root.join("releases")] {
            absent_is_fine(std::fs::remove_dir_all(directory))?;
        }
        Ok(())
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
