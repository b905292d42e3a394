//! Who may call the App Mesh API: access keys, where their secrets lie, and what each may do.
//!
//! A secret is held as [`sigv4::Secret`] from the moment it is read, so no `Debug` or log can show it. A file
//! that holds one and that everybody on the machine may read is refused.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sigv4::{Credential, Secret};

/// One access key, as the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "KeyText")]
pub struct Key {
    pub access_key_id: String,
    pub secret: SecretSource,
    /// For temporary credentials: clients must send the same token.
    session_token: Option<Secret>,
    pub access: Access,
}

/// Where a secret access key is.
#[derive(Clone, Debug)]
pub enum SecretSource {
    Here(Secret),
    File(PathBuf),
    /// In this variable of the server's environment.
    Variable(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    ReadOnly,
    #[default]
    ReadWrite,
}

#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    #[error("could not read {}, which holds a secret", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} holds a secret and everybody may read it: take that away with `chmod o= {}`", path.display(), path.display())]
    Exposed { path: PathBuf },
    #[error("the secret access key of {access_key_id} is empty: {place} has none")]
    Empty {
        access_key_id: String,
        place: String,
    },
    #[error("the access key {access_key_id} is configured twice")]
    Twice { access_key_id: String },
}

/// The file's fields, before their rules are checked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyText {
    access_key_id: String,
    secret_access_key: Option<String>,
    secret_access_key_file: Option<PathBuf>,
    secret_access_key_variable: Option<String>,
    session_token: Option<String>,
    #[serde(default)]
    access: Access,
}

impl TryFrom<KeyText> for Key {
    type Error = String;

    fn try_from(text: KeyText) -> Result<Self, String> {
        let id = text.access_key_id;
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if !(1..=128).contains(&id.len()) || !id.bytes().all(is_plain) {
            return Err(format!(
                "`{}` is no accessKeyId: use 1 to 128 of a-z A-Z 0-9 _ - .",
                id.escape_debug()
            ));
        }
        let sources = [
            text.secret_access_key
                .map(|secret| SecretSource::Here(secret.into())),
            text.secret_access_key_file.map(SecretSource::File),
            text.secret_access_key_variable.map(SecretSource::Variable),
        ];
        let mut sources = sources.into_iter().flatten();
        let (Some(secret), None) = (sources.next(), sources.next()) else {
            return Err(format!(
                "{id} needs its secret from exactly one of secretAccessKey, secretAccessKeyFile and secretAccessKeyVariable"
            ));
        };
        Ok(Self {
            access_key_id: id,
            secret,
            session_token: text.session_token.map(Secret::from),
            access: text.access,
        })
    }
}

impl Key {
    /// Whether the configuration file itself holds a secret.
    pub(super) fn is_written_here(&self) -> bool {
        matches!(self.secret, SecretSource::Here(_)) || self.session_token.is_some()
    }

    pub(super) fn files(&mut self) -> Option<&mut PathBuf> {
        match &mut self.secret {
            SecretSource::File(path) => Some(path),
            _ => None,
        }
    }

    fn read_secret(&self) -> Result<Secret, CredentialError> {
        let (text, place) = match &self.secret {
            SecretSource::Here(secret) => return Ok(secret.clone()),
            SecretSource::File(path) => {
                refuse_if_others_may_read(path)?;
                let text =
                    std::fs::read_to_string(path).map_err(|source| CredentialError::Read {
                        path: path.clone(),
                        source,
                    })?;
                (text, path.display().to_string())
            }
            SecretSource::Variable(name) => {
                let text = std::env::var(name).unwrap_or_default();
                (text, format!("the variable {name}"))
            }
        };
        match text.trim() {
            "" => Err(CredentialError::Empty {
                access_key_id: self.access_key_id.clone(),
                place,
            }),
            secret => Ok(secret.to_owned().into()),
        }
    }
}

/// Every access key with its secret.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials(BTreeMap<String, Known>);

#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) credential: Credential,
    pub(crate) access: Access,
}

impl Credentials {
    pub(super) fn read(keys: &[Key]) -> Result<Self, CredentialError> {
        let mut known = BTreeMap::new();
        for key in keys {
            let credential = Credential {
                secret_access_key: key.read_secret()?,
                session_token: key.session_token.clone(),
            };
            let access = key.access;
            let earlier = known.insert(key.access_key_id.clone(), Known { credential, access });
            if earlier.is_some() {
                return Err(CredentialError::Twice {
                    access_key_id: key.access_key_id.clone(),
                });
            }
        }
        Ok(Self(known))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, access_key_id: &str) -> Option<&Known> {
        self.0.get(access_key_id)
    }
}

/// A group may be let in on purpose; everybody is a mistake.
pub(crate) fn refuse_if_others_may_read(path: &Path) -> Result<(), CredentialError> {
    let metadata = std::fs::metadata(path).map_err(|source| CredentialError::Read {
        path: path.to_owned(),
        source,
    })?;
    match metadata.permissions().mode() & 0o004 {
        0 => Ok(()),
        _ => Err(CredentialError::Exposed {
            path: path.to_owned(),
        }),
    }
}
