//! App Mesh's ten error types, and what exactly was wrong with a request.
//!
//! The server turns an [`Error`] into a response without looking inside: the type's name, its status
//! and the message are all there. A bad request lists every violation that was found, not the first.

use thiserror::Error as ThisError;

use crate::id::ResourceId;

pub use self::violation::Violation;

mod violation;

/// Why App Mesh refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    BadRequest,
    Conflict,
    Forbidden,
    InternalServerError,
    LimitExceeded,
    NotFound,
    ResourceInUse,
    ServiceUnavailable,
    TooManyRequests,
    TooManyTags,
}

#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[error("{message}")]
pub struct Error {
    pub kind: ErrorKind,
    pub message: String,
    /// What a bad request got wrong, field by field.
    pub violations: Vec<Violation>,
}

/// How many violations a message spells out.
const MOST_SHOWN: usize = 20;

impl ErrorKind {
    /// As in the service model and the `x-amzn-ErrorType` header.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::BadRequest => "BadRequestException",
            ErrorKind::Conflict => "ConflictException",
            ErrorKind::Forbidden => "ForbiddenException",
            ErrorKind::InternalServerError => "InternalServerErrorException",
            ErrorKind::LimitExceeded => "LimitExceededException",
            ErrorKind::NotFound => "NotFoundException",
            ErrorKind::ResourceInUse => "ResourceInUseException",
            ErrorKind::ServiceUnavailable => "ServiceUnavailableException",
            ErrorKind::TooManyRequests => "TooManyRequestsException",
            ErrorKind::TooManyTags => "TooManyTagsException",
        }
    }

    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            ErrorKind::BadRequest | ErrorKind::LimitExceeded | ErrorKind::TooManyTags => 400,
            ErrorKind::Forbidden => 403,
            ErrorKind::NotFound => 404,
            ErrorKind::Conflict | ErrorKind::ResourceInUse => 409,
            ErrorKind::TooManyRequests => 429,
            ErrorKind::InternalServerError => 500,
            ErrorKind::ServiceUnavailable => 503,
        }
    }
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            violations: Vec::new(),
        }
    }

    pub fn bad_request(violations: Vec<Violation>) -> Self {
        let shown = violations.iter().take(MOST_SHOWN);
        let mut lines: Vec<String> = shown.map(Violation::to_string).collect();
        if violations.len() > MOST_SHOWN {
            lines.push(format!("and {} more", violations.len() - MOST_SHOWN));
        }
        Self {
            kind: ErrorKind::BadRequest,
            message: lines.join("; "),
            violations,
        }
    }

    /// Something a request refers to is not there; App Mesh's words for it.
    pub(crate) fn missing(id: &ResourceId) -> Self {
        Self::new(
            ErrorKind::NotFound,
            format!("{} with name {} is missing", id.kind(), id.name()),
        )
    }
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::bad_request(vec![violation])
    }
}
