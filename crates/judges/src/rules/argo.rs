//! Argo Rollouts 1.9: a background analysis of the success rate, at least 99 % in each minute, on Flagger's
//! schedule.
//!
//! A measurement below it, or one that is no number, is Failed; more than `failureLimit` of them (0 by
//! default, 3 in many examples) abort (argoproj/argo-rollouts, `analysis_types.go`). Only the canary's own
//! metrics count.

use judge::BasisPoints;

use super::ramp::{INTERVAL, Ramp};
use super::window::Window;
use crate::trial::{Look, Rule, Seen};

const LEAST_SUCCESS_RATE: f64 = 0.99;

#[derive(Debug)]
pub(crate) struct Argo {
    failure_limit: u32,
    failed: u32,
    ramp: Ramp,
    canary: Window,
}

impl Argo {
    pub(crate) fn with_failure_limit(failure_limit: u32) -> Self {
        Self {
            failure_limit,
            failed: 0,
            ramp: Ramp::default(),
            canary: Window::default(),
        }
    }
}

impl Rule for Argo {
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
        let passed = self.canary.success_rate() >= LEAST_SUCCESS_RATE;
        self.canary.clear();
        self.failed += u32::from(!passed);
        if self.failed > self.failure_limit {
            return Look::RollBack;
        }
        // A step's pause ends whatever the analysis has measured so far.
        self.ramp.advance().map_or(Look::Promote, Look::Share)
    }
}
