//! A group-sequential test with a maximum known beforehand: ten looks, one a minute, at a share of 20 %, with
//! the boundaries of O'Brien and Fleming (1979) for a one-sided chance of 1 % of a false rollback.
//!
//! The looks are at equal steps of information, so look `k` of `K` rejects above `c sqrt(K / k)`; `c` is found
//! by integrating the distribution of the sums that have not been rejected yet (Armitage, McPherson and
//! Rowe 1969).

use std::sync::LazyLock;

use judge::BasisPoints;

use super::two_proportions::TwoProportions;
use crate::normal;
use crate::trial::{Look, Rule, Seen};

const LOOKS: u32 = 10;
const ALPHA: f64 = 0.01;

static CONSTANT: LazyLock<f64> = LazyLock::new(|| {
    let (mut low, mut high) = (1.0, 5.0);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if chance_to_reject(middle, LOOKS) > ALPHA {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
});

/// The chance that a random walk of normal steps is above `constant * sqrt(looks)` after any of them: O'Brien
/// and Fleming's boundary is level in the sum.
fn chance_to_reject(constant: f64, looks: u32) -> f64 {
    const CELLS: usize = 600;
    let limit = constant * f64::from(looks).sqrt();
    let lowest = -6.0 * f64::from(looks).sqrt();
    let width = (limit - lowest) / CELLS as f64;
    let middle = |cell: usize| lowest + (cell as f64 + 0.5) * width;
    let mut rejected = normal::above(limit);
    let mut density: Vec<f64> = (0..CELLS)
        .map(|cell| normal::density(middle(cell)))
        .collect();
    for _ in 1..looks {
        rejected += (0..CELLS)
            .map(|cell| density[cell] * width * normal::above(limit - middle(cell)))
            .sum::<f64>();
        density = (0..CELLS)
            .map(|to| {
                let from = |cell: usize| density[cell] * normal::density(middle(to) - middle(cell));
                (0..CELLS).map(from).sum::<f64>() * width
            })
            .collect();
    }
    rejected
}

#[derive(Debug, Default)]
pub(crate) struct GroupSequential {
    arms: TwoProportions,
    looks: u32,
}

impl Rule for GroupSequential {
    fn period(&self) -> f64 {
        60.0
    }

    fn begin(&mut self) -> BasisPoints {
        BasisPoints::new(2000)
    }

    fn see(&mut self, seen: &Seen) -> bool {
        self.arms.add(seen);
        false
    }

    fn look(&mut self, _now: f64) -> Look {
        self.looks += 1;
        let boundary = *CONSTANT * (f64::from(LOOKS) / f64::from(self.looks)).sqrt();
        if self.arms.z() > boundary {
            return Look::RollBack;
        }
        if self.looks == LOOKS {
            return Look::Promote;
        }
        Look::Share(BasisPoints::new(2000))
    }
}

#[cfg(test)]
mod tests {
    use super::{CONSTANT, chance_to_reject};

    /// Jennison and Turnbull (2000), table 2.3: two-sided 5 %, five looks: 2.040; ten looks: 2.087.
    #[test]
    fn agrees_with_published_constants() {
        for (looks, constant) in [(1, 1.960), (2, 1.977), (5, 2.040), (10, 2.087)] {
            let chance = chance_to_reject(constant, looks);
            assert!((chance - 0.025).abs() < 3e-4, "{looks} looks: {chance}");
        }
        assert!((2.3..2.6).contains(&*CONSTANT), "{}", *CONSTANT);
    }
}
