//! The one place that asks for the time: twice a request, at its head and at its end.

pub(crate) use tokio::time::Instant;

pub(crate) fn now() -> Instant {
    Instant::now()
}
