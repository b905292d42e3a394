//! A token bucket: so many requests a second, and some at once after a rest.
//!
//! Pure but for its lock: time is an argument.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::configuration::Rate;

#[derive(Debug)]
pub(crate) struct Throttle {
    /// Between two requests at the full rate.
    interval: Duration,
    /// How far requests may be ahead of that.
    lead: Duration,
    /// When a bucket that is as empty as it is now would be full again.
    full_at: Mutex<Option<Instant>>,
}

impl Throttle {
    pub(crate) fn new(rate: Rate) -> Self {
        let interval = Duration::from_secs(1) / rate.requests_per_second.get();
        let burst = rate.burst.unwrap_or(rate.requests_per_second);
        Self {
            interval,
            lead: interval * burst.get(),
            full_at: Mutex::new(None),
        }
    }

    /// Takes one request's token, if there is one.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = full_at.map_or(now, |at| at.max(now)) + self.interval;
        if next - now > self.lead {
            return false;
        }
        *full_at = Some(next);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn throttle(requests_per_second: u32, burst: Option<u32>) -> Throttle {
        Throttle::new(Rate {
            requests_per_second: NonZeroU32::new(requests_per_second).unwrap(),
            burst: burst.map(|burst| NonZeroU32::new(burst).unwrap()),
        })
    }

    fn admitted(throttle: &Throttle, now: Instant) -> usize {
        (0..1000).filter(|_| throttle.admits(now)).count()
    }

    #[test]
    fn a_burst_passes_at_once_and_then_the_rate_holds() {
        let throttle = throttle(10, Some(30));
        let start = Instant::now();
        assert_eq!(admitted(&throttle, start), 30);
        assert_eq!(admitted(&throttle, start + Duration::from_millis(99)), 0);
        assert_eq!(admitted(&throttle, start + Duration::from_millis(100)), 1);
        assert_eq!(admitted(&throttle, start + Duration::from_secs(1)), 9);
        assert_eq!(admitted(&throttle, start + Duration::from_secs(3600)), 30);
    }

    #[test]
    fn without_a_burst_the_requests_of_one_second_may_come_at_once() {
        let throttle = throttle(7, None);
        assert_eq!(admitted(&throttle, Instant::now()), 7);
    }
}
