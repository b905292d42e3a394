//! A weighted draw: every request on its own, at random, whatever was drawn before. Unless the route says
//! that users stay on their arm, then every user; or that a request may name its arm.

use fastrand::Rng;
use httparse::Header;
use view::Traffic;

use crate::pin;
use crate::sticky::{Sticky, User};

#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) id: String,
    targets: Vec<Target>,
    total: u64,
    /// Only where there is a choice to remember.
    sticky: Option<Sticky>,
    pin: Option<view::Pin>,
}

#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) arm: String,
    pub(crate) cluster: usize,
    pub(crate) weight: u32,
}

/// A request's target, by its index, and how it came to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) target: usize,
    pub(crate) by: By,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum By {
    Chance,
    /// The user's hash, which is chance too, but only once for each user.
    User(User),
    /// The request's own word.
    Name,
}

impl Split {
    pub(crate) fn new(split: &view::Split, traffic: &Traffic) -> Self {
        let with_weight = split.targets.iter().filter(|target| target.weight > 0);
        let is_divided = with_weight.count() > 1;
        let sticky = traffic.sticky.as_ref().filter(|_| is_divided);
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
            sticky: sticky.map(|key| Sticky::new(key, split)),
            pin: traffic.pin.clone(),
        }
    }

    pub(crate) fn is_sticky(&self) -> bool {
        self.sticky.is_some()
    }

    /// Whether every name leads to a target.
    pub(crate) fn is_whole(&self) -> bool {
        let pins = self.pin.iter().flat_map(|pin| pin.targets.values());
        pins.copied().all(|target| target < self.targets.len())
    }

    pub(crate) fn may_be_pinned(&self) -> bool {
        self.pin.is_some()
    }

    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter()
    }

    /// Whether the same arms are drawn as often.
    pub(crate) fn weighs_like(&self, other: &Self) -> bool {
        let mut pairs = self.targets.iter().zip(&other.targets);
        self.targets.len() == other.targets.len()
            && pairs.all(|(one, other)| one.arm == other.arm && one.weight == other.weight)
    }

    /// `None` where all weights are zero.
    pub(crate) fn assign(&self, lines: &[Header<'_>], rng: &mut Rng) -> Option<Assignment> {
        if let Some(pin) = &self.pin
            && let Some(target) = pin::target(pin, lines)
        {
            let by = By::Name;
            return Some(Assignment { target, by });
        }
        let user = match &self.sticky {
            Some(sticky) => sticky.user(lines, rng),
            None => None,
        };
        match user {
            Some(user) => Some(Assignment {
                target: self.target_of(user.hash)?,
                by: By::User(user),
            }),
            None => self.draw(rng),
        }
    }

    /// By chance alone: a connection that is not HTTP tells no more.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Option<Assignment> {
        if self.total == 0 {
            return None;
        }
        Some(Assignment {
            target: self.holder_of(rng.u64(..self.total))?,
            by: By::Chance,
        })
    }

    fn target_of(&self, hash: u64) -> Option<usize> {
        let ticket = (u128::from(hash) * u128::from(self.total)) >> 64;
        self.holder_of(u64::try_from(ticket).ok()?)
    }

    /// Tickets are given out from the last target to the first. So when weight moves from a target to a
    /// later one, as a release moves it to its canary, no ticket passes to an earlier one.
    fn holder_of(&self, mut ticket: u64) -> Option<usize> {
        self.targets.iter().rposition(|target| {
            let weight = u64::from(target.weight);
            let holds = ticket < weight;
            ticket = ticket.wrapping_sub(weight);
            holds
        })
    }

    pub(crate) fn target(&self, index: usize) -> &Target {
        &self.targets[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;
    use proptest::prelude::*;

    fn split(weights: &[u32]) -> Split {
        Split::new(&of(weights, "s"), &Traffic::default())
    }

    fn sticky(weights: &[u32], id: &str) -> Split {
        let traffic = Traffic {
            sticky: Some(view::Sticky::Header("user".into())),
            ..Traffic::default()
        };
        Split::new(&of(weights, id), &traffic)
    }

    fn of(weights: &[u32], id: &str) -> view::Split {
        let targets = weights
            .iter()
            .enumerate()
            .map(|(cluster, &weight)| view::Target {
                arm: cluster.to_string(),
                cluster,
                weight,
            })
            .collect();
        view::Split {
            id: id.into(),
            targets,
        }
    }

    fn target(split: &Split, rng: &mut Rng) -> Option<usize> {
        Some(split.draw(rng)?.target)
    }

    /// The arm of a user, who may not be drawn otherwise.
    fn arm_of(split: &Split, user: u64) -> usize {
        let value = user.to_string();
        let lines = [Header {
            name: "User",
            value: value.as_bytes(),
        }];
        let assigned = split.assign(&lines, &mut Rng::with_seed(user)).unwrap();
        assert!(matches!(assigned.by, By::User(_)));
        assigned.target
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
                    Some(drawn) => hits[drawn.target] += 1,
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whatever the weights are written relative to.
        #[test]
        fn users_only_move_towards_later_targets_while_weight_does(
            before in proptest::collection::vec(1u32..=1000, 2..=4),
            from in any::<proptest::sample::Index>(),
            to in any::<proptest::sample::Index>(),
            moved in any::<u32>(),
            scale in 1u32..=1000,
            first_user in any::<u32>(),
        ) {
            let (from, to) = (from.index(before.len()), to.index(before.len()));
            let (from, to) = (from.min(to), from.max(to));
            let mut after = before.clone();
            let moved = moved % before[from];
            after[from] -= moved;
            after[to] += moved;
            let after: Vec<u32> = after.iter().map(|weight| weight * scale).collect();
            let (before, after) = (sticky(&before, "s"), sticky(&after, "s"));
            for user in u64::from(first_user)..u64::from(first_user) + 200 {
                prop_assert!(arm_of(&before, user) <= arm_of(&after, user));
            }
        }
    }

    #[test]
    fn a_share_of_users_is_the_share_set() {
        let users = 40_000;
        for canary in [1, 30, 500, 2500, 5000, 9999] {
            let split = sticky(&[10_000 - canary, canary], "s");
            let hits = (0..users).filter(|&user| arm_of(&split, user) == 1);
            let share = f64::from(canary) / 10_000.0;
            assert!(is_binomial(hits.count(), users as usize, share), "{canary}");
        }
    }

    #[test]
    fn splits_choose_their_users_independently() {
        let (one, other) = (sticky(&[80, 20], "one"), sticky(&[80, 20], "other"));
        let users = 0..40_000;
        let of_one: Vec<u64> = users.filter(|&user| arm_of(&one, user) == 1).collect();
        let both = of_one.iter().filter(|&&user| arm_of(&other, user) == 1);
        assert!(is_binomial(both.count(), of_one.len(), 0.2));
    }

    #[test]
    fn users_are_told_apart_only_where_there_is_a_choice() {
        assert!(sticky(&[1, 1], "s").is_sticky());
        assert!(!sticky(&[1, 0], "s").is_sticky());
        let nobody = sticky(&[1, 1], "s").assign(&[], &mut Rng::with_seed(1));
        assert_eq!(nobody.unwrap().by, By::Chance);
    }

    #[test]
    fn a_request_that_names_a_target_gets_it_whatever_its_weight() {
        let traffic = Traffic {
            pin: Some(view::Pin {
                by: view::PinKey::Header("version".into()),
                targets: [("epoch".to_owned(), 1)].into(),
            }),
            ..Traffic::default()
        };
        let split = Split::new(&of(&[1, 0], "s"), &traffic);
        let assign = |value: &'static [u8]| {
            let name = "version";
            split.assign(&[Header { name, value }], &mut Rng::with_seed(1))
        };
        let named = Assignment {
            target: 1,
            by: By::Name,
        };
        assert_eq!(assign(b"epoch"), Some(named));
        assert_eq!(assign(b"gone").unwrap().by, By::Chance);
    }

    /// Round-robin has the right shares too; what it lacks is independence. After either arm, the
    /// next must be drawn as if nothing had been drawn before, at every lag that a scheme could use.
    #[test]
    fn a_draw_tells_nothing_of_the_next() {
        let split = split(&[2, 1]);
        let mut rng = Rng::with_seed(7);
        let draws: Vec<usize> = (0..200_000)
            .filter_map(|_| target(&split, &mut rng))
            .collect();
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
        assert_eq!(target(&split(&[]), &mut rng), None);
        assert_eq!(target(&split(&[0, 0]), &mut rng), None);
        assert!((0..1000).all(|_| target(&split(&[0, 3, 0]), &mut rng) == Some(1)));
        assert!((0..1000).all(|_| split(&[u32::MAX; 10]).draw(&mut rng).is_some()));
    }
}
