//! What to make a version of, and how.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::digest::Hasher;
use crate::name::Name;
use crate::pattern::{Pattern, PatternError};

/// Never part of a source: the history, this program's own state, and what Cargo built on the
/// user's side.
const ALWAYS_IGNORED: [&str; 3] = [".git", ".serin", "/target"];

/// One version to make.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The service that the version is of.
    pub service: Name,
    /// The tag that the version gets.
    pub tag: Name,
    /// Where the source is. It is only read.
    pub source: PathBuf,
    /// Patch files, applied in this order as `git apply` would.
    pub patches: Vec<PathBuf>,
    /// What builds it, started in a private copy of the patched source; `None` if the source runs
    /// as it is.
    pub build: Option<BuildCommand>,
    /// Patterns of the files to keep of what was built; empty to keep all.
    pub artifacts: Vec<String>,
    /// Patterns of files that are not part of the source, beside `.git`, `.serin` and `/target`.
    pub ignore: Vec<String>,
    /// Environment variables of the build, added to those of this process.
    pub environment: BTreeMap<String, String>,
    /// Whether the tag may move from other content that it stands for already.
    pub retag: bool,
}

impl Recipe {
    /// The plainest recipe: the source as it is.
    pub fn new(service: Name, tag: Name, source: impl Into<PathBuf>) -> Self {
        Self {
            service,
            tag,
            source: source.into(),
            patches: Vec::new(),
            build: None,
            artifacts: Vec::new(),
            ignore: Vec::new(),
            environment: BTreeMap::new(),
            retag: false,
        }
    }

    pub(crate) fn ignored(&self) -> Result<Vec<Pattern>, PatternError> {
        let own = self.ignore.iter().map(String::as_str);
        ALWAYS_IGNORED
            .into_iter()
            .chain(own)
            .map(Pattern::ignored)
            .collect()
    }

    pub(crate) fn kept(&self) -> Result<Vec<Pattern>, PatternError> {
        self.artifacts
            .iter()
            .map(|text| Pattern::anchored(text))
            .collect()
    }

    /// Adds all that decides the result, but for the source itself.
    pub(crate) fn add_to(&self, hasher: &mut Hasher) {
        match &self.build {
            None => hasher.field(b"no build"),
            Some(BuildCommand::Shell(line)) => {
                hasher.field(b"shell");
                hasher.field(line.as_bytes());
            }
            Some(BuildCommand::Program(words)) => {
                hasher.field(b"program");
                add_all(hasher, words);
            }
        }
        add_all(hasher, &self.artifacts);
        add_all(
            hasher,
            self.environment
                .iter()
                .flat_map(|(name, value)| [name, value]),
        );
    }
}

fn add_all<'a>(hasher: &mut Hasher, texts: impl IntoIterator<Item = &'a String>) {
    for text in texts {
        hasher.field(b"next");
        hasher.field(text.as_bytes());
    }
    hasher.field(b"end");
}

/// A command that builds a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BuildCommand {
    /// A line for `sh -c`.
    Shell(String),
    /// A program and its arguments, started without a shell.
    Program(Vec<String>),
}

impl BuildCommand {
    /// The program to start and its arguments; `None` if none is named.
    pub(crate) fn program_and_arguments(&self) -> Option<(&str, Vec<&str>)> {
        match self {
            Self::Shell(line) => Some(("sh", vec!["-c", line])),
            Self::Program(words) => {
                let (program, arguments) = words.split_first()?;
                Some((program, arguments.iter().map(String::as_str).collect()))
            }
        }
    }
}

impl fmt::Display for BuildCommand {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(line) => out.write_str(line),
            Self::Program(words) => out.write_str(&words.join(" ")),
        }
    }
}
