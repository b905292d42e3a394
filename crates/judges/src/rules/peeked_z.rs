//! What people write themselves: the test of two proportions over all requests so far, looked at each
//! minute, against 1.96.

use judge::BasisPoints;

use super::ramp::{INTERVAL, Ramp};
use super::two_proportions::TwoProportions;
use crate::trial::{Look, Rule, Seen};

pub(crate) const CRITICAL: f64 = 1.96;

#[derive(Debug, Default)]
pub(crate) struct PeekedZ {
    ramp: Ramp,
    arms: TwoProportions,
}

impl Rule for PeekedZ {
    fn period(&self) -> f64 {
        INTERVAL
    }

    fn begin(&mut self) -> BasisPoints {
        self.ramp.share()
    }

    fn see(&mut self, seen: &Seen) -> bool {
        self.arms.add(seen);
        false
    }

    fn look(&mut self, _now: f64) -> Look {
        if self.arms.z() > CRITICAL {
            return Look::RollBack;
        }
        self.ramp.advance().map_or(Look::Promote, Look::Share)
    }
}
