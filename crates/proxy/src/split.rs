//! A weighted draw: every request on its own, at random, whatever was drawn before.

use fastrand::Rng;

#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) id: String,
    targets: Vec<Target>,
    total: u64,
}

#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) arm: String,
    pub(crate) cluster: usize,
    pub(crate) weight: u32,
}

impl Split {
    pub(crate) fn new(split: &view::Split) -> Self {
        Self {
            id: split.id.clone(),
            targets: split
                .targets
                .iter()
                .map(|target| Target {
                    arm: target.arm.clone(),
                    cluster: target.cluster,
                    weight: target.weight,
                })
                .collect(),
            total: split
                .targets
                .iter()
                .map(|target| u64::from(target.weight))
                .sum(),
        }
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter()
    }

    /// The index of the target drawn; `None` where all weights are zero.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Option<usize> {
        if self.total == 0 {
            return None;
        }
        let mut ticket = rng.u64(..self.total);
        self.targets.iter().position(|target| {
            let weight = u64::from(target.weight);
            let drawn = ticket < weight;
            ticket = ticket.wrapping_sub(weight);
            drawn
        })
    }

    pub(crate) fn target(&self, index: usize) -> &Target {
        &self.targets[index]
    }
}

#[cfg(test)]
mod tests {
    use super::Split;
    use fastrand::Rng;
    use proptest::prelude::*;

    fn split(weights: &[u32]) -> Split {
        let targets = weights
            .iter()
            .enumerate()
            .map(|(cluster, &weight)| view::Target {
                arm: cluster.to_string(),
                cluster,
                weight,
            })
            .collect();
        Split::new(&view::Split {
            id: "s".into(),
            targets,
        })
    }

    /// Six standard deviations and a little: a false alarm in 10^9 runs, had the seed been free.
    const BOUND: f64 = 6.2;

    fn is_binomial(hits: usize, draws: usize, share: f64) -> bool {
        let expected = draws as f64 * share;
        let deviation = (expected * (1.0 - share)).sqrt();
        (hits as f64 - expected).abs() <= BOUND * deviation
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn shares_follow_the_weights(
            weights in proptest::collection::vec(0u32..=100, 1..=10),
            seed in any::<u64>(),
        ) {
            let split = split(&weights);
            let mut rng = Rng::with_seed(seed);
            let draws = 20_000;
            let mut hits = vec![0; weights.len()];
            for _ in 0..draws {
                match split.draw(&mut rng) {
                    Some(index) => hits[index] += 1,
                    None => prop_assert_eq!(split.total, 0),
                }
            }
            if split.total > 0 {
                for (&weight, &hits) in weights.iter().zip(&hits) {
                    let share = f64::from(weight) / split.total as f64;
                    prop_assert!(is_binomial(hits, draws, share), "{weights:?} {hits:?}");
                }
            }
        }
    }

    /// Round-robin has the right shares too; what it lacks is independence. After either arm, the
    /// next must be drawn as if nothing had been drawn before, at every lag that a scheme could use.
    #[test]
    fn a_draw_tells_nothing_of_the_next() {
        let split = split(&[2, 1]);
        let mut rng = Rng::with_seed(7);
        let draws: Vec<usize> = (0..200_000).filter_map(|_| split.draw(&mut rng)).collect();
        for lag in 1..=12 {
            for before in [0, 1] {
                let after: Vec<usize> = draws
                    .iter()
                    .zip(&draws[lag..])
                    .filter(|(first, _)| **first == before)
                    .map(|(_, second)| *second)
                    .collect();
                let canary = after.iter().sum();
                assert!(
                    is_binomial(canary, after.len(), 1.0 / 3.0),
                    "lag {lag} after {before}"
                );
            }
        }
        let runs = 1 + draws.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(is_binomial(runs, draws.len(), 4.0 / 9.0), "{runs} runs");
    }

    #[test]
    fn weights_are_relative_and_may_be_zero() {
        let mut rng = Rng::with_seed(1);
        assert_eq!(split(&[]).draw(&mut rng), None);
        assert_eq!(split(&[0, 0]).draw(&mut rng), None);
        assert!((0..1000).all(|_| split(&[0, 3, 0]).draw(&mut rng) == Some(1)));
        assert!((0..1000).all(|_| split(&[u32::MAX; 10]).draw(&mut rng).is_some()));
    }
}
