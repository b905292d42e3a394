//! The schedule of Flagger's README: `stepWeight: 5`, `maxWeight: 50`, `interval: 1m`.

use judge::BasisPoints;

const STEP: u32 = 500;
const LAST: u32 = 5000;

/// Seconds between looks.
pub(crate) const INTERVAL: f64 = 60.0;

#[derive(Debug)]
pub(crate) struct Ramp {
    share: u32,
}

impl Default for Ramp {
    fn default() -> Self {
        Self { share: STEP }
    }
}

impl Ramp {
    pub(crate) fn share(&self) -> BasisPoints {
        BasisPoints::new(self.share)
    }

    /// The next share; none after the last, when the release is promoted.
    pub(crate) fn advance(&mut self) -> Option<BasisPoints> {
        if self.share >= LAST {
            return None;
        }
        self.share += STEP;
        Some(self.share())
    }
}
