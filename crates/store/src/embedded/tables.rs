//! The tables of a file, and how records go into them.
//!
//! Resources are keyed by their path, journal records by stream and position, tokens by name; values are JSON. `meta`
//! holds the format of the file, which a later version may change, and the revision.

use redb::{TableDefinition, WriteTransaction};

use crate::record::Edit;

/// The format of the file: which tables there are and how they are keyed.
pub(super) const FORMAT: u64 = 1;

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const RESOURCES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("resources");
pub(super) const JOURNAL: TableDefinition<'_, (&str, u64), &[u8]> = TableDefinition::new("journal");
pub(super) const TOKENS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("tokens");

/// Marks a new file as a store. The other tables are made with the first write.
pub(super) fn create(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(META)?.insert("format", FORMAT)?;
    Ok(())
}

/// Writes records, and the revision that the store has with them.
pub(super) fn write(
    transaction: &WriteTransaction,
    revision: u64,
    edits: &[Edit],
) -> Result<(), redb::Error> {
    let mut resources = transaction.open_table(RESOURCES)?;
    let mut journal = transaction.open_table(JOURNAL)?;
    let mut tokens = transaction.open_table(TOKENS)?;
    for edit in edits {
        match edit {
            Edit::PutResource { path, value } => {
                resources.insert(path.as_str(), value.as_slice())?;
            }
            Edit::RemoveResource { path } => {
                resources.remove(path.as_str())?;
            }
            Edit::Append {
                stream,
                position,
                value,
            } => {
                journal.insert((stream.as_str(), *position), value.as_slice())?;
            }
            Edit::PutToken { token, value } => {
                tokens.insert(token.as_str(), value.as_slice())?;
            }
            Edit::ForgetToken { token } => {
                tokens.remove(token.as_str())?;
            }
        }
    }
    transaction.open_table(META)?.insert("revision", revision)?;
    Ok(())
}
