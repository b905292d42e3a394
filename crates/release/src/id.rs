//! A release's id: its service and a number, `crystal-2`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Numbers count a service's releases from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseId {
    pub service: String,
    pub number: u64,
}

impl ReleaseId {
    /// Where its journal is kept; the order of stream names is the order of releases.
    pub fn stream(&self) -> String {
        format!("{}{:08}", Self::streams_of(&self.service), self.number)
    }

    /// What the streams of a service's releases begin with.
    pub fn streams_of(service: &str) -> String {
        format!("release/{service}/")
    }

    /// The release a stream belongs to.
    pub fn of_stream(stream: &str) -> Option<Self> {
        let (service, number) = stream.strip_prefix("release/")?.split_once('/')?;
        Some(Self {
            service: service.to_owned(),
            number: number.parse().ok()?,
        })
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.service, self.number)
    }
}

impl FromStr for ReleaseId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let id = text.rsplit_once('-').and_then(|(service, number)| {
            let number = number.parse().ok().filter(|&number| number > 0)?;
            (!service.is_empty()).then(|| Self {
                service: service.to_owned(),
                number,
            })
        });
        id.ok_or_else(|| format!("`{text}` is no release; they are named like crystal-2"))
    }
}

impl TryFrom<String> for ReleaseId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ReleaseId> for String {
    fn from(id: ReleaseId) -> Self {
        id.to_string()
    }
}
