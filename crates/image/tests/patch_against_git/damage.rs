//! Damage to the text of patches.

use proptest::prelude::*;

/// Damage to the text of a patch. Numbers are taken modulo what there is.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    RemoveLine(usize),
    RepeatLine(usize),
    SwapLines(usize),
    InsertLine(usize, Vec<u8>),
    ReplaceByte(usize, u8),
    RemoveByte(usize),
    Cut(usize),
    ChangeCount { hunk: usize, number: usize, to: u32 },
    Rename { from: String, to: String },
    CarriageReturns,
    Repeat,
    Stamp(usize, String),
    StripSigns,
}

/// Lines that mean something in a patch.
const TELLING_LINES: [&str; 38] = [
    "--- a/a\n",
    "+++ b/a\n",
    "--- a\n",
    "+++ a\n",
    "--- /dev/null\n",
    "+++ /dev/null\n",
    "+++ b/d/c\n",
    "@@ -1 +1 @@\n",
    "@@ -0,0 +1 @@\n",
    "@@ -1,2 +1,2 @@ fn\n",
    "@@ -3,0 +4 @@\n",
    "diff --git a/a b/a\n",
    "diff --git a/a b/b.txt\n",
    "diff --git a b\n",
    "diff --git \"a/\\303\\274\" \"b/\\303\\274\"\n",
    "old mode 100644\n",
    "new mode 100755\n",
    "new mode 120000\n",
    "new file mode 100644\n",
    "new file mode 120000\n",
    "deleted file mode 100644\n",
    "rename from a\n",
    "rename to d/c\n",
    "copy from a\n",
    "copy to b.txt\n",
    "similarity index 100%\n",
    "index 1234567..89abcde 100644\n",
    "index 1234567..89abcde\n",
    "\\ No newline at end of file\n",
    "Binary files a/a and b/a differ\n",
    "GIT binary patch\n",
    "-- \n",
    "\n",
    " \n",
    " a\n",
    "-a\n",
    "+a\n",
    "From: somebody <a@b>\n",
];

const NAMES: [&str; 20] = [
    "a",
    "b.txt",
    "d",
    "d/c",
    "d/e/f",
    "../a",
    "/a",
    "./a",
    ".git/config",
    ".GIT/x",
    "git~1",
    ".git . /x",
    "d//c",
    "d/",
    "a/x",
    "nothing",
    "\"a\"",
    "s p",
    "x\\.git/y",
    "",
];

const STAMPS: [&str; 6] = [
    "\t2020-02-02 10:11:12.123456789 +0100",
    "\t1970-01-01 00:00:00.000000000 +0000",
    "\t1969-12-31 19:00:00 -0500",
    " 2020-02-02 10:11:12",
    "\t",
    "\tsome more",
];

