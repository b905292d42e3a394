//! The diffstat of a release's patches.

use server::api::types::FileChange;

use super::{number, table};
use crate::line::Line;

/// The longest row of signs; larger changes are scaled down to it.
const WIDEST: u64 = 40;

/// A row a file and a sum.
pub fn lines(files: &[FileChange]) -> Vec<Line> {
    let largest = files
        .iter()
        .map(|file| file.added + file.removed)
        .max()
        .unwrap_or_default();
    let rows = files.iter().map(|file| {
        let signs = Line::new().good(signs('+', file.added, largest)).bad(signs(
            '-',
            file.removed,
            largest,
        ));
        let changed = Line::new().plain(number::count(file.added + file.removed));
        vec![Line::new().plain(&file.path), changed, signs]
    });
    let mut lines = table::columns(rows.collect());
    lines.push(sum(files));
    lines
}

fn sum(files: &[FileChange]) -> Line {
    let added = files.iter().map(|file| file.added).sum();
    let removed = files.iter().map(|file| file.removed).sum();
    Line::new().faint(format!(
        "{} changed, {} added, {} removed",
        number::of(files.len() as u64, "file"),
        number::of(added, "line"),
        number::of(removed, "line"),
    ))
}

/// As many signs as lines, or in proportion where there are too many.
fn signs(sign: char, lines: u64, largest: u64) -> String {
    let shown = match largest {
        0..=WIDEST => lines,
        _ => (lines * WIDEST).div_ceil(largest),
    };
    (0..shown).map(|_| sign).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, added: u64, removed: u64) -> FileChange {
        FileChange {
            path: path.to_owned(),
            added,
            removed,
        }
    }

    #[test]
    fn files_line_up_and_are_summed() {
        let lines = lines(&[change("code_hash.txt", 1, 1), change("src/server.cr", 2, 0)]);
        let text: Vec<String> = lines.iter().map(|line| line.paint(false)).collect();
        assert_eq!(
            text,
            [
                "code_hash.txt  2  +-",
                "src/server.cr  2  ++",
                "2 files changed, 3 lines added, 1 line removed"
            ]
        );
    }

    #[test]
    fn large_changes_are_scaled_and_small_ones_stay_visible() {
        let lines = lines(&[change("a", 4000, 0), change("b", 1, 0)]);
        let text: Vec<String> = lines.iter().map(|line| line.paint(false)).collect();
        assert_eq!(text[0], format!("a  4,000  {}", "+".repeat(40)));
        assert_eq!(text[1], "b  1      +");
    }
}
