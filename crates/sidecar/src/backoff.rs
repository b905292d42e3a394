//! How long to wait before the server is called again: longer each time, and never for many at once.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Backoff {
    bound: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { bound: FIRST }
    }

    /// The server answered: the next failure is a first one again.
    pub(crate) fn reset(&mut self) {
        self.bound = FIRST;
    }

    /// Anything from half the bound to all of it, so that proxies that lost their server at once do not
    /// return at once.
    pub(crate) fn next(&mut self, random: f64) -> Duration {
        let pause = self.bound.mul_f64(0.5 + random / 2.0);
        self.bound = (self.bound * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew_after_success() {
        let mut backoff = Backoff::new();
        let bounds: Vec<Duration> = (0..9).map(|_| backoff.next(1.0)).collect();
        assert_eq!(bounds[0], FIRST);
        assert_eq!(bounds[1], FIRST * 2);
        assert_eq!(bounds[8], LONGEST);
        assert_eq!(backoff.next(0.0), LONGEST / 2);
        backoff.reset();
        assert_eq!(backoff.next(0.5), FIRST.mul_f64(0.75));
    }
}
