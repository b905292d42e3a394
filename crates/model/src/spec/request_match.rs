//! The criteria that routes and gateway routes share: paths, headers, query parameters, host names.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Checker};

/// The whole path, exactly or by expression: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PathMatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
}

/// One HTTP header or one gRPC metadata entry. Without `method` the header must be present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderMatch {
    pub name: String,
    /// Whether the criterion is turned round; absent means no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invert: Option<bool>,
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub method: Option<HeaderMatchMethod>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HeaderMatchMethod {
    Exact(String),
    Prefix(String),
    Regex(String),
    Suffix(String),
    Range(MatchRange),
}

/// Whole numbers from `start` up to, not including, `end`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchRange {
    pub start: i64,
    pub end: i64,
}

/// One query parameter. Without a criterion it must be present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueryParameter {
    pub name: String,
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<QueryParameterMatch>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueryParameterMatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpScheme {
    Http,
    Https,
}

impl Check for PathMatch {
    fn check(&self, at: &mut Checker) {
        at.text("exact", self.exact.as_ref(), 1..=255);
        at.text("regex", self.regex.as_ref(), 1..=255);
    }
}

impl Check for HeaderMatch {
    fn check(&self, at: &mut Checker) {
        at.text("name", Some(&self.name), 1..=50);
        at.member("match", &self.method);
    }
}

impl Check for HeaderMatchMethod {
    fn check(&self, at: &mut Checker) {
        match self {
            HeaderMatchMethod::Exact(text) => at.text("exact", Some(text), 1..=255),
            HeaderMatchMethod::Prefix(text) => at.text("prefix", Some(text), 1..=255),
            HeaderMatchMethod::Regex(text) => at.text("regex", Some(text), 1..=255),
            HeaderMatchMethod::Suffix(text) => at.text("suffix", Some(text), 1..=255),
            HeaderMatchMethod::Range(_) => {}
        }
    }
}
