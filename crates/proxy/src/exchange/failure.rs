//! Why a try of a request failed: what the client is told, how it counts, whether to try again.

use std::io;

use view::RetryPolicy;
use view::observe::Outcome;

use super::outcome_of;
use super::tries::Tries;
use crate::grpc;
use crate::http1::Malformed;

/// Why a try got no response through to the client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{cluster} has no endpoint")]
    NoEndpoint { cluster: String },
    #[error("nothing can be sent to {cluster}: {reason}")]
    Unsupported { cluster: String, reason: String },
    #[error("cannot resolve {host}: {source}")]
    Resolve { host: String, source: io::Error },
    #[error("{authority} leads back to this listener")]
    Loop { authority: String },
    #[error("cannot connect to {endpoint}: {source}")]
    Connect { endpoint: String, source: io::Error },
    #[error("the connection to the service broke before it answered")]
    Broken { unsent: bool },
    #[error("the service's answer was not valid: {0}")]
    BadResponse(Malformed),
    #[error("the service answered {status}, which is retried")]
    RetriedStatus { status: u16, outcome: Outcome },
    #[error("the service refused to begin with the request")]
    Refused,
    #[error("the service did not answer in time")]
    TryTimeout,
    #[error("the service did not answer in time")]
    Timeout,
    #[error("the time that the client gave the request is up")]
    Deadline,
    #[error("as many requests were under way as the listener's connection pool allows")]
    NoTurn,
    #[error("the request's body is not valid: {0}")]
    BadBody(Malformed),
    #[error(
        "the service takes no WebSocket over HTTP/2: its settings lack SETTINGS_ENABLE_CONNECT_PROTOCOL"
    )]
    NoWebSocket,
    #[error("the request cannot be said in HTTP/2: {0}")]
    Untranslatable(&'static str),
    #[error("a fault was made on purpose")]
    Injected { status: u16 },
    #[error("the client stopped in the middle")]
    ClientStalled,
    #[error("the client went away")]
    Cancelled,
    #[error("the proxy is stopping")]
    Cut,
}

impl Failure {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::NoEndpoint { .. }
            | Self::Unsupported { .. }
            | Self::Resolve { .. }
            | Self::Loop { .. }
            | Self::Connect { .. } => Outcome::Unavailable,
            Self::Broken { .. } | Self::BadResponse(_) => Outcome::Reset,
            Self::RetriedStatus { outcome, .. } => *outcome,
            Self::Injected { status } => outcome_of(*status),
            Self::Refused => Outcome::Unavailable,
            Self::TryTimeout | Self::Timeout | Self::Deadline | Self::NoTurn => Outcome::Timeout,
            Self::NoWebSocket | Self::Untranslatable(_) => Outcome::ClientError,
            Self::BadBody(_) | Self::ClientStalled | Self::Cancelled | Self::Cut => {
                Outcome::Cancelled
            }
        }
    }

    /// As Envoy answers; `None` where there is nobody to answer.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::NoEndpoint { .. }
            | Self::Unsupported { .. }
            | Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Broken { .. }
            | Self::RetriedStatus { .. }
            | Self::Refused => Some(503),
            Self::Injected { status } => Some(*status),
            Self::ClientStalled => Some(408),
            Self::Loop { .. } => Some(508),
            Self::BadResponse(_) => Some(502),
            Self::TryTimeout | Self::Timeout | Self::Deadline | Self::NoTurn => Some(504),
            Self::BadBody(malformed) => Some(malformed.status()),
            Self::Untranslatable(_) => Some(400),
            Self::NoWebSocket => Some(501),
            Self::Cancelled | Self::Cut => None,
        }
    }

    /// The same for a gRPC client; one whose own deadline has passed knows what to expect.
    pub(crate) fn grpc_status(&self) -> Option<u8> {
        match self {
            Self::Deadline => Some(grpc::DEADLINE_EXCEEDED),
            other => other.status().map(grpc::status_of_http),
        }
    }

    /// Whether the service has worked on the request, so that trying again is work once more.
    pub(super) fn was_work(&self) -> bool {
        matches!(self, Self::RetriedStatus { .. } | Self::TryTimeout)
    }

    /// Whether it speaks against the endpoint. A pooled connection may have been closed in good order.
    pub(super) fn is_the_endpoints(&self, tries: &Tries) -> bool {
        match self {
            Self::Connect { .. } | Self::BadResponse(_) | Self::TryTimeout | Self::Timeout => true,
            Self::Broken { .. } => !tries.was_pooled || tries.has_answered,
            Self::RetriedStatus { outcome, .. } => speaks_against(*outcome),
            _ => false,
        }
    }

    /// Whether a try that ends like this counts though another one follows: as it would have, had it been the
    /// last. A pooled connection that took nothing any more had been closed while it was idle, which tells how
    /// busy a version is and not how good.
    pub(super) fn is_the_versions(&self, tries: &Tries) -> bool {
        let was_closed_at_rest = tries.was_pooled && matches!(self, Self::Broken { unsent: true });
        self.outcome().is_failure() && !was_closed_at_rest
    }

    pub(super) fn is_retried_by(&self, policy: &RetryPolicy) -> bool {
        match self {
            Self::Connect { .. } => policy.on.connect_failure,
            Self::Broken { .. } | Self::TryTimeout => policy.on.reset,
            Self::Refused => policy.on.refused_stream,
            Self::RetriedStatus { .. } => true,
            _ => false,
        }
    }
}

/// Whether an answer that counts like this speaks against the endpoint that gave it.
pub(super) fn speaks_against(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::ServerError | Outcome::Unavailable | Outcome::Timeout
    )
}
