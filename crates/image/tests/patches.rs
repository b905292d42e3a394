//! What patches do and what refusals say, by example. That the verdicts are git's is tested in
//! `patch_against_git`.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::Path;

use image::patch::{Patch, Refusal};
use image::tree::{Entry, Kind, Tree};

const SERVER: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n";

fn tree() -> Tree {
    let mut tree = Tree::default();
    for (path, kind, text) in [
        ("src/server.cr", Kind::File, SERVER),
        ("run.sh", Kind::Executable, "#!/bin/sh\n"),
        ("link", Kind::Symlink, "src"),
    ] {
        tree.insert(Path::new(path), Entry::new(kind, text.as_bytes()))
            .unwrap();
    }
    tree
}

fn apply(patch: &str) -> Result<Tree, Refusal> {
    Patch::parse(patch.as_bytes())?.apply(&tree())
}

fn text(tree: &Tree, path: &str) -> String {
    String::from_utf8(
        tree.get(Path::new(path))
            .unwrap()
            .bytes()
            .unwrap()
            .into_owned(),
    )
    .unwrap()
}

/// Two mails, as `git format-patch --stdout` writes them, of which the second builds on the first.
const SERIES: &str = "\
From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: Somebody <somebody@example.org>
Date: Thu, 1 Jan 2026 00:00:00 +0000
Subject: [PATCH 1/2] Say which version it is

A message with a line that looks like a change:
--- a/no
 file
---
 src/server.cr | 2 +-
 version.txt   | 1 +
 2 files changed, 2 insertions(+), 1 deletion(-)
 create mode 100755 version.txt

diff --git a/src/server.cr b/src/server.cr
index 1111111..2222222 100644
--- a/src/server.cr
+++ b/src/server.cr
@@ -1,4 +1,4 @@
-one
+ONE
 two
 three
 four
diff --git a/version.txt b/version.txt
new file mode 100755
index 0000000..3333333
--- /dev/null
+++ b/version.txt
@@ -0,0 +1 @@
+canary
\\ No newline at end of file
-- 
2.47.3

From 1123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
Subject: [PATCH 2/2] Say it twice

---
 src/server.cr => server.cr | 3 ++-
 1 file changed, 1 insertion(+)

diff --git a/src/server.cr b/src/server.cr
index 2222222..4444444 100644
--- a/src/server.cr
+++ b/src/server.cr
@@ -1,5 +1,6 @@
 ONE
 two
+two and a half
 three
 four
 five
-- 
2.47.3
";

#[test]
fn a_series_of_mails_applies_in_order() {
    let applied = apply(SERIES).unwrap();
    assert_eq!(
        text(&applied, "src/server.cr"),
        SERVER.replace("one\ntwo\n", "ONE\ntwo\ntwo and a half\n")
    );
    assert_eq!(text(&applied, "version.txt"), "canary");
    assert_eq!(
        applied.get(Path::new("version.txt")).unwrap().kind(),
        Kind::Executable
    );
    assert_eq!(
        text(&tree(), "src/server.cr"),
        SERVER,
        "the tree itself is unchanged"
    );

    let stat = Patch::parse(SERIES.as_bytes()).unwrap().stat();
    let rows: Vec<_> = stat
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.added, file.deleted))
        .collect();
    assert_eq!(
        rows,
        [
            ("src/server.cr", 1, 1),
            ("version.txt", 1, 0),
            ("src/server.cr", 1, 0)
        ]
    );
}

#[test]
fn a_refusal_says_which_hunk_of_which_file_and_why() {
    let patch = "\
--- a/src/server.cr
+++ b/src/server.cr
@@ -1,2 +1,3 @@
 one
+one and a half
 two
@@ -4,3 +5,3 @@ def handle
 four
-fife
+FIVE
 six
";
    let refusal = apply(patch).unwrap_err();
    assert_eq!(refusal.path.as_deref(), Some(Path::new("src/server.cr")));
    assert_eq!(
        refusal.hunk.as_ref().map(|hunk| (hunk.number, hunk.line)),
        Some((2, 7))
    );
    assert_eq!(
        refusal.to_string(),
        "src/server.cr: hunk 2 (`@@ -4,3 +5,3 @@ def handle`) does not apply: line 6 is \"five\\n\", \
         where the hunk has \"fife\\n\" (line 7 of the patch)"
    );
}

