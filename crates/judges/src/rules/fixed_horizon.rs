//! The same test as it is meant: one share, 10 %, and one look, after ten minutes.

use judge::BasisPoints;

use super::peeked_z::CRITICAL;
use super::two_proportions::TwoProportions;
use crate::trial::{Look, Rule, Seen};

#[derive(Debug, Default)]
pub(crate) struct FixedHorizon {
    arms: TwoProportions,
}

impl Rule for FixedHorizon {
    fn period(&self) -> f64 {
        600.0
    }

    fn begin(&mut self) -> BasisPoints {
        BasisPoints::new(1000)
    }

    fn see(&mut self, seen: &Seen) -> bool {
        self.arms.add(seen);
        false
    }

    fn look(&mut self, _now: f64) -> Look {
        match self.arms.z() > CRITICAL {
            true => Look::RollBack,
            false => Look::Promote,
        }
    }
}
