//! Names of services and tags.
//!
//! Both become parts of file names and of mesh resources, so both follow the rule of OCI tags: one
//! to 128 letters, digits, `_`, `.` and `-`, the first of them a letter, a digit or `_`. No name
//! can therefore leave its directory.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const LONGEST: usize = 128;

/// A checked service name or tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text cannot name a service or a tag.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "{given:?} cannot name a service or a tag: use 1 to 128 letters, digits, `_`, `.` or `-`, \
     starting with a letter, a digit or `_`"
)]
pub struct NameError {
    given: String,
}

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let starts_well = text.bytes().next().is_some_and(word);
        let goes_on_well = text
            .bytes()
            .all(|byte| word(byte) || byte == b'.' || byte == b'-');
        if starts_well && goes_on_well && text.len() <= LONGEST {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError {
                given: text.chars().take(2 * LONGEST).collect(),
            })
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule_of_oci_tags() {
        for good in ["a", "_", "7", "vanilla", "v1.2.3-rc_4", &"x".repeat(128)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            ".",
            "..",
            "-x",
            ".x",
            "a/b",
            "a b",
            "é",
            "a\n",
            "a:b",
            &"x".repeat(129),
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_name_is_checked_when_it_is_read() {
        assert!(serde_json::from_str::<Name>("\"../up\"").is_err());
        assert_eq!(
            serde_json::from_str::<Name>("\"epoch\"").unwrap(),
            "epoch".parse().unwrap()
        );
    }
}
