//! Where a task's output goes: straight into a file, so that it needs no server to be alive.
//!
//! At most twice the limit is kept: the log and the one before it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Opens the log for a new run; one that is too long becomes the earlier one.
pub(super) fn open(path: &Path, limit: u64) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    if is_too_long(path, limit)? {
        fs::rename(path, earlier(path))?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

/// Cuts a log that is being written. The writer holds the file open and appends, so the file is copied
/// and emptied; lines written between the two are lost.
pub(super) fn cut(path: &Path, limit: u64) -> io::Result<()> {
    if is_too_long(path, limit)? {
        fs::copy(path, earlier(path))?;
        OpenOptions::new().write(true).open(path)?.set_len(0)?;
    }
    Ok(())
}

fn is_too_long(path: &Path, limit: u64) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len() > limit),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn earlier(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_run_appends_until_the_log_is_too_long() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crystal/epoch/0.log");
        for (line, log, before) in [
            ("one\n", "one\n", None),
            ("two\n", "one\ntwo\n", None),
            ("three\n", "three\n", Some("one\ntwo\n")),
        ] {
            open(&path, 6).unwrap().write_all(line.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), log);
            assert_eq!(fs::read_to_string(earlier(&path)).ok().as_deref(), before);
        }
    }

    #[test]
    fn a_log_that_is_cut_goes_on_from_its_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.log");
        let mut writer = open(&path, 4).unwrap();
        writer.write_all(b"first\n").unwrap();
        cut(&path, 4).unwrap();
        writer.write_all(b"new\n").unwrap();
        cut(&path, 4).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
        assert_eq!(fs::read_to_string(earlier(&path)).unwrap(), "first\n");
    }
}