impl Damage {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let telling =
            prop::sample::select(TELLING_LINES.to_vec()).prop_map(|line| line.as_bytes().to_vec());
        let name = || prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned);
        let at = || 0..60_usize;
        prop_oneof![
            3 => at().prop_map(Self::RemoveLine),
            2 => at().prop_map(Self::RepeatLine),
            1 => at().prop_map(Self::SwapLines),
            4 => (at(), telling).prop_map(|(at, line)| Self::InsertLine(at, line)),
            2 => (0..2000_usize, prop::sample::select(b"abd/ -+@\\\"0123456789,\t\r\n".to_vec()))
                .prop_map(|(at, byte)| Self::ReplaceByte(at, byte)),
            1 => (0..2000_usize).prop_map(Self::RemoveByte),
            1 => (0..2000_usize).prop_map(Self::Cut),
            3 => (0..6_usize, 0..4_usize, 0..12_u32)
                .prop_map(|(hunk, number, to)| Self::ChangeCount { hunk, number, to }),
            3 => (name(), name()).prop_map(|(from, to)| Self::Rename { from, to }),
            1 => Just(Self::CarriageReturns),
            1 => Just(Self::Repeat),
            1 => (0..8_usize, prop::sample::select(STAMPS.to_vec()))
                .prop_map(|(at, stamp)| Self::Stamp(at, stamp.to_owned())),
            1 => Just(Self::StripSigns),
        ]
    }

    fn make(&self, patch: &mut Vec<u8>) {
        let mut lines: Vec<Vec<u8>> = patch
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        match self {
            Self::RemoveLine(at) => {
                if let Some(at) = at.checked_rem(lines.len()) {
                    lines.remove(at);
                }
            }
            Self::RepeatLine(at) => {
                if let Some(at) = at.checked_rem(lines.len()) {
                    lines.insert(at, lines[at].clone());
                }
            }
            Self::SwapLines(at) => {
                if let Some(at) = at.checked_rem(lines.len().saturating_sub(1)) {
                    lines.swap(at, at + 1);
                }
            }
            Self::InsertLine(at, line) => lines.insert(at % (lines.len() + 1), line.clone()),
            Self::ReplaceByte(at, with) => {
                if let Some(at) = at.checked_rem(patch.len()) {
                    patch[at] = *with;
                }
                return;
            }
            Self::RemoveByte(at) => {
                if let Some(at) = at.checked_rem(patch.len()) {
                    patch.remove(at);
                }
                return;
            }
            Self::Cut(at) => return patch.truncate(at % (patch.len() + 1)),
            Self::ChangeCount { hunk, number, to } => {
                let mut hunks: Vec<_> = lines
                    .iter_mut()
                    .filter(|line| line.starts_with(b"@@ -"))
                    .collect();
                if let Some(at) = hunk.checked_rem(hunks.len()) {
                    *hunks[at] = with_number(hunks[at], *number, *to);
                }
            }
            Self::Rename { from, to } => {
                // In headers only, and only whole names.
                for line in &mut lines {
                    let text = String::from_utf8_lossy(line).into_owned();
                    let header = ["diff", "---", "+++", "rename", "copy"]
                        .iter()
                        .any(|word| text.starts_with(word));
                    if header && text.trim_end().ends_with(from.as_str()) {
                        let kept = &text.trim_end()[..text.trim_end().len() - from.len()];
                        *line = format!("{kept}{to}\n").into_bytes();
                    }
                }
            }
            Self::CarriageReturns => {
                for line in lines.iter_mut().filter(|line| line.ends_with(b"\n")) {
                    line.insert(line.len() - 1, b'\r');
                }
            }
            Self::Repeat => lines.extend(lines.clone()),
            Self::Stamp(at, stamp) => {
                let named =
                    |line: &&mut Vec<u8>| line.starts_with(b"--- ") || line.starts_with(b"+++ ");
                let mut names: Vec<_> = lines.iter_mut().filter(named).collect();
                if let Some(at) = at.checked_rem(names.len()) {
                    let end = names[at].len().saturating_sub(1);
                    names[at].splice(end..end, stamp.bytes());
                }
            }
            Self::StripSigns => lines
                .iter_mut()
                .filter(|line| *line == b" \n")
                .for_each(|line| {
                    line.remove(0);
                }),
        }
        *patch = lines.concat();
    }
}

/// An `@@` line with one of its numbers changed.
fn with_number(line: &[u8], number: usize, to: u32) -> Vec<u8> {
    let text = String::from_utf8_lossy(line).into_owned();
    let mut numbers: Vec<&str> = text
        .split([' ', ','])
        .filter(|word| word.starts_with(['-', '+']) || word.parse::<u32>().is_ok())
        .collect();
    numbers.truncate(4);
    let Some(at) = number.checked_rem(numbers.len()) else {
        return line.to_vec();
    };
    let old = numbers[at];
    let sign = old
        .chars()
        .next()
        .filter(|sign| "+-".contains(*sign))
        .map(String::from)
        .unwrap_or_default();
    text.replacen(old, &format!("{sign}{to}"), 1).into_bytes()
}

pub(crate) fn patch(mut patch: Vec<u8>, damages: &[Damage]) -> Vec<u8> {
    damages.iter().for_each(|damage| damage.make(&mut patch));
    patch
}
