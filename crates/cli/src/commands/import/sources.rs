//! The texts to read: files, what lies in directories, standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use interchange::Source;

use crate::exit::Exit;
use crate::failure::Failure;

/// Endings of files that may describe a mesh.
const ENDINGS: [&str; 5] = ["json", "yaml", "yml", "template", "tfstate"];

#[derive(Debug, thiserror::Error)]
#[error("could not read {}", path.display())]
struct Unreadable {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for path in paths {
        add(path, &mut sources).map_err(|unreadable| Failure::new(Exit::Invalid, unreadable))?;
    }
    Ok(sources)
}

fn add(path: &Path, sources: &mut Vec<Source>) -> Result<(), Unreadable> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| unreadable(path, error))?;
        sources.push(source("standard input", text, false));
    } else if path.is_dir() {
        let mut files = Vec::new();
        find(path, &mut files).map_err(|error| unreadable(path, error))?;
        files.sort();
        for file in files {
            let name = file.display().to_string();
            sources.push(source(&name, text(&file)?, true));
        }
    } else {
        let name = path.display().to_string();
        sources.push(source(&name, text(path)?, false));
    }
    Ok(())
}

/// The file itself is to blame, not the directory that it was found in.
fn text(path: &Path) -> Result<String, Unreadable> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, source: std::io::Error) -> Unreadable {
    let path = path.to_owned();
    Unreadable { path, source }
}

fn source(name: &str, text: String, found: bool) -> Source {
    let name = name.to_owned();
    Source { name, text, found }
}

/// Files below a directory, but nothing hidden, and nothing behind links, which may go in circles.
fn find(directory: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type()?;
        let ending = path.extension().and_then(|ending| ending.to_str());
        if kind.is_dir() {
            find(&path, files)?;
        } else if kind.is_file() && ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_no_text_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("latin.json");
        std::fs::write(&file, b"{\"name\": \"caf\xe9\"}").unwrap();
        for path in [directory.path(), &file] {
            let unreadable = add(path, &mut Vec::new()).unwrap_err();
            let expected = format!("could not read {}", file.display());
            assert_eq!(unreadable.to_string(), expected);
        }
    }
}
