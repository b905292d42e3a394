//! How long requests took, in a thousand classes of equal ratio, with the failed ones beyond the slowest.
//!
//! So a failure counts as the worst of latencies, and one test of ranks or distributions hears of both.

use crate::trial::Seen;

/// From 1 ms in steps of 1.1 % to 60 s, and one class for failures.
const CLASSES: usize = 1001;

#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    pub(crate) counts: Vec<u32>,
    pub(crate) total: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; CLASSES],
            total: 0,
        }
    }
}

impl Histogram {
    pub(crate) fn add(&mut self, seen: &Seen) {
        let class = match seen.failed {
            true => CLASSES - 1,
            false => class_of(seen.millis),
        };
        if let Some(count) = self.counts.get_mut(class) {
            *count += 1;
        }
        self.total += 1;
    }
}

fn class_of(millis: f64) -> usize {
    /// `(CLASSES - 1) / ln(60,000)`
    const PER_NAT: f64 = 90.891_5;
    ((millis.max(1.0).ln() * PER_NAT) as usize).min(CLASSES - 2)
}

#[cfg(test)]
mod tests {
    use super::{CLASSES, class_of};

    #[test]
    fn classes_are_fine_and_complete() {
        assert_eq!((class_of(0.0), class_of(1.0)), (0, 0));
        assert!(class_of(105.0) >= class_of(100.0) + 4);
        assert_eq!(class_of(1e9), CLASSES - 2);
        assert!(class_of(59_000.0) > CLASSES - 10);
    }
}
