//! Times that mean something: both halves given, and no longer than a proxy can be told.
//!
//! The service model leaves unit and value optional; a time without one of them says nothing `[?]`.

use crate::check::Checker;
use crate::spec::{Duration, HttpTimeout, TcpTimeout};

/// The longest time in an Envoy configuration, about 10 000 years.
const LONGEST: std::time::Duration = std::time::Duration::from_secs(315_576_000_000);

pub(super) fn check(at: &mut Checker, duration: &Duration) {
    if duration.unit.is_none() {
        at.inside("unit").refuse("is required in a time");
    }
    if duration.value.is_none() {
        at.inside("value").refuse("is required in a time");
    }
    if duration.to_std().is_some_and(|time| time > LONGEST) {
        at.refuse("is longer than 315576000000 s");
    }
}

pub(super) fn check_http(at: &mut Checker, timeout: &HttpTimeout) {
    if let Some(idle) = &timeout.idle {
        check(&mut at.inside("idle"), idle);
    }
    if let Some(per_request) = &timeout.per_request {
        check(&mut at.inside("perRequest"), per_request);
    }
}

pub(super) fn check_tcp(at: &mut Checker, timeout: &TcpTimeout) {
    if let Some(idle) = &timeout.idle {
        check(&mut at.inside("idle"), idle);
    }
}
