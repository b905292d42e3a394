//! The token that proxies on their own prove themselves with, and where it lies.

use std::path::PathBuf;

use serde::Deserialize;

use super::credentials::{CredentialError, refuse_if_others_may_read};
use crate::presence::Token;

/// Where the token is; never in the configuration itself, which more people read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum TokenSource {
    File(PathBuf),
    /// In this variable of the server's environment.
    Variable(String),
}

/// Shorter ones could be guessed.
const SHORTEST: usize = 16;

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("could not read the proxies' token")]
    File(#[from] CredentialError),
    #[error(
        "the proxies' token in {place} has fewer than {SHORTEST} characters: make one with `openssl rand -hex 16`"
    )]
    Short { place: String },
}

impl TokenSource {
    pub(crate) fn read(&self) -> Result<Token, TokenError> {
        let (text, place) = match self {
            Self::File(path) => {
                refuse_if_others_may_read(path)?;
                let text =
                    std::fs::read_to_string(path).map_err(|source| CredentialError::Read {
                        path: path.clone(),
                        source,
                    })?;
                (text, path.display().to_string())
            }
            Self::Variable(name) => (
                std::env::var(name).unwrap_or_default(),
                format!("the variable {name}"),
            ),
        };
        match text.trim() {
            token if token.len() >= SHORTEST => Ok(Token::from(token.to_owned())),
            _ => Err(TokenError::Short { place }),
        }
    }
}
