//! Gives every task a directory of its own: a copy of the artifact with its permissions and symbolic
//! links. It appears whole or not at all, and stays over restarts of the task.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
#[error("could not copy {path}")]
pub(super) struct CopyError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Makes `copy` unless it is there already.
pub(super) fn make(artifact: &Path, copy: &Path) -> Result<(), CopyError> {
    if copy.is_dir() {
        return Ok(());
    }
    let partial = copy.with_extension("partial");
    delete(&partial).map_err(at(&partial))?;
    let made = copy_directory(artifact, &partial)
        .and_then(|()| fs::rename(&partial, copy).map_err(at(copy)));
    if made.is_err() {
        // On a full disk half a copy would only be in the way; why there is no copy matters more than
        // why this failed, too.
        delete(&partial).ok();
    }
    made
}

/// Deletes a directory with all that is in it, if it is there. A task may have forbidden itself to write
/// somewhere in its working copy; that does not keep it.
pub(super) fn delete(directory: &Path) -> io::Result<()> {
    let deleted = fs::remove_dir_all(directory).or_else(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            make_writable(directory)?;
            fs::remove_dir_all(directory)
        }
        _ => Err(error),
    });
    match deleted {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        deleted => deleted,
    }
}

fn make_writable(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

fn copy_directory(from: &Path, to: &Path) -> Result<(), CopyError> {
    let permissions = fs::metadata(from).map_err(at(from))?.permissions();
    fs::create_dir(to).map_err(at(to))?;
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        copy_entry(&entry, &to.join(entry.file_name()))?;
    }
    // The owner may always write, or the copy could not be deleted again.
    let writable = Permissions::from_mode(permissions.mode() | 0o700);
    fs::set_permissions(to, writable).map_err(at(to))
}

fn copy_entry(entry: &fs::DirEntry, to: &Path) -> Result<(), CopyError> {
    let from = entry.path();
    let kind = entry.file_type().map_err(at(&from))?;
    if kind.is_dir() {
        copy_directory(&from, to)
    } else if kind.is_symlink() {
        fs::read_link(&from)
            .and_then(|target| symlink(target, to))
            .map_err(at(&from))
    } else if kind.is_file() {
        // Shares the blocks where the file system can, and keeps the permissions.
        fs::copy(&from, to).map(drop).map_err(at(&from))
    } else {
        Err(at(&from)(io::Error::new(
            io::ErrorKind::Unsupported,
            "neither a file, nor a directory, nor a symbolic link",
        )))
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> CopyError {
    let path = path.to_owned();
    |source| CopyError { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn keeps_contents_permissions_and_links_but_shares_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let artifact = directory.path().join("artifact");
        fs::create_dir_all(artifact.join("bin/deep")).unwrap();
        fs::write(artifact.join("bin/run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(artifact.join("bin/run"), Permissions::from_mode(0o751)).unwrap();
        fs::set_permissions(artifact.join("bin/deep"), Permissions::from_mode(0o555)).unwrap();
        symlink("bin/run", artifact.join("start")).unwrap();
        symlink("/nowhere/at/all", artifact.join("dangling")).unwrap();

        let copy = directory.path().join("work");
        make(&artifact, &copy).unwrap();
        let mode = |path: &str| copy.join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("bin/run"), 0o751);
        assert_eq!(mode("bin/deep"), 0o755);
        assert_eq!(
            fs::read_link(copy.join("start")).unwrap(),
            Path::new("bin/run")
        );
        assert_eq!(
            fs::read_link(copy.join("dangling")).unwrap(),
            Path::new("/nowhere/at/all")
        );

        fs::write(copy.join("bin/run"), "changed").unwrap();
        assert_eq!(
            fs::read_to_string(artifact.join("bin/run")).unwrap(),
            "#!/bin/sh\n"
        );
        make(&artifact, &copy).unwrap();
        assert_eq!(fs::read_to_string(copy.join("bin/run")).unwrap(), "changed");
    }

    #[test]
    fn what_cannot_be_copied_is_named_and_leaves_no_half_copy() {
        let directory = tempfile::tempdir().unwrap();
        let artifact = directory.path().join("artifact");
        fs::create_dir(&artifact).unwrap();
        let socket = artifact.join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();

        let copy = directory.path().join("work");
        let error = make(&artifact, &copy).unwrap_err();
        assert_eq!(error.path, socket);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);

        fs::remove_file(&socket).unwrap();
        make(&artifact, &copy).unwrap();
        assert!(copy.is_dir());
    }

    /// The superuser may delete anything; for anybody else this takes more than deleting.
    #[test]
    fn a_directory_that_forbids_writing_is_deleted_as_well() {
        let directory = tempfile::tempdir().unwrap();
        let sealed = directory.path().join("work/module/sealed");
        fs::create_dir_all(&sealed).unwrap();
        fs::write(sealed.join("file"), "").unwrap();
        fs::set_permissions(&sealed, Permissions::from_mode(0o500)).unwrap();
        fs::set_permissions(sealed.parent().unwrap(), Permissions::from_mode(0o000)).unwrap();
        delete(&directory.path().join("work")).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        delete(&directory.path().join("work")).unwrap();
    }
}
