//! How a new file comes to be: whole, or not at all.
//!
//! redb cannot open a file whose making was cut short. So a new store is made under a temporary name and gets its own
//! name when it is on disk; a crash before leaves a temporary file at most, and the next start makes the store.

use std::fs;
use std::io;
use std::path::Path;

use redb::Builder;

use super::tables;
use crate::record::Edit;

/// Whether there was something to make.
#[derive(Debug)]
pub(super) enum Created {
    New,
    Existed,
}

/// Makes a file with these records, unless there is one with this name: then it is left alone.
pub(super) fn create(path: &Path, revision: u64, edits: &[Edit]) -> Result<Created, redb::Error> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let temporary = tempfile::Builder::new()
        .prefix(".new-store-")
        .tempfile_in(directory)?;
    let database = Builder::new().create(temporary.path())?;
    let transaction = database.begin_write()?;
    tables::create(&transaction)?;
    tables::write(&transaction, revision, edits)?;
    transaction.commit()?;
    database.close()?;

    match temporary.persist_noclobber(path) {
        Ok(_) => {}
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
            return Ok(Created::Existed);
        }
        Err(refused) => return Err(refused.error.into()),
    }
    // The name is on disk only when its directory is.
    fs::File::open(directory)?.sync_all()?;
    Ok(Created::New)
}
