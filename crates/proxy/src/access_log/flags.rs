//! Why a request did not end as its client wished, in the short words of Envoy's `%RESPONSE_FLAGS%`.

use crate::exchange::Failure;
use crate::tcp::Refused;
use crate::tunnel::End;

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

    /// Of a connection over TCP that reached nobody; only its tries use themselves up.
    pub(crate) fn of_refusal(refused: &Refused) -> Self {
        match refused {
            Refused::NoRoute => Self::NO_ROUTE,
            Refused::NoEndpoint { .. } => Self::NO_ENDPOINT,
            Refused::NoTurn => Self::OVERFLOW,
            Refused::Connect { .. } => Self {
                reason: Some("UF"),
                retries_used_up: true,
            },
            Refused::Cut => Self::of("DC"),
        }
    }

    /// Of a connection over TCP that was carried; Envoy is silent about its client and about time-outs.
    pub(crate) fn of_end(how: &End) -> Self {
        match how {
            End::UpstreamBroke(_) => Self::of("UR"),
            End::Cut => Self::of("DC"),
            End::Finished | End::ClientBroke(_) | End::Idle => Self::default(),
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
