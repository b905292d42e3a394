//! How one record is written: JSON that names its own format, so that every file stays readable by itself.
//!
//! What is about to be written is read back first. A record that would not come back as it is (an empty name, nesting
//! without end) is refused here, before it can spoil a file for the next start.

use model::Resource;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::token::UsedToken;
use crate::{Entry, Error};

/// The format of journal records and tokens. A resource's form, with a format number of its own, belongs to `model`.
const FORMAT: u32 = 1;

/// One record to be written or removed, in the form in which a file holds it.
#[derive(Debug)]
pub(crate) enum Edit {
    PutResource {
        path: String,
        value: Vec<u8>,
    },
    RemoveResource {
        path: String,
    },
    Append {
        stream: String,
        position: u64,
        value: Vec<u8>,
    },
    PutToken {
        token: String,
        value: Vec<u8>,
    },
    ForgetToken {
        token: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Formatted<T> {
    format: u32,
    record: T,
}

impl Edit {
    pub(crate) fn put_resource(resource: &Resource) -> Result<Self, Error> {
        let path = resource.id.path();
        let value = encode(&path, resource, resource, read_resource)?;
        Ok(Self::PutResource { path, value })
    }

    pub(crate) fn append(entry: &Entry) -> Result<Self, Error> {
        let name = entry_name(&entry.stream, entry.position);
        Ok(Self::Append {
            stream: entry.stream.clone(),
            position: entry.position,
            value: encode(&name, entry, &formatted(entry), read_formatted)?,
        })
    }

    pub(crate) fn put_token(used: &UsedToken) -> Result<Self, Error> {
        let name = token_name(&used.token);
        Ok(Self::PutToken {
            token: used.token.clone(),
            value: encode(&name, used, &formatted(used), read_formatted)?,
        })
    }
}

/// What an error message calls a journal record.
pub(crate) fn entry_name(stream: &str, position: u64) -> String {
    format!("record {position} of journal {stream}")
}

/// What an error message calls a token.
pub(crate) fn token_name(token: &str) -> String {
    format!("token {token}")
}

pub(crate) fn read_resource(bytes: &[u8]) -> Result<Resource, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// Reads a journal record or a token.
pub(crate) fn read_formatted<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let formatted: Formatted<T> =
        serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if formatted.format == FORMAT {
        Ok(formatted.record)
    } else {
        Err(format!(
            "it has format {}, this version reads format {FORMAT}",
            formatted.format
        ))
    }
}

fn formatted<T>(record: T) -> Formatted<T> {
    Formatted {
        format: FORMAT,
        record,
    }
}

/// Writes a record in its form, and makes sure that it can be read again.
fn encode<T: PartialEq>(
    name: &str,
    record: &T,
    form: &impl Serialize,
    read: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<Vec<u8>, Error> {
    let unfit = |reason| Error::Unfit {
        name: name.to_owned(),
        reason,
    };
    let bytes = serde_json::to_vec(form).map_err(|error| unfit(error.to_string()))?;
    if read(&bytes).map_err(unfit)? == *record {
        Ok(bytes)
    } else {
        Err(unfit("it would be read back as something else".to_owned()))
    }
}
