//! Files that only their owner may read, replaced whole.
//!
//! Written beside and renamed, so a crash leaves the old one or the new one, and never half of one.

use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use tempfile::NamedTempFile;

/// Makes the directory as well, where there is none.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    // Its owner alone can read a temporary file.
    let mut draft = NamedTempFile::new_in(directory)?;
    draft.write_all(bytes)?;
    draft.as_file().sync_data()?;
    draft.persist(file)?;
    Ok(())
}
