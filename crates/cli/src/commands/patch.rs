//! `serin patch --stat`: what patches change, and if they apply, before anything is touched.

use std::path::{Path, PathBuf};

use image::patch::{Patch, Refusal};
use image::tree::Tree;
use serde::Serialize;
use server::api::types::FileChange;

use crate::args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::line::Line;
use crate::render;
use crate::terminal::Terminal;

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("could not read the patch {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the patch {} is refused", path.display())]
    Malformed {
        path: PathBuf,
        #[source]
        refusal: Box<Refusal>,
    },
    #[error("could not read the source in {}", directory.display())]
    Source {
        directory: PathBuf,
        #[source]
        source: image::DiskError,
    },
    #[error("the patch {} does not apply to {}", path.display(), directory.display())]
    DoesNotApply {
        path: PathBuf,
        directory: PathBuf,
        #[source]
        refusal: Box<Refusal>,
    },
}

/// What programs are told after a check.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Applies<'d> {
    files: Vec<FileChange>,
    applies_to: &'d Path,
}

pub fn run(args: &args::Patch, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let patches = read_all(&args.files).map_err(refused)?;
    let files: Vec<FileChange> = patches
        .iter()
        .flat_map(|(_, patch)| changes(patch))
        .collect();
    if !terminal.is_json() {
        terminal.say_all(render::diffstat::lines(&files))?;
    }
    if let Some(directory) = &args.check {
        check(&patches, directory).map_err(refused)?;
    }
    match &args.check {
        Some(directory) if terminal.is_json() => terminal.json(&Applies {
            files,
            applies_to: directory,
        })?,
        Some(directory) => {
            terminal.note(Line::new().plain(format!("applies to {}", directory.display())));
        }
        None if terminal.is_json() => terminal.json(&files)?,
        None => {}
    }
    Ok(Exit::Done)
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<(&PathBuf, Patch)>, Error> {
    paths.iter().map(|path| Ok((path, read(path)?))).collect()
}

fn read(path: &Path) -> Result<Patch, Error> {
    let text = std::fs::read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?;
    Patch::parse(&text).map_err(|refusal| Error::Malformed {
        path: path.to_owned(),
        refusal: Box::new(refusal),
    })
}

/// Applies the patches one after another, in memory.
fn check(patches: &[(&PathBuf, Patch)], directory: &Path) -> Result<(), Error> {
    let mut tree = Tree::read(directory, &[]).map_err(|source| Error::Source {
        directory: directory.to_owned(),
        source,
    })?;
    for (path, patch) in patches {
        tree = patch.apply(&tree).map_err(|refusal| Error::DoesNotApply {
            path: path.to_path_buf(),
            directory: directory.to_owned(),
            refusal: Box::new(refusal),
        })?;
    }
    Ok(())
}

fn changes(patch: &Patch) -> Vec<FileChange> {
    let files = patch.stat().files.into_iter();
    files
        .map(|file| FileChange {
            path: file.path,
            added: file.added,
            removed: file.deleted,
        })
        .collect()
}

fn refused(error: Error) -> Failure {
    let hint = match &error {
        Error::Malformed { .. } => Some("write it anew with `git format-patch` or `git diff`"),
        Error::DoesNotApply { .. } => {
            Some("make it against this source, or release the source it was made for")
        }
        Error::Read { .. } | Error::Source { .. } => None,
    };
    let failure = Failure::new(Exit::Invalid, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
