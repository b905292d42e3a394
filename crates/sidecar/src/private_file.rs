//! Files that only their owner may read, replaced whole.
//!
//! Written beside and renamed, so a crash leaves the old one or the new one, and never half of one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes the directory as well, where there is none.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    // Of this process: while one replaces another, both may write.
    let draft = file.with_extension(format!("draft-{}", std::process::id()));
    let mut open = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    open.write_all(bytes)?;
    open.sync_data()?;
    fs::rename(draft, file)
}
