//! How the records of a file come back: a whole state at the start, a stream when it is asked for.
//!
//! A file may hold what nobody expects: it was damaged, or written by a newer version. Every record is checked and the
//! first bad one is named, so that somebody can act.

use std::ops::Bound;
use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};

use super::tables::{FORMAT, JOURNAL, META, RESOURCES, TOKENS};
use crate::record::{entry_name, read_formatted, read_resource, token_name};
use crate::state::State;
use crate::token::UsedToken;
use crate::{Archive, Entry};

/// Why a file could not be read.
#[derive(Debug)]
pub(super) enum ReadError {
    Database(redb::Error),
    Format { found: u64 },
    Record { name: String, reason: String },
}

impl<E: Into<redb::Error>> From<E> for ReadError {
    fn from(error: E) -> Self {
        Self::Database(error.into())
    }
}

/// Reads the state. Of the journal it reads only where each stream ends.
pub(super) fn state(transaction: &ReadTransaction) -> Result<State, ReadError> {
    let archive = archive_without_journal(transaction)?;
    Ok(State::restored(
        archive.revision,
        archive.resources,
        archive.tokens,
        ends(transaction)?,
    ))
}

/// Reads everything.
pub(super) fn archive(transaction: &ReadTransaction) -> Result<Archive, ReadError> {
    let mut archive = archive_without_journal(transaction)?;
    // The tables are ordered by the letters of their keys.
    archive
        .resources
        .sort_by(|one, other| one.id.cmp(&other.id));
    archive.tokens.sort_by_key(|used| used.order);
    for item in transaction.open_table(JOURNAL)?.iter()? {
        let (key, value) = item?;
        archive.journal.push(entry(key.value(), value.value())?);
    }
    Ok(archive)
}

/// Reads the records of one stream after a position.
pub(super) fn stream(
    transaction: &ReadTransaction,
    stream: &str,
    after: u64,
) -> Result<Vec<Entry>, ReadError> {
    let Some(first) = after.checked_add(1) else {
        return Ok(Vec::new());
    };
    let journal = transaction.open_table(JOURNAL)?;
    journal
        .range((stream, first)..=(stream, u64::MAX))?
        .map(|item| {
            let (key, value) = item?;
            entry(key.value(), value.value())
        })
        .collect()
}

fn archive_without_journal(transaction: &ReadTransaction) -> Result<Archive, ReadError> {
    let mut archive = Archive {
        revision: revision(transaction)?,
        ..Archive::default()
    };
    for item in transaction.open_table(RESOURCES)?.iter()? {
        let (key, value) = item?;
        let (path, resource) = (key.value(), read_resource(value.value()));
        let resource = checked(path, resource, |it| it.id.path() == path)?;
        archive.resources.push(Arc::new(resource));
    }
    for item in transaction.open_table(TOKENS)?.iter()? {
        let (key, value) = item?;
        let (token, used) = (key.value(), read_formatted(value.value()));
        let used = checked(&token_name(token), used, |it: &UsedToken| it.token == token)?;
        archive.tokens.push(Arc::new(used));
    }
    Ok(archive)
}

/// The store's revision, once the file is known to be in the format that this version reads.
fn revision(transaction: &ReadTransaction) -> Result<u64, ReadError> {
    let meta = transaction.open_table(META)?;
    let number = |key| Ok::<_, ReadError>(meta.get(key)?.map(|number| number.value()));
    match number("format")? {
        Some(FORMAT) => Ok(number("revision")?.unwrap_or(0)),
        found => Err(ReadError::Format {
            found: found.unwrap_or(0),
        }),
    }
}

/// Each stream's last position. It steps from stream to stream and skips the records between.
fn ends(transaction: &ReadTransaction) -> Result<Vec<(String, u64)>, ReadError> {
    let journal = transaction.open_table(JOURNAL)?;
    let mut ends = Vec::new();
    let mut first = journal.first()?;
    while let Some((key, _)) = first {
        let stream = key.value().0.to_owned();
        let whole = (stream.as_str(), 0)..=(stream.as_str(), u64::MAX);
        if let Some(last) = journal.range(whole)?.next_back() {
            let (key, _) = last?;
            ends.push((stream.clone(), key.value().1));
        }
        let behind = (
            Bound::Excluded((stream.as_str(), u64::MAX)),
            Bound::Unbounded,
        );
        first = journal.range::<(&str, u64)>(behind)?.next().transpose()?;
    }
    Ok(ends)
}

fn entry((stream, position): (&str, u64), value: &[u8]) -> Result<Entry, ReadError> {
    checked(
        &entry_name(stream, position),
        read_formatted(value),
        |it: &Entry| it.stream == stream && it.position == position,
    )
}

/// A record that could be read and is the one that its key promises.
fn checked<T>(
    name: &str,
    record: Result<T, String>,
    is_under_its_key: impl FnOnce(&T) -> bool,
) -> Result<T, ReadError> {
    let bad = |reason| ReadError::Record {
        name: name.to_owned(),
        reason,
    };
    let record = record.map_err(bad)?;
    if is_under_its_key(&record) {
        Ok(record)
    } else {
        Err(bad("it is another record than its key says".to_owned()))
    }
}
