//! Flagger 1.44 as its README configures it: `threshold: 10`, `stepWeight: 5`, `maxWeight: 50`,
//! `interval: 1m`, `request-success-rate` at least 99 %, `request-duration` (p99) at most 500 ms.
//!
//! Each minute the canary's own metrics of that minute are compared with the limits; the old version is not
//! looked at. A failed check does not advance and is never forgotten, and no traffic is a failed check
//! (`ErrNoValuesFound`). The tick after the tenth failed check rolls back, so not before the eleventh minute
//! (fluxcd/flagger, `pkg/controller/scheduler.go`: the counter is read before the analysis runs).

use judge::BasisPoints;

use super::ramp::{INTERVAL, Ramp};
use super::window::Window;
use crate::trial::{Look, Rule, Seen};

const THRESHOLD: u32 = 10;
const LEAST_SUCCESS_RATE: f64 = 0.99;
const MOST_MILLIS: f64 = 500.0;

#[derive(Debug, Default)]
pub(crate) struct Flagger {
    ramp: Ramp,
    canary: Window,
    failed_checks: u32,
}

impl Rule for Flagger {
    fn period(&self) -> f64 {
        INTERVAL
    }

    fn begin(&mut self) -> BasisPoints {
        self.ramp.share()
    }

    fn see(&mut self, seen: &Seen) -> bool {
        if seen.canary {
            self.canary.add(seen.failed, seen.millis);
        }
        false
    }

    fn look(&mut self, _now: f64) -> Look {
        if self.failed_checks >= THRESHOLD {
            return Look::RollBack;
        }
        // No number passes neither comparison.
        let passed =
            self.canary.success_rate() >= LEAST_SUCCESS_RATE && self.canary.p99() <= MOST_MILLIS;
        self.canary.clear();
        if !passed {
            self.failed_checks += 1;
            return Look::Share(self.ramp.share());
        }
        self.ramp.advance().map_or(Look::Promote, Look::Share)
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::Kind;
    use crate::scenario::{CALM, Fault, Scenario};
    use crate::trial::{Ending, play};

    #[test]
    fn ten_minutes_promote_and_eleven_roll_back() {
        let healthy = play(&CALM, &mut *Kind::Flagger.start(&CALM), 1);
        assert_eq!((healthy.ending, healthy.seconds), (Ending::Promoted, 601.0));
        let broken = Scenario {
            fault: Fault::Fails(0.5),
            ..CALM
        };
        let broken = play(&broken, &mut *Kind::Flagger.start(&broken), 1);
        assert_eq!((broken.ending, broken.seconds), (Ending::RolledBack, 661.0));
    }

    #[test]
    fn without_traffic_it_rolls_back() {
        let quiet = Scenario {
            rate: 0.001,
            ..CALM
        };
        let outcome = play(&quiet, &mut *Kind::Flagger.start(&quiet), 1);
        assert_eq!(outcome.ending, Ending::RolledBack);
    }
}
