//! A tree comes from a directory, and goes to another.
//!
//! Reading leaves out what the patterns choose, and all that is neither file, directory nor
//! symbolic link (sockets of a running service, for example). Symbolic links are never followed.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::{Content, Entry, Kind, Tree};
use crate::disk::{self, DiskError};
use crate::pattern::Pattern;

const OWNER_MAY_EXECUTE: u32 = 0o100;

impl Tree {
    /// Reads the files below `root`, except those that `ignored` chooses.
    pub fn read(root: &Path, ignored: &[Pattern]) -> Result<Self, DiskError> {
        let mut tree = Self::default();
        let mut directories = vec![root.to_owned()];
        while let Some(directory) = directories.pop() {
            let found =
                fs::read_dir(&directory).map_err(DiskError::on("read directory", &directory))?;
            for item in found {
                let path = item
                    .map_err(DiskError::on("read directory", &directory))?
                    .path();
                let relative = path.strip_prefix(root).unwrap_or(&path);
                if ignored.iter().any(|pattern| pattern.chooses(relative)) {
                    continue;
                }
                let metadata =
                    fs::symlink_metadata(&path).map_err(DiskError::on("look at", &path))?;
                let kind = metadata.file_type();
                if kind.is_dir() {
                    directories.push(path);
                } else if kind.is_symlink() {
                    let target =
                        fs::read_link(&path).map_err(DiskError::on("read symbolic link", &path))?;
                    let entry = Entry::new(Kind::Symlink, target.as_os_str().as_bytes());
                    tree.entries.insert(relative.to_owned(), entry);
                } else if kind.is_file() {
                    let executable = metadata.permissions().mode() & OWNER_MAY_EXECUTE != 0;
                    let kind = if executable {
                        Kind::Executable
                    } else {
                        Kind::File
                    };
                    let relative = relative.to_owned();
                    tree.entries.insert(
                        relative,
                        Entry {
                            kind,
                            content: Content::OnDisk(path),
                        },
                    );
                }
            }
        }
        Ok(tree)
    }

    /// Writes all entries below `root`, where none of them may exist yet.
    pub fn write_to(&self, root: &Path) -> Result<(), DiskError> {
        disk::make_directory(root)?;
        for (path, entry) in self.iter() {
            let place = root.join(path);
            if let Some(parent) = place.parent() {
                disk::make_directory(parent)?;
            }
            entry
                .write_to(&place)
                .map_err(DiskError::on("write", &place))?;
        }
        Ok(())
    }

    /// Moves all entries, which were read from `from`, to the same paths below `to`.
    pub(crate) fn move_to(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        disk::make_directory(to)?;
        for (path, _) in self.iter() {
            let place = to.join(path);
            if let Some(parent) = place.parent() {
                disk::make_directory(parent)?;
            }
            disk::rename(&from.join(path), &place)?;
        }
        Ok(())
    }
}

impl Entry {
    fn write_to(&self, place: &Path) -> io::Result<()> {
        match &self.content {
            Content::Held(target) if self.kind == Kind::Symlink => {
                return symlink(std::ffi::OsStr::from_bytes(target), place);
            }
            Content::Held(bytes) => fs::write(place, bytes)?,
            Content::OnDisk(source) => {
                fs::copy(source, place)?;
            }
        }
        let mode = if self.kind == Kind::Executable {
            0o755
        } else {
            0o644
        };
        fs::set_permissions(place, Permissions::from_mode(mode))
    }
}
