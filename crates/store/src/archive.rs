//! A whole store as a value, and as JSON lines that any later version can read.
//!
//! The first line says the format, the revision and how many records follow, so that a file cut short is noticed. Then
//! come resources in the order of their ids, journal records in the order of their streams, and used tokens by age. An
//! archive that is written and read is equal to itself, and so is a store that is exported and restored.

use std::io::{self, BufRead, Write};
use std::sync::Arc;

use model::Resource;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Entry;
use crate::record::{entry_name, token_name};
use crate::token::UsedToken;

const FORMAT: u32 = 1;

/// All that a store holds, at one revision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Archive {
    pub(crate) revision: u64,
    pub(crate) resources: Vec<Arc<Resource>>,
    pub(crate) journal: Vec<Entry>,
    pub(crate) tokens: Vec<Arc<UsedToken>>,
}

/// Why a file could not be written or read as an archive.
#[derive(Debug, Error)]
pub enum ArchiveError {
    #[error("cannot write the archive")]
    Write(#[source] io::Error),
    #[error("cannot read line {line} of the archive")]
    Read { line: usize, source: io::Error },
    #[error("line {line} of the archive is no record of a store")]
    Line {
        line: usize,
        source: serde_json::Error,
    },
    #[error(
        "the archive has format {found}, this version reads format {FORMAT}; use a newer serin"
    )]
    Format { found: u32 },
    #[error("line {line} of the archive is out of order: {name} repeats or skips one before it")]
    Order { line: usize, name: String },
    #[error("the archive is not whole: its first line promises {promised} lines, {found} follow")]
    Truncated { promised: usize, found: usize },
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    revision: u64,
    lines: usize,
}

/// Any line but the first.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Resource(Arc<Resource>),
    Entry(Entry),
    Token(Arc<UsedToken>),
}

impl Archive {
    pub fn revision(&self) -> u64 {
        self.revision
    }

    pub fn resources(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    pub fn journal(&self) -> &[Entry] {
        &self.journal
    }

    pub fn write(&self, mut output: impl Write) -> Result<(), ArchiveError> {
        let header = Header {
            format: FORMAT,
            revision: self.revision,
            lines: self.resources.len() + self.journal.len() + self.tokens.len(),
        };
        write_line(&mut output, &header)?;
        for line in self.lines() {
            write_line(&mut output, &line)?;
        }
        output.flush().map_err(ArchiveError::Write)
    }

    pub fn read(input: impl BufRead) -> Result<Self, ArchiveError> {
        let mut lines = input.lines().enumerate().map(|(index, text)| {
            let line = index + 1;
            text.map(|text| (line, text))
                .map_err(|source| ArchiveError::Read { line, source })
        });
        let (line, first) = lines.next().unwrap_or(Ok((1, String::new())))?;
        let header: Header = parse(line, &first)?;
        if header.format != FORMAT {
            return Err(ArchiveError::Format {
                found: header.format,
            });
        }

        let mut archive = Self {
            revision: header.revision,
            ..Self::default()
        };
        let mut found = 0;
        for numbered in lines {
            let (line, text) = numbered?;
            archive
                .push(parse(line, &text)?)
                .map_err(|name| ArchiveError::Order { line, name })?;
            found += 1;
        }
        if found != header.lines {
            return Err(ArchiveError::Truncated {
                promised: header.lines,
                found,
            });
        }
        Ok(archive)
    }

    /// Adds the next record; if it cannot come next, its name.
    fn push(&mut self, line: Line) -> Result<(), String> {
        match line {
            Line::Resource(resource) => {
                if self
                    .resources
                    .last()
                    .is_some_and(|last| last.id >= resource.id)
                {
                    return Err(resource.id.path());
                }
                self.resources.push(resource);
            }
            Line::Entry(entry) => {
                if !may_follow(self.journal.last(), &entry) {
                    return Err(entry_name(&entry.stream, entry.position));
                }
                self.journal.push(entry);
            }
            Line::Token(used) => {
                if self
                    .tokens
                    .last()
                    .is_some_and(|last| last.order >= used.order)
                {
                    return Err(token_name(&used.token));
                }
                self.tokens.push(used);
            }
        }
        Ok(())
    }

    fn lines(&self) -> impl Iterator<Item = Line> {
        let resources = self.resources.iter().cloned().map(Line::Resource);
        let entries = self.journal.iter().cloned().map(Line::Entry);
        let tokens = self.tokens.iter().cloned().map(Line::Token);
        resources.chain(entries).chain(tokens)
    }
}

/// Streams come in order, and each has the positions 1, 2, 3 and so on.
fn may_follow(last: Option<&Entry>, entry: &Entry) -> bool {
    match last {
        Some(last) if last.stream == entry.stream => entry.position == last.position + 1,
        Some(last) => last.stream < entry.stream && entry.position == 1,
        None => entry.position == 1,
    }
}

fn write_line(output: &mut impl Write, line: &impl Serialize) -> Result<(), ArchiveError> {
    serde_json::to_writer(&mut *output, line)
        .map_err(io::Error::from)
        .and_then(|()| output.write_all(b"\n"))
        .map_err(ArchiveError::Write)
}

fn parse<'t, T: Deserialize<'t>>(line: usize, text: &'t str) -> Result<T, ArchiveError> {
    serde_json::from_str(text).map_err(|source| ArchiveError::Line { line, source })
}
