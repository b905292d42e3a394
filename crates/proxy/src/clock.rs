//! The one place that asks for the time: twice a request, at its head and at its end.

pub(crate) use tokio::time::Instant;

pub(crate) fn now() -> Instant {
    Instant::now()
}

/// For people, who read it in a log.
#[expect(clippy::disallowed_methods, reason = "this is the module named clock")]
pub(crate) fn wall() -> std::time::SystemTime {
    std::time::SystemTime::now()
}
