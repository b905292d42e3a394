//! The tokens that proxies on their own prove themselves with, and where they lie.

use std::collections::BTreeMap;
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

/// Who may hold a proxy's stream.
#[derive(Debug, Default)]
pub(crate) struct ProxyTokens {
    /// For every node.
    pub(crate) any: Option<Token>,
    /// By the path of the one node that it is for.
    pub(crate) of_nodes: BTreeMap<String, Token>,
}

impl ProxyTokens {
    pub(crate) fn is_empty(&self) -> bool {
        self.any.is_none() && self.of_nodes.is_empty()
    }

    /// What the holder of this token may be; `None` if it is none of these.
    pub(crate) fn allow(&self, given: &str) -> Option<Allowed> {
        if self.any.as_ref().is_some_and(|token| token.is(given)) {
            return Some(Allowed::Any);
        }
        let mut of_nodes = self.of_nodes.iter();
        let (node, _) = of_nodes.find(|(_, token)| token.is(given))?;
        Some(Allowed::Only(node.clone()))
    }
}

/// Which nodes a stream may be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    Any,
    Only(String),
}

impl Allowed {
    pub(crate) fn includes(&self, node: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(own) => own == node,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nodes_token_is_good_for_that_node_alone() {
        let token = |text: &str| Token::from(text.to_owned());
        let tokens = ProxyTokens {
            any: Some(token("any-any-any-any-any")),
            of_nodes: [(
                "mesh/m/virtualNode/n".to_owned(),
                token("own-own-own-own-own"),
            )]
            .into(),
        };
        let any = tokens.allow("any-any-any-any-any").unwrap();
        assert!(any.includes("mesh/m/virtualNode/other"));
        let own = tokens.allow("own-own-own-own-own").unwrap();
        assert!(own.includes("mesh/m/virtualNode/n"));
        assert!(!own.includes("mesh/m/virtualNode/other"));
        assert_eq!(tokens.allow("own-own-own-own-owm"), None);
    }
}
