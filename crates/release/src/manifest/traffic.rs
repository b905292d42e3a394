//! How the requests of a service find their version, beyond the share: the `traffic` block.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::fields::deserialize_from_text;

/// Nothing of it is on unless it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrafficSettings {
    pub sticky: Option<StickySettings>,
    pub pin: Option<PinSettings>,
}

/// What tells one user from another, so that each stays on one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StickySettings {
    /// A cookie of this name; who has none gets one.
    Cookie(Token),
    /// The value of this header.
    Header(FieldName),
}

/// Where a request may name the version it wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinSettings {
    Header(FieldName),
    /// A member of the W3C header `baggage`.
    Baggage(Token),
}

/// RFC 9110's `token`: the name of a cookie or of a member of `baggage`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    const LONGEST: usize = 100;
}

impl FromStr for Token {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{}` is no name of a header or cookie: use 1 to {} of a-z A-Z 0-9 ! # $ % & ' * + - . ^ _ ` | ~",
            text.escape_debug(),
            Self::LONGEST
        ))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a header that a client may choose freely, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct FieldName(Token);

impl FromStr for FieldName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name: Token = text.to_ascii_lowercase().parse()?;
        let is_taken = matches!(
            name.0.as_str(),
            "connection"
                | "content-length"
                | "cookie"
                | "host"
                | "keep-alive"
                | "proxy-connection"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
        );
        if is_taken {
            return Err(format!(
                "`{name}` has a meaning of its own: choose another header"
            ));
        }
        Ok(Self(name))
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

deserialize_from_text!(Token, FieldName);
