//! Amazon resource names: `arn:aws:appmesh:<region>:<account>:<path>`.
//!
//! An ARN is derived, never stored: the server knows its region and account, the path says the rest.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::{PathError, ResourceId};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    pub region: String,
    pub account: String,
    pub id: ResourceId,
}

/// A text that is no ARN of an App Mesh resource.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ArnError {
    #[error("`{0}` is no App Mesh ARN: expected `arn:aws:appmesh:<region>:<account>:mesh/...`")]
    Form(String),
    #[error("`{arn}` is no App Mesh ARN")]
    Path {
        arn: String,
        #[source]
        source: PathError,
    },
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            region,
            account,
            id,
        } = self;
        write!(f, "arn:aws:appmesh:{region}:{account}:{id}")
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let &["arn", "aws", "appmesh", region, account, path] = parts.as_slice() else {
            return Err(ArnError::Form(text.to_owned()));
        };
        if region.is_empty() || account.is_empty() {
            return Err(ArnError::Form(text.to_owned()));
        }
        let id = path.parse().map_err(|source| ArnError::Path {
            arn: text.to_owned(),
            source,
        })?;
        Ok(Self {
            region: region.to_owned(),
            account: account.to_owned(),
            id,
        })
    }
}
