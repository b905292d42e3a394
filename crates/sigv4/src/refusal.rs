//! Why a request is refused, with the error types by which AWS's clients know it.

use std::time::Duration;

use jiff::Timestamp;
use thiserror::Error;

/// Says what is wrong and what to do; never a secret, never the expected signature.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error(
        "Missing Authentication Token: the request is not signed. Sign it with Signature Version 4, \
         in the Authorization header or as a presigned URL."
    )]
    Unsigned,
    #[error(
        "The request is signed both in the Authorization header and in the query. Use one of the two."
    )]
    SignedTwice,
    #[error("Algorithm {0:?} is not supported here. Sign with AWS4-HMAC-SHA256.")]
    Algorithm(String),
    #[error(
        "Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not supported here. Sign for one region \
         with AWS4-HMAC-SHA256."
    )]
    Asymmetric,
    #[error("The signature lacks {0}. Sign with Signature Version 4.")]
    Lacks(&'static str),
    #[error("The request has more than one {0}. Send it once.")]
    Repeated(&'static str),
    #[error("{part} is malformed: {given:?} is not {form}.")]
    Malformed {
        part: &'static str,
        given: String,
        form: &'static str,
    },
    #[error("Credential should be scoped to {part} {expected:?}, not {given:?}.")]
    Scope {
        part: &'static str,
        given: String,
        expected: String,
    },
    #[error(
        "Signature expired: it was made at {signed} and good for {}s, and it is {now} now. Sign again; \
         if it was just made, compare the two clocks.", good_for.as_secs()
    )]
    Expired {
        signed: Timestamp,
        good_for: Duration,
        now: Timestamp,
    },
    #[error(
        "Signature not yet current: it was made at {signed}, and it is {now} now. Compare the two \
         clocks."
    )]
    NotYetCurrent { signed: Timestamp, now: Timestamp },
    #[error("{0:?} must be among the SignedHeaders. Sign the header, or do not send it.")]
    HeaderNotSigned(String),
    #[error("{0:?} is among the SignedHeaders, but the request has no such header.")]
    HeaderNotSent(String),
    #[error("The Host header is {header:?}, but the request is for {target:?}. Send one host.")]
    Hosts { header: String, target: String },
    #[error(
        "UNSIGNED-PAYLOAD is not supported here. Sign the body: leave x-amz-content-sha256 away, or \
         send the body's SHA-256 in it."
    )]
    PayloadNotSigned,
    #[error(
        "A payload signed in chunks ({0:?}) is not supported here. Sign the body as a whole: leave \
         x-amz-content-sha256 away, or send the body's SHA-256 in it."
    )]
    PayloadInChunks(String),
    #[error(
        "The body is not the one that was signed: its SHA-256 is not the one in x-amz-content-sha256."
    )]
    Payload,
    #[error(
        "The security token included in the request is invalid: its access key id is not known here. \
         Check AWS_ACCESS_KEY_ID against the credentials of this server."
    )]
    UnknownKey,
    #[error(
        "The security token included in the request is invalid: this access key needs its session \
         token. Set AWS_SESSION_TOKEN to it."
    )]
    SessionToken,
    #[error(
        "The security token included in the request is invalid: this access key has no session \
         token. Unset AWS_SESSION_TOKEN."
    )]
    NoSessionToken,
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your \
         secret access key (AWS_SECRET_ACCESS_KEY), and that nothing changes the request on its way."
    )]
    Signature,
}

impl Refusal {
    /// The name of AWS's error type, as clients look for it in `x-amzn-ErrorType`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unsigned => "MissingAuthenticationTokenException",
            Self::SignedTwice
            | Self::Algorithm(_)
            | Self::Asymmetric
            | Self::Lacks(_)
            | Self::Repeated(_)
            | Self::Malformed { .. } => "IncompleteSignatureException",
            Self::UnknownKey | Self::SessionToken | Self::NoSessionToken => {
                "UnrecognizedClientException"
            }
            Self::Scope { .. }
            | Self::Expired { .. }
            | Self::NotYetCurrent { .. }
            | Self::HeaderNotSigned(_)
            | Self::HeaderNotSent(_)
            | Self::Hosts { .. }
            | Self::PayloadNotSigned
            | Self::PayloadInChunks(_)
            | Self::Payload
            | Self::Signature => "InvalidSignatureException",
        }
    }

    /// The status of the answer: whoever cannot say who they are is forbidden everything.
    pub fn status(&self) -> u16 {
        403
    }
}
