//! Why a request did not end as its client wished, in the short words of Envoy's `%RESPONSE_FLAGS%`.

use crate::exchange::Failure;

/// At most two: what went wrong, and that it had been tried before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) reason: Option<&'static str>,
    pub(crate) retries_used_up: bool,
}

impl Flags {
    pub(crate) const NO_ROUTE: Self = Self::of("NR");
    pub(crate) const NO_ENDPOINT: Self = Self::of("UH");
    pub(crate) const DELAYED: Self = Self::of("DI");
    pub(crate) const OVERFLOW: Self = Self::of("UO");
    pub(crate) const OVERLOADED: Self = Self::of("OM");
    pub(crate) const BAD_REQUEST: Self = Self::of("DPE");

    const fn of(reason: &'static str) -> Self {
        Self {
            reason: Some(reason),
            retries_used_up: false,
        }
    }

    pub(crate) fn of_failure(failure: &Failure, retries_used_up: bool) -> Self {
        let reason = match failure {
            Failure::NoEndpoint { .. } | Failure::Unsupported { .. } => Some("UH"),
            Failure::Resolve { .. } => Some("DF"),
            Failure::Connect { .. } => Some("UF"),
            Failure::Broken { .. } => Some("UC"),
            Failure::Refused => Some("UR"),
            Failure::BadResponse(_) => Some("UPE"),
            Failure::TryTimeout | Failure::Timeout => Some("UT"),
            Failure::Deadline | Failure::ClientStalled => Some("SI"),
            Failure::NoTurn => Some("UO"),
            Failure::BadBody(_) | Failure::Untranslatable(_) => Some("DPE"),
            Failure::Cancelled | Failure::Cut => Some("DC"),
            Failure::Injected { .. } => Some("FI"),
            Failure::Loop { .. } | Failure::RetriedStatus { .. } | Failure::NoWebSocket => None,
        };
        Self {
            reason,
            retries_used_up,
        }
    }

    pub(super) fn text(self) -> Option<String> {
        match (self.reason, self.retries_used_up) {
            (None, false) => None,
            (Some(reason), false) => Some(reason.to_owned()),
            (None, true) => Some("URX".to_owned()),
            (Some(reason), true) => Some(format!("{reason},URX")),
        }
    }
}
