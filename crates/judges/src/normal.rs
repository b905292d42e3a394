//! The normal distribution.

use std::f64::consts::FRAC_1_SQRT_2;

/// The chance to be above `z`.
pub(crate) fn above(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

pub(crate) fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt()
}

#[cfg(test)]
mod tests {
    #[test]
    fn agrees_with_tables() {
        assert!((super::above(1.959_963_984_540_054) - 0.025).abs() < 1e-15);
        assert!((super::above(-1.281_551_565_544_600_4) - 0.9).abs() < 1e-15);
        assert!((super::density(0.0) - 0.398_942_280_401_432_7).abs() < 1e-15);
    }
}
