//! Patches that are large, or made to be slow, get their verdict in linear time: quadratic work on
//! any of these would take minutes.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::Path;

use image::patch::Patch;
use image::tree::{Entry, Kind, Tree};

const HEADER: &str = "diff --git a/a b/a\nindex 1..2 100644\n--- a/a\n+++ b/a\n";

fn tree(content: &str) -> Tree {
    let mut tree = Tree::default();
    let entry = Entry::new(Kind::File, content.as_bytes());
    tree.insert(Path::new("a"), entry).unwrap();
    tree
}

#[test]
fn hostile_patches_are_refused_soon() {
    let tree = tree(&"x\n".repeat(400_000));
    let same = " x\n".repeat(200_000);
    let table = [
        (
            format!("diff --git a/{}\nindex\n\n", " b/".repeat(500_000)),
            "does not say which file",
        ),
        (
            format!("diff --git a/{}\nindex\n\n", " ".repeat(1_000_000)),
            "does not say which file",
        ),
        ("diff --git a/a b/a\n".repeat(100_000), "no change"),
        ("--- a\n+++ b\n@@ -\n".repeat(50_000), "corrupt patch"),
        ("--- \"a\n+++ \"b\n@@ -1 +1 @@\n".repeat(50_000), "quotes"),
        (
            format!(
                "{HEADER}@@ -1,999999 +1,999999 @@\n{}",
                " \n".repeat(999_999)
            ),
            "corrupt patch",
        ),
        (
            format!("{HEADER}@@ -5,200002 +5,200002 @@\n{same}-y\n+z\n x\n"),
            "hunk 1",
        ),
        (
            format!(
                "--- {0}\n+++ {0}\n@@ -1 +1 @@\n-a\n+b\n",
                "\"\\1".repeat(300_000)
            ),
            "quotes",
        ),
    ];
    for (patch, reason) in table {
        let verdict = Patch::parse(patch.as_bytes()).and_then(|patch| patch.apply(&tree));
        let refusal = verdict.map(|_| ()).unwrap_err().to_string();
        let start: String = patch.chars().take(80).collect();
        assert!(
            refusal.contains(reason),
            "{refusal:.200} does not say {reason:?}, of {start}…"
        );
    }
}

#[test]
fn many_hunks_apply_to_a_long_file() {
    let lines = 0..100_000;
    let content: String = lines.clone().map(|line| format!("{line}\n")).collect();
    let hunk = |line| {
        let (start, before, after) = (line, line - 1, line + 1);
        format!("@@ -{start},3 +{start},3 @@\n {before}\n-{line}\n+changed\n {after}\n")
    };
    let hunks: String = lines.skip(10).step_by(10).map(hunk).collect();
    let patch = Patch::parse(format!("{HEADER}{hunks}").as_bytes()).unwrap();
    let applied = patch.apply(&tree(&content)).unwrap();
    let changed = applied.get(Path::new("a")).unwrap().bytes().unwrap();
    let text = String::from_utf8_lossy(&changed);
    assert_eq!(
        text.lines().filter(|line| *line == "changed").count(),
        9_999
    );
}