#[test]
fn each_fault_has_its_reason() {
    let hunk = "@@ -1 +1 @@\n-#!/bin/sh\n+#!/bin/bash\n";
    let change = |old: &str, new: &str| format!("--- {old}\n+++ {new}\n{hunk}");
    let git = |path: &str, lines: &str| format!("diff --git a/{path} b/{path}\n{lines}");
    let new_file = "new file mode 100644\n--- /dev/null\n+++ b/run.sh\n@@ -0,0 +1 @@\n+x\n";
    let table = [
        (String::new(), "there is no change"),
        ("only words\n".to_owned(), "there is no change"),
        (hunk.to_owned(), "follows no file header"),
        (
            change("a/run.sh", "b/run.sh").replace("-1 ", "-1,2 "),
            "corrupt patch",
        ),
        (
            change("a/run.sh", "b/run.sh").replace("+#!/bin/bash\n", ""),
            "corrupt patch",
        ),
        (
            change("a/run.sh", "b/run.sh").replace("+#!", "#!"),
            "corrupt patch",
        ),
        (change("a/", "b/"), "does not say which file"),
        (change("\"a/run.sh", "b/run.sh"), "quotes"),
        (
            change("a/missing", "b/missing"),
            "missing: there is no such file",
        ),
        (change("a/src", "b/src"), "it is a directory"),
        (
            change("a/run.sh/x", "b/run.sh/x"),
            "a part of its path is a file",
        ),
        (
            change("a/link/server.cr", "b/link/server.cr"),
            "symbolic link",
        ),
        (
            change("a/../run.sh", "b/../run.sh"),
            "there is no such file",
        ),
        (git("run.sh", new_file), "the file is there already"),
        (
            git("run.sh", new_file).replace("run.sh", "../up"),
            "leaves the tree",
        ),
        (
            git("run.sh", new_file).replace("run.sh", "x/.GIT/config"),
            "leaves the tree",
        ),
        (
            git("run.sh", new_file).replace("run.sh", "link/up"),
            "symbolic link",
        ),
        (git("run.sh", "deleted file mode 100755\n"), "lines remain"),
        (
            git("run.sh", "old mode 100755\nnew mode 120000\n"),
            "without being deleted first",
        ),
        (
            git("link", "deleted file mode 100644\n"),
            "file where the patch says symbolic link",
        ),
        (
            git("run.sh", "old mode 160000\nnew mode 160000\n"),
            "mode 160000",
        ),
        (git("run.sh", "old mode x\n"), "does not give a mode"),
        (git("run.sh", "index 1..2\n"), "nothing behind it"),
        (
            git("run.sh", "rename from run.sh\nnew file mode 100644\n"),
            "contradicts",
        ),
        (
            git("run.sh", "--- a/run.sh\n--- a/other\n"),
            "names another file",
        ),
        (
            git("a.png", "index 1..2 100644\nGIT binary patch\nliteral 0\n"),
            "binary",
        ),
        (
            git(
                "a.png",
                "index 1..2 100644\nBinary files a/a.png and b/a.png differ\n",
            ),
            "binary",
        ),
    ];
    for (patch, reason) in table {
        let refusal = apply(&patch).map(|_| ()).unwrap_err().to_string();
        assert!(
            refusal.contains(reason),
            "{refusal:?} does not say {reason:?}, of\n{patch}"
        );
    }
}

#[test]
fn a_hunk_goes_to_the_nearest_place_where_its_lines_are() {
    let mut tree = Tree::default();
    let lines: Vec<String> = (0..40).map(|line| format!("{}\n", line % 10)).collect();
    tree.insert(
        Path::new("f"),
        Entry::new(Kind::File, lines.concat().as_bytes()),
    )
    .unwrap();
    // `4 5 6` stands on the lines 5, 15, 25 and 35.
    for (named, line) in [
        (2, 5),
        (5, 5),
        (9, 5),
        (10, 15),
        (11, 15),
        (19, 15),
        (20, 25),
        (99, 35),
    ] {
        let patch = format!("--- a/f\n+++ b/f\n@@ -{named},3 +{named},3 @@\n 4\n-5\n+X\n 6\n");
        let applied = Patch::parse(patch.as_bytes())
            .unwrap()
            .apply(&tree)
            .unwrap();
        let found = text(&applied, "f").lines().position(|line| line == "X");
        assert_eq!(found, Some(line), "the hunk named line {named}");
    }
}
