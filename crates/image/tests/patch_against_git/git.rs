//! The real git: writes patches, and applies them.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use image::tree::{Kind, Tree};
use proptest::prelude::*;
use tempfile::TempDir;

use super::files::Files;

/// How git is asked to write a patch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Format {
    Diff {
        context: usize,
        prefix: bool,
    },
    /// The output of `git format-patch`.
    Mail,
    /// As from `diff -u`: names and hunks only.
    Plain {
        prefix: bool,
    },
}

impl Format {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            3 => Just(Self::Diff { context: 3, prefix: true }),
            1 => (0..3_usize, any::<bool>()).prop_map(|(context, prefix)| Self::Diff { context, prefix }),
            1 => Just(Self::Mail),
            1 => any::<bool>().prop_map(|prefix| Self::Plain { prefix }),
        ]
    }

    /// Whether git can apply what it writes in this format: it needs a prefix, context and the
    /// extended header lines.
    pub(crate) fn is_complete(self) -> bool {
        matches!(
            self,
            Self::Mail
                | Self::Diff {
                    context: 1..,
                    prefix: true
                }
        )
    }
}

/// A repository to write patches in. Each thread has its own, as tests may run beside each other.
fn with_repository<T>(work: impl FnOnce(&Path) -> T) -> T {
    thread_local! {
        static REPOSITORY: TempDir = {
            let directory = TempDir::new().unwrap();
            assert!(run(directory.path(), &["init", "-q", "--bare"], b"").status.success());
            directory
        };
    }
    REPOSITORY.with(|directory| work(directory.path()))
}

fn run(directory: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("git")
        .args(["-c", "core.fsync=none"])
        .args(arguments)
        .current_dir(directory)
        .env_remove("GIT_DIR")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CEILING_DIRECTORIES", std::env::temp_dir())
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("git is installed");
    child.stdin.take().unwrap().write_all(input).ok();
    child.wait_with_output().unwrap()
}

/// The patch that makes `after` of `before`.
pub(crate) fn diff(before: &Files, after: &Files, format: Format) -> Vec<u8> {
    let mut stream = Vec::new();
    commit(&mut stream, "before", before);
    commit(&mut stream, "after", after);
    let context = match format {
        Format::Diff { context, .. } => format!("-U{context}"),
        _ => "-U3".to_owned(),
    };
    let mut arguments = match format {
        Format::Mail => vec!["format-patch", "--stdout", "before..after"],
        _ => vec!["diff-tree", "-p", "before", "after", &context],
    };
    arguments.extend(["-M", "-C", "--find-copies-harder", "--binary"]);
    if let Format::Diff { prefix: false, .. } | Format::Plain { prefix: false } = format {
        arguments.push("--no-prefix");
    }
    let written = with_repository(|repository| {
        let imported = run(repository, &["fast-import", "--quiet", "--force"], &stream);
        assert!(imported.status.success(), "{imported:?}");
        run(repository, &arguments, b"")
    });
    assert!(written.status.success(), "{written:?}");
    match format {
        Format::Plain { .. } => plain(&written.stdout),
        _ => written.stdout,
    }
}

/// Applies a patch to files in a directory outside any repository; what git says if it refuses.
pub(crate) fn apply(files: &Files, patch: &[u8]) -> Result<Files, String> {
    let place = TempDir::new().unwrap();
    let tree = place.path().join("tree");
    files.to_tree().write_to(&tree).unwrap();
    fs::write(place.path().join("patch"), patch).unwrap();
    let applied = run(&tree, &["apply", "../patch"], b"");
    if applied.status.success() {
        Ok(Files::of_tree(&Tree::read(&tree, &[]).unwrap()))
    } else {
        Err(String::from_utf8_lossy(&applied.stderr).into_owned())
    }
}

/// How many lines a patch adds and deletes, and in which files.
pub(crate) fn numstat(patch: &[u8]) -> Vec<(u64, u64, String)> {
    let place = TempDir::new().unwrap();
    let written = run(place.path(), &["apply", "--numstat", "-z"], patch);
    let text = String::from_utf8(written.stdout).unwrap();
    let row = |line: &str| {
        let mut columns = line.splitn(3, '\t').map(str::to_owned);
        let mut next = || columns.next().unwrap();
        (next().parse().unwrap(), next().parse().unwrap(), next())
    };
    text.split_terminator('\0').map(row).collect()
}

fn commit(stream: &mut Vec<u8>, branch: &str, files: &Files) {
    let parent = if branch == "after" {
        "from refs/heads/before\ndeleteall\n"
    } else {
        ""
    };
    write!(
        stream,
        "reset refs/heads/{branch}\ncommit refs/heads/{branch}\ncommitter A <a@b> 0 +0000\ndata 8\nSubject\n\n{parent}"
    )
    .unwrap();
    for (path, file) in &files.0 {
        let mode = match file.kind {
            Kind::File => "100644",
            Kind::Executable => "100755",
            Kind::Symlink => "120000",
        };
        let quoted = path.replace('\\', "\\\\").replace('"', "\\\"");
        write!(
            stream,
            "M {mode} inline \"{quoted}\"\ndata {}\n",
            file.bytes.len()
        )
        .unwrap();
        stream.write_all(&file.bytes).unwrap();
        stream.write_all(b"\n").unwrap();
    }
}

/// Only what `diff -u` would have written.
fn plain(patch: &[u8]) -> Vec<u8> {
    let kept = |line: &&[u8]| {
        let extended = [
            "diff --git",
            "index ",
            "old mode",
            "new mode",
            "new file",
            "deleted file",
            "rename ",
            "copy ",
            "similarity",
        ];
        !extended
            .iter()
            .any(|start| line.starts_with(start.as_bytes()))
    };
    patch
        .split_inclusive(|byte| *byte == b'\n')
        .filter(kept)
        .collect::<Vec<_>>()
        .concat()
}
