//! Patches get the verdict of `git apply`, and the same tree, on whatever is made of real ones.
//!
//! Each case makes two versions of a small tree, lets git write the difference, damages the patch
//! and the tree it goes to in a few places, and applies it twice: by git in an empty directory, and
//! by this crate. `PROPTEST_CASES` sets how many cases there are.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may fail by panicking"
)]

#[path = "patch_against_git/damage.rs"]
mod damage;
#[path = "patch_against_git/files.rs"]
mod files;
#[path = "patch_against_git/git.rs"]
mod git;
#[path = "patch_against_git/others.rs"]
mod others;

use image::patch::{Patch, Reason, Refusal};
use proptest::prelude::*;

use damage::Damage;
use files::{Edit, Files};
use git::Format;
use others::Other;

/// Applies `patch` both ways and compares. Says whether it applies.
fn compare(files: &Files, patch: &[u8]) -> Result<bool, TestCaseError> {
    let theirs = git::apply(files, patch);
    let ours = Patch::parse(patch).and_then(|patch| patch.apply(&files.to_tree()));
    let difference = match (&theirs, &ours) {
        (Ok(theirs), Ok(ours)) if Files::of_tree(ours) == *theirs || may_join_lines(patch) => {
            return Ok(true);
        }
        (Ok(theirs), Ok(ours)) => format!("ours {:?}, git's {theirs:?}", Files::of_tree(ours)),
        (Err(_), Err(_)) => return Ok(false),
        (Ok(_), Err(refusal)) if is_stricter(refusal) || may_join_lines(patch) => return Ok(false),
        (Ok(_), Err(refusal)) => format!("only git applies it: {refusal}"),
        (Err(words), Ok(_)) => format!("only git refuses it: {words}"),
    };
    let patch = String::from_utf8_lossy(patch);
    Err(TestCaseError::fail(format!(
        "{difference}\n{patch}\nto {files:?}"
    )))
}

/// The reasons for which this crate, by intention, refuses what git may accept.
fn is_stricter(refusal: &Refusal) -> bool {
    matches!(
        refusal.reason,
        Reason::Binary
            | Reason::BadMode
            | Reason::UnsupportedMode(_)
            | Reason::Directory
            | Reason::Contradiction
            | Reason::BadQuotes
    )
}

/// Whether an old line of the patch has no line end. Git also finds it where the file goes on
/// behind it, and then joins two lines of the file; this crate finds it at the file's end only.
fn may_join_lines(patch: &[u8]) -> bool {
    let lines: Vec<_> = patch.split(|byte| *byte == b'\n').collect();
    let old_without_end =
        |pair: &[&[u8]]| pair[1].starts_with(b"\\ ") && !pair[0].starts_with(b"+");
    lines.windows(2).any(old_without_end)
}

/// Git needs longer to write a patch than to apply it: so each patch is damaged in several ways.
const WAYS: usize = 4;

fn config() -> ProptestConfig {
    let wanted = ProptestConfig::default();
    let cases = wanted.cases.div_ceil(WAYS as u32);
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..wanted
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn an_undamaged_patch_applies(
        before in files::any(),
        edits in prop::collection::vec(Edit::any(), 1..6),
        format in Format::any(),
    ) {
        let after = files::edited(&before, &edits);
        let patch = git::diff(&before, &after, format);
        let applied = compare(&before, &patch)?;
        if format.is_complete() && !before.has_links() {
            // With nothing changed there is nothing to apply. What takes the place of a link, git
            // may refuse.
            prop_assert_eq!(applied, before != after);
        }
        if applied {
            let stat = Patch::parse(&patch).unwrap().stat();
            let counts = stat.files.iter().map(|file| (file.added, file.deleted, file.path.clone()));
            prop_assert_eq!(counts.collect::<Vec<_>>(), git::numstat(&patch));
        }
    }

    #[test]
    fn a_damaged_patch_gets_the_same_verdict(
        before in files::any(),
        edits in prop::collection::vec(Edit::any(), 1..5),
        format in Format::any(),
        ways in prop::collection::vec(prop::collection::vec(Damage::any(), 1..4), WAYS),
    ) {
        let after = files::edited(&before, &edits);
        let patch = git::diff(&before, &after, format);
        for damages in ways {
            compare(&before, &damage::patch(patch.clone(), &damages))?;
        }
    }

    #[test]
    fn a_patch_for_another_tree_gets_the_same_verdict(
        before in files::any(),
        edits in prop::collection::vec(Edit::any(), 1..5),
        format in Format::any(),
        ways in prop::collection::vec(
            (prop::collection::vec(Other::any(), 1..4), prop::collection::vec(Damage::any(), 0..2)),
            WAYS,
        ),
    ) {
        let after = files::edited(&before, &edits);
        let patch = git::diff(&before, &after, format);
        for (others, damages) in ways {
            let files = others::files(&before, &others);
            compare(&files, &damage::patch(patch.clone(), &damages))?;
        }
    }
}
