//! Small trees, and edits of them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use image::tree::{Entry, Kind, Tree};
use proptest::prelude::*;

/// The files of a tree: few paths, few different lines, so that context is found in several places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files(pub(crate) BTreeMap<String, File>);

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) kind: Kind,
    pub(crate) bytes: Vec<u8>,
}

impl fmt::Debug for File {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:?} {:?}",
            self.kind,
            String::from_utf8_lossy(&self.bytes)
        )
    }
}

impl Files {
    pub(crate) fn to_tree(&self) -> Tree {
        let mut tree = Tree::default();
        for (path, file) in &self.0 {
            tree.insert(Path::new(path), Entry::new(file.kind, file.bytes.clone()))
                .unwrap();
        }
        tree
    }

    pub(crate) fn of_tree(tree: &Tree) -> Self {
        let file = |entry: &Entry| File {
            kind: entry.kind(),
            bytes: entry.bytes().unwrap().into_owned(),
        };
        Self(
            tree.iter()
                .map(|(path, entry)| (path.to_string_lossy().into_owned(), file(entry)))
                .collect(),
        )
    }

    /// Puts a file where no file and no directory is in its way.
    pub(crate) fn put(&mut self, path: &str, file: File) {
        let below = format!("{path}/");
        let free = self
            .0
            .keys()
            .all(|other| !other.starts_with(&below) && !path.starts_with(&format!("{other}/")));
        if free {
            self.0.insert(path.to_owned(), file);
        }
    }

    pub(crate) fn has_links(&self) -> bool {
        self.0.values().any(|file| file.kind == Kind::Symlink)
    }

    pub(crate) fn nth_path(&self, number: usize) -> Option<String> {
        self.0
            .keys()
            .nth(number.checked_rem(self.0.len())?)
            .cloned()
    }

    pub(crate) fn nth(&mut self, number: usize) -> Option<&mut File> {
        let number = number.checked_rem(self.0.len())?;
        self.0.values_mut().nth(number)
    }

    /// The text of a file, which a link has not.
    pub(crate) fn nth_text(&mut self, number: usize) -> Option<&mut Vec<u8>> {
        self.nth(number)
            .filter(|file| file.kind != Kind::Symlink)
            .map(|file| &mut file.bytes)
    }
}

const PATHS: [&str; 12] = [
    "a",
    "b.txt",
    "d",
    "d/c",
    "d/e/f",
    "s p",
    "s p/x y",
    "q\"uote",
    "\u{fc}",
    "tab\there",
    "b.txt.orig",
    "back\\slash",
];
const LINES: [&str; 9] = [
    "a\n",
    "b\n",
    "c\n",
    "\n",
    " \n",
    "x\r\n",
    "fn main() {\n",
    "}\n",
    "-- \n",
];

pub(crate) fn any_path() -> impl Strategy<Value = String> {
    prop::sample::select(PATHS.to_vec()).prop_map(str::to_owned)
}

pub(crate) fn any_line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::sample::select(LINES.to_vec()).prop_map(|line| line.as_bytes().to_vec()),
        1 => "[a-z]{1,3}\n".prop_map(String::into_bytes),
    ]
}

fn any_text() -> impl Strategy<Value = Vec<u8>> {
    (
        prop::collection::vec(any_line(), 0..24),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(lines, cut)| {
            let mut text = lines.concat();
            if cut {
                text.pop();
            }
            text
        })
}

pub(crate) fn any_file() -> impl Strategy<Value = File> {
    prop_oneof![
        6 => any_text().prop_map(|bytes| File { kind: Kind::File, bytes }),
        2 => any_text().prop_map(|bytes| File { kind: Kind::Executable, bytes }),
        1 => "[a-d]{1,2}(/[a-d])?".prop_map(|to| File { kind: Kind::Symlink, bytes: to.into_bytes() }),
    ]
}

pub(crate) fn any() -> impl Strategy<Value = Files> {
    prop::collection::vec((any_path(), any_file()), 1..5).prop_map(|files| {
        let mut tree = Files::default();
        files
            .into_iter()
            .for_each(|(path, file)| tree.put(&path, file));
        tree
    })
}

/// A change to one file of a tree. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    PutLine {
        file: usize,
        line: usize,
        with: Vec<u8>,
    },
    InsertLine {
        file: usize,
        line: usize,
        with: Vec<u8>,
    },
    RemoveLine {
        file: usize,
        line: usize,
    },
    Remove {
        file: usize,
    },
    Put {
        path: String,
        with: File,
    },
    Move {
        file: usize,
        path: String,
    },
    Copy {
        file: usize,
        path: String,
    },
    ChangeMode {
        file: usize,
    },
}

impl Edit {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let (file, line) = (0..8_usize, 0..32_usize);
        prop_oneof![
            4 => (file.clone(), line.clone(), any_line()).prop_map(|(file, line, with)| Self::PutLine { file, line, with }),
            4 => (file.clone(), line.clone(), any_line())
                .prop_map(|(file, line, with)| Self::InsertLine { file, line, with }),
            3 => (file.clone(), line).prop_map(|(file, line)| Self::RemoveLine { file, line }),
            1 => file.clone().prop_map(|file| Self::Remove { file }),
            1 => (any_path(), any_file()).prop_map(|(path, with)| Self::Put { path, with }),
            2 => (file.clone(), any_path()).prop_map(|(file, path)| Self::Move { file, path }),
            1 => (file.clone(), any_path()).prop_map(|(file, path)| Self::Copy { file, path }),
            1 => file.prop_map(|file| Self::ChangeMode { file }),
        ]
    }

    fn make(&self, files: &mut Files) -> Option<()> {
        match self {
            Self::PutLine { file, line, with } => {
                change_lines(files.nth_text(*file)?, |lines| {
                    if let Some(at) = line.checked_rem(lines.len()) {
                        lines[at] = with.clone();
                    }
                });
            }
            Self::InsertLine { file, line, with } => {
                change_lines(files.nth_text(*file)?, |lines| {
                    lines.insert(line % (lines.len() + 1), with.clone());
                });
            }
            Self::RemoveLine { file, line } => {
                change_lines(files.nth_text(*file)?, |lines| {
                    if let Some(at) = line.checked_rem(lines.len()) {
                        lines.remove(at);
                    }
                });
            }
            Self::Remove { file } => {
                let path = files.nth_path(*file)?;
                files.0.remove(&path);
            }
            Self::Put { path, with } => files.put(path, with.clone()),
            Self::Move { file, path } => {
                let from = files.nth_path(*file)?;
                let moved = files.0.remove(&from)?;
                files.put(path, moved);
            }
            Self::Copy { file, path } => {
                let copied = files.nth(*file)?.clone();
                files.put(path, copied);
            }
            Self::ChangeMode { file } => {
                let file = files.nth(*file)?;
                file.kind = match file.kind {
                    Kind::File => Kind::Executable,
                    Kind::Executable => Kind::File,
                    Kind::Symlink => Kind::Symlink,
                };
            }
        }
        Some(())
    }
}

fn change_lines(text: &mut Vec<u8>, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let mut lines = text
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    change(&mut lines);
    *text = lines.concat();
}

pub(crate) fn edited(files: &Files, edits: &[Edit]) -> Files {
    let mut files = files.clone();
    // Where there is nothing to change, nothing is changed.
    edits
        .iter()
        .for_each(|edit| edit.make(&mut files).unwrap_or_default());
    files
}
