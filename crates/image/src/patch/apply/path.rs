//! Which paths a patch may write: those inside the tree, outside any `.git`, on every file system.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What file systems allow for one part of a path.
const LONGEST_PART: usize = 255;

/// Whether a path from a patch stays in the tree. Symbolic links must keep away from more names
/// than files.
pub(super) fn is_safe(path: &Path, is_symlink: bool) -> bool {
    let text = path.as_os_str().as_bytes();
    let parts = || text.split(|byte| *byte == b'/');
    // Some file systems take a backslash for a separator, or ignore what follows a name.
    let disguised = || text.split(|byte| matches!(byte, b'/' | b'\\'));
    parts().all(is_plain_part)
        && !disguised().any(is_git_directory)
        && !(is_symlink && disguised().any(|part| part.eq_ignore_ascii_case(b".gitmodules")))
}

fn is_plain_part(part: &[u8]) -> bool {
    !matches!(part, b"" | b"." | b"..") && part.len() <= LONGEST_PART && !part.contains(&0)
}

/// Whether a part of a path means `.git` on some file system: in any case, as its short name
/// `git~1`, with dots and spaces behind it or with a stream name behind a colon.
fn is_git_directory(part: &[u8]) -> bool {
    let name = part.split(|byte| *byte == b':').next().unwrap_or_default();
    let end = name
        .iter()
        .rposition(|byte| !matches!(byte, b'.' | b' '))
        .map_or(0, |at| at + 1);
    let name = name.get(..end).unwrap_or_default();
    name.eq_ignore_ascii_case(b".git") || name.eq_ignore_ascii_case(b"git~1")
}
