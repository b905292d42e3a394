//! What a metrics server tells of the last interval: requests, failures and the 99th percentile of one arm.

#[derive(Debug, Default)]
pub(crate) struct Window {
    failures: u64,
    millis: Vec<f64>,
}

impl Window {
    pub(crate) fn add(&mut self, failed: bool, millis: f64) {
        self.failures += u64::from(failed);
        self.millis.push(millis);
    }

    /// Requests that did not fail, of all; no number where there were none, as Prometheus divides.
    pub(crate) fn success_rate(&self) -> f64 {
        1.0 - self.failures as f64 / self.millis.len() as f64
    }

    /// In milliseconds; no number where there were no requests.
    pub(crate) fn p99(&mut self) -> f64 {
        if self.millis.is_empty() {
            return f64::NAN;
        }
        let rank = (0.99 * self.millis.len() as f64).ceil() as usize;
        let (_, value, _) = self.millis.select_nth_unstable_by(rank - 1, f64::total_cmp);
        *value
    }

    pub(crate) fn clear(&mut self) {
        self.failures = 0;
        self.millis.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn no_traffic_gives_no_number() {
        let mut window = Window::default();
        assert!(window.success_rate().is_nan() && window.p99().is_nan());
        (1..=200).for_each(|each| window.add(each == 7, f64::from(each)));
        assert_eq!((window.success_rate(), window.p99()), (0.995, 198.0));
        window.clear();
        assert!(window.p99().is_nan());
    }
}
