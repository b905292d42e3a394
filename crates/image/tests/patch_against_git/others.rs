//! Trees that differ from the one that a patch was made for.

use image::tree::Kind;
use proptest::prelude::*;

use super::files::{self, Edit, Files};

/// What somebody else has done to a tree before the patch came.
#[derive(Clone, Debug)]
pub(crate) enum Other {
    Edit(Edit),
    /// Lines before or behind, so that hunks move.
    Surround {
        file: usize,
        lines: Vec<Vec<u8>>,
        behind: bool,
    },
    Double {
        file: usize,
    },
    MakeLink {
        file: usize,
    },
    MakeDirectory {
        file: usize,
    },
}

impl Other {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let file = || 0..8_usize;
        prop_oneof![
            4 => Edit::any().prop_map(Self::Edit),
            3 => (file(), prop::collection::vec(files::any_line(), 1..8), any::<bool>())
                .prop_map(|(file, lines, behind)| Self::Surround { file, lines, behind }),
            1 => file().prop_map(|file| Self::Double { file }),
            1 => file().prop_map(|file| Self::MakeLink { file }),
            1 => file().prop_map(|file| Self::MakeDirectory { file }),
        ]
    }

    fn make(&self, files: &mut Files) -> Option<()> {
        match self {
            Self::Edit(edit) => *files = files::edited(files, std::slice::from_ref(edit)),
            Self::Surround {
                file,
                lines,
                behind,
            } => {
                let bytes = files.nth_text(*file)?;
                let at = if *behind { bytes.len() } else { 0 };
                bytes.splice(at..at, lines.concat());
            }
            Self::Double { file } => {
                let bytes = files.nth_text(*file)?;
                *bytes = bytes.repeat(2);
            }
            Self::MakeLink { file } => {
                let file = files.nth(*file)?;
                file.kind = Kind::Symlink;
                file.bytes = b"nowhere".to_vec();
            }
            Self::MakeDirectory { file } => {
                let path = files.nth_path(*file)?;
                let moved = files.0.remove(&path)?;
                files.put(&format!("{path}/inside"), moved);
            }
        }
        Some(())
    }
}

pub(crate) fn files(files: &Files, others: &[Other]) -> Files {
    let mut files = files.clone();
    // Where there is nothing to change, nothing is changed.
    others
        .iter()
        .for_each(|other| other.make(&mut files).unwrap_or_default());
    files
}
