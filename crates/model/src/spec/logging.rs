//! Where a proxy writes its access log, and in which form.

use serde::{Deserialize, Serialize};

use crate::check::{Check, Checker};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Logging {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log: Option<AccessLog>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessLog {
    File(FileAccessLog),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileAccessLog {
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<LoggingFormat>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LoggingFormat {
    Json(Vec<JsonFormatRef>),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JsonFormatRef {
    pub key: String,
    pub value: String,
}

impl Check for Logging {
    fn check(&self, at: &mut Checker) {
        at.member("accessLog", &self.access_log);
    }
}

impl Check for AccessLog {
    fn check(&self, at: &mut Checker) {
        match self {
            AccessLog::File(file) => at.member("file", file),
        }
    }
}

impl Check for FileAccessLog {
    fn check(&self, at: &mut Checker) {
        at.text("path", Some(&self.path), 1..=255);
        at.member("format", &self.format);
    }
}

impl Check for LoggingFormat {
    fn check(&self, at: &mut Checker) {
        match self {
            LoggingFormat::Json(pairs) => at.list("json", Some(pairs), 0..),
            LoggingFormat::Text(text) => at.text("text", Some(text), 1..=1000),
        }
    }
}

impl Check for JsonFormatRef {
    fn check(&self, at: &mut Checker) {
        at.text("key", Some(&self.key), 1..=100);
        at.text("value", Some(&self.value), 1..=100);
    }
}
