//! How the requests of a service find their version, beyond the share: the `traffic` block.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fields::deserialize_from_text;
use super::{Percent, TextDuration};

/// Nothing of it is on unless it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrafficSettings {
    pub sticky: Option<StickySettings>,
    pub pin: Option<PinSettings>,
    pub mirror: Option<MirrorSettings>,
    pub fault: Option<FaultSettings>,
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

/// A share of the requests goes to both versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MirrorSettings {
    pub share: Percent,
    /// Those that change nothing, unless said otherwise.
    #[serde(default = "safe_methods")]
    pub methods: Vec<Token>,
}

fn safe_methods() -> Vec<Token> {
    ["GET", "HEAD", "OPTIONS"]
        .map(|method| Token(method.to_owned()))
        .to_vec()
}

/// Trouble made on purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultSettings {
    /// Only for requests with this header.
    #[serde(default)]
    pub header: Option<FieldName>,
    #[serde(default)]
    pub delay: Option<DelaySettings>,
    #[serde(default)]
    pub abort: Option<AbortSettings>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelaySettings {
    pub share: Percent,
    pub time: TextDuration,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbortSettings {
    pub share: Percent,
    pub status: u16,
}

/// Longer than any caller waits.
const LONGEST_DELAY: Duration = Duration::from_secs(300);

impl TrafficSettings {
    /// The key and the broken rule, of the first that is broken.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if let Some(mirror) = &self.mirror
            && mirror.methods.is_empty()
        {
            return Err(("mirror.methods", "names no method".to_owned()));
        }
        let Some(fault) = &self.fault else {
            return Ok(());
        };
        if fault.delay.is_none() && fault.abort.is_none() {
            return Err(("fault", "needs a delay or an abort".to_owned()));
        }
        if let Some(delay) = &fault.delay
            && delay.time.0 > LONGEST_DELAY
        {
            let longest = TextDuration(LONGEST_DELAY);
            return Err((
                "fault.delay.time",
                format!("{} is over {longest}", delay.time),
            ));
        }
        if let Some(abort) = &fault.abort
            && !(400..=599).contains(&abort.status)
        {
            return Err((
                "fault.abort.status",
                format!("{} is not in 400..=599", abort.status),
            ));
        }
        Ok(())
    }
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
