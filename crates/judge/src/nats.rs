//! Logarithms of evidence that are carried along: integers in units of 2^-32 nats.
//!
//! Rounded down, so that rounding never makes evidence; added without error, so that a state read back is the
//! state that was written.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Nats(i64);

impl Nats {
    const PER_NAT: f64 = (1_u64 << 32) as f64;

    /// What is no number is no evidence.
    pub(crate) fn add(&mut self, log: f64) {
        let units = libm::floor(log * Self::PER_NAT);
        self.0 = self.0.saturating_add(units as i64);
    }

    pub(crate) fn get(self) -> f64 {
        self.0 as f64 / Self::PER_NAT
    }
}

#[cfg(test)]
mod tests {
    use super::Nats;

    #[test]
    fn rounding_makes_no_evidence() {
        let mut nats = Nats::default();
        for log in [0.1, -0.1, 1e-12, -1e-12, f64::NAN, f64::MIN_POSITIVE] {
            nats.add(log);
        }
        assert!(nats.get() <= 0.0 && nats.get() > -1e-8, "{nats:?}");
        nats.add(f64::INFINITY);
        assert!(nats.get() > 1e9);
    }
}
