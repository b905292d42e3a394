//! Random numbers of requests: Poisson and binomial, exact in law and in constant time.
//!
//! Large ones by Hörmann's transformed rejection ("The transformed rejection method for generating Poisson random
//! variables", 1993, and "The generation of binomial random variates", 1993).

use rand::{RngExt, rngs::Xoshiro256PlusPlus};

/// Means below are drawn one event after the other.
const SMALL: f64 = 10.0;

pub(crate) fn poisson(random: &mut Xoshiro256PlusPlus, mean: f64) -> u64 {
    if mean < SMALL {
        let least = (-mean).exp();
        let mut product = random.random::<f64>();
        let mut events = 0;
        while product > least {
            product *= random.random::<f64>();
            events += 1;
        }
        return events;
    }
    let b = 0.931 + 2.53 * mean.sqrt();
    let a = -0.059 + 0.02483 * b;
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let hat = Hat {
        a,
        b,
        centre: mean + 0.43,
        squeeze: 0.9277 - 3.6224 / (b - 2.0),
    };
    loop {
        let (events, height) = match hat.draw(random) {
            Drawn::Certain(events) => return events as u64,
            Drawn::Tried(events, height) => (events, height),
        };
        if events >= 0.0
            && (height * inverse_alpha).ln()
                <= events * mean.ln() - mean - libm::lgamma(events + 1.0)
        {
            return events as u64;
        }
    }
}

/// How many of `trials` happen, each with probability `share`.
pub(crate) fn binomial(random: &mut Xoshiro256PlusPlus, trials: u64, share: f64) -> u64 {
    if trials == 0 || share <= 0.0 {
        return 0;
    }
    if share > 0.5 {
        return trials - binomial(random, trials, 1.0 - share);
    }
    let all = trials as f64;
    if all * share < SMALL {
        return by_gaps(random, trials, share);
    }
    let deviation = (all * share * (1.0 - share)).sqrt();
    let b = 1.15 + 2.53 * deviation;
    let a = -0.0873 + 0.0248 * b + 0.01 * share;
    let alpha = (2.83 + 5.1 / b) * deviation;
    let odds = (share / (1.0 - share)).ln();
    let mode = ((all + 1.0) * share).floor();
    let ways = |events: f64| -libm::lgamma(events + 1.0) - libm::lgamma(all - events + 1.0);
    let hat = Hat {
        a,
        b,
        centre: all * share + 0.5,
        squeeze: 0.92 - 4.2 / b,
    };
    loop {
        let (events, height) = match hat.draw(random) {
            Drawn::Certain(events) => return events as u64,
            Drawn::Tried(events, height) => (events, height),
        };
        if (0.0..=all).contains(&events)
            && (height * alpha).ln() <= ways(events) - ways(mode) + (events - mode) * odds
        {
            return events as u64;
        }
    }
}

/// From one event to the next.
fn by_gaps(random: &mut Xoshiro256PlusPlus, trials: u64, share: f64) -> u64 {
    let rate = (-share).ln_1p();
    let (mut place, mut events) = (0.0, 0);
    loop {
        place += ((1.0 - random.random::<f64>()).ln() / rate).floor() + 1.0;
        if place > trials as f64 {
            return events;
        }
        events += 1;
    }
}

/// What candidates are drawn from: a table mountain over the distribution.
struct Hat {
    a: f64,
    b: f64,
    centre: f64,
    squeeze: f64,
}

enum Drawn {
    Certain(f64),
    /// To be taken if the distribution is as high there.
    Tried(f64, f64),
}

impl Hat {
    fn draw(&self, random: &mut Xoshiro256PlusPlus) -> Drawn {
        let place = random.random::<f64>() - 0.5;
        let height = 1.0 - random.random::<f64>();
        let edge = 0.5 - place.abs();
        let events = ((2.0 * self.a / edge + self.b) * place + self.centre).floor();
        if edge >= 0.07 && height <= self.squeeze {
            return Drawn::Certain(events);
        }
        Drawn::Tried(events, height / (self.a / (edge * edge) + self.b))
    }
}

#[cfg(test)]
mod tests {
    use super::{binomial, poisson};
    use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};

    const DRAWS: u64 = 200_000;

    /// Each number as often as its probability says, within five standard errors.
    fn agrees(
        probability: impl Fn(f64) -> f64,
        mut draw: impl FnMut(&mut Xoshiro256PlusPlus) -> u64,
    ) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut counts = vec![0_u64; 400];
        for _ in 0..DRAWS {
            counts[draw(&mut random) as usize] += 1;
        }
        for (events, &count) in counts.iter().enumerate() {
            let expected = DRAWS as f64 * probability(events as f64);
            let error = (count as f64 - expected).abs() / (expected + 1.0).sqrt();
            assert!(error < 5.0, "{events}: {count}, not {expected}");
        }
    }

    #[test]
    fn poisson_numbers_are_as_often_as_they_should_be() {
        for mean in [0.3, 7.0, 12.0, 150.0] {
            let probability =
                |events: f64| (events * f64::ln(mean) - mean - libm::lgamma(events + 1.0)).exp();
            agrees(probability, |random| poisson(random, mean));
        }
    }

    #[test]
    fn binomial_numbers_are_as_often_as_they_should_be() {
        for (trials, share) in [(30, 0.1), (100, 0.3), (250, 0.05), (300, 0.8), (5, 1.0)] {
            let all = trials as f64;
            let probability = |events: f64| match (events > all, share == 1.0) {
                (true, _) => 0.0,
                (_, true) => f64::from(u8::from(events == all)),
                _ => {
                    let ways = libm::lgamma(all + 1.0)
                        - libm::lgamma(events + 1.0)
                        - libm::lgamma(all - events + 1.0);
                    (ways + events * f64::ln(share) + (all - events) * f64::ln(1.0 - share)).exp()
                }
            };
            agrees(probability, |random| binomial(random, trials, share));
        }
    }
}
