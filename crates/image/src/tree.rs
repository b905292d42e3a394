//! The files of a source or of a version: relative paths, each with its kind and content.
//!
//! A tree read from disk holds paths, not contents: those are read when they are needed, so that a
//! large source costs little memory. Changing a tree changes nothing on disk. Like git, a tree
//! knows no empty directories and, of a file's mode, only whether it may be executed.
//!
//! Invariant: no path is both an entry and a directory above another entry.

mod disk;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::{Digest, Hasher};
use crate::disk::DiskError;

/// The files below one root.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    entries: BTreeMap<PathBuf, Entry>,
}

/// One file or symbolic link.
#[derive(Clone, Debug)]
pub struct Entry {
    kind: Kind,
    content: Content,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A file that is not executable.
    File,
    /// A file that its owner may execute.
    Executable,
    /// A symbolic link; its content is its target.
    Symlink,
}

#[derive(Clone, Debug)]
enum Content {
    OnDisk(PathBuf),
    Held(Arc<[u8]>),
}

/// Why an entry cannot be put where it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InTheWay {
    /// Other files are below that path.
    Directory,
    /// A part of the path is a file or a symbolic link.
    File,
}

impl Entry {
    /// An entry with this content.
    pub fn new(kind: Kind, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self {
            kind,
            content: Content::Held(bytes.into()),
        }
    }

    /// What the entry is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The content of the file, or the target of the symbolic link.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>, DiskError> {
        match &self.content {
            Content::Held(bytes) => Ok(Cow::Borrowed(bytes)),
            Content::OnDisk(path) => fs::read(path)
                .map(Cow::Owned)
                .map_err(DiskError::on("read", path)),
        }
    }

    fn digest(&self) -> Result<Digest, DiskError> {
        match &self.content {
            Content::Held(bytes) => Ok(Digest::of_bytes(bytes)),
            Content::OnDisk(path) => File::open(path)
                .and_then(Digest::of_reader)
                .map_err(DiskError::on("read", path)),
        }
    }
}

impl Tree {
    /// The entry at `path`.
    pub fn get(&self, path: &Path) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// All entries, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Entry)> {
        self.entries
            .iter()
            .map(|(path, entry)| (path.as_path(), entry))
    }

    /// Whether there are entries below `path`.
    pub fn is_directory(&self, path: &Path) -> bool {
        let mut from_here = self.entries.range(path.to_owned()..);
        let next = match from_here.next() {
            Some((found, _)) if found == path => from_here.next(),
            other => other,
        };
        next.is_some_and(|(found, _)| found.starts_with(path))
    }

    /// The nearest entry above `path`, which makes that path impossible.
    pub fn entry_above(&self, path: &Path) -> Option<(&Path, &Entry)> {
        path.ancestors()
            .skip(1)
            .find_map(|above| self.entries.get_key_value(above))
            .map(|(at, entry)| (at.as_path(), entry))
    }

    /// Puts `entry` at `path`, replacing the entry that was there.
    pub fn insert(&mut self, path: &Path, entry: Entry) -> Result<(), InTheWay> {
        if self.entry_above(path).is_some() {
            return Err(InTheWay::File);
        }
        if self.is_directory(path) {
            return Err(InTheWay::Directory);
        }
        self.entries.insert(path.to_owned(), entry);
        Ok(())
    }

    /// Removes the entry at `path`, if there is one.
    pub fn remove(&mut self, path: &Path) {
        self.entries.remove(path);
    }

    /// Keeps the entries whose path is wanted.
    pub fn retain(&mut self, wanted: impl Fn(&Path) -> bool) {
        self.entries.retain(|path, _| wanted(path));
    }

    /// The digest over all paths, kinds and contents.
    pub fn digest(&self) -> Result<Digest, DiskError> {
        let mut hasher = Hasher::new("serin tree 1");
        for (path, entry) in &self.entries {
            hasher.field(path.as_os_str().as_bytes());
            hasher.field(match entry.kind {
                Kind::File => b"file",
                Kind::Executable => b"executable",
                Kind::Symlink => b"symlink",
            });
            hasher.field(entry.digest()?.hex().as_bytes());
        }
        Ok(hasher.finish())
    }
}
