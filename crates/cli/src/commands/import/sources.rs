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
        add(path, &mut sources).map_err(|source| {
            let path = path.clone();
            Failure::new(Exit::Invalid, Unreadable { path, source })
        })?;
    }
    Ok(sources)
}

fn add(path: &Path, sources: &mut Vec<Source>) -> std::io::Result<()> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        sources.push(source("standard input", text, false));
    } else if path.is_dir() {
        let mut files = Vec::new();
        find(path, &mut files)?;
        files.sort();
        for file in files {
            let name = file.display().to_string();
            sources.push(source(&name, std::fs::read_to_string(&file)?, true));
        }
    } else {
        let text = std::fs::read_to_string(path)?;
        sources.push(source(&path.display().to_string(), text, false));
    }
    Ok(())
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
