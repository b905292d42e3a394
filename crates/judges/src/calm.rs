//! Healthy releases in steady traffic, a second at a time instead of request by request.
//!
//! Requests come as a Poisson process, and how each ends depends on nothing but the moment. So their number in a
//! second is Poisson, how many of them are failures or took how long is multinomial, and where in the second they
//! lie is uniform: drawn like that, a release has the same law as in [`crate::trial`], at a cost that does not grow
//! with the rate.

use std::collections::VecDeque;

use judge::{Arm, BasisPoints, Bin, Histogram, Latencies, Level, Tally};
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

use crate::draw::{binomial, poisson};
use crate::rules::serin::Serin;
use crate::scenario::{Fault, Latency, Scenario, Tempo};
use crate::trial::{Ending, Look, Rule};

/// Everything happens at whole seconds, but for looks at failures.
const SECOND: f64 = 1.0;

/// Whether a release can be played like that.
pub(crate) fn is_calm(scenario: &Scenario) -> bool {
    scenario.fault == Fault::None
        && matches!(scenario.tempo, Tempo::Steady)
        && scenario.rate >= 10.0
        && scenario.delay >= SECOND
        && scenario.delay.fract() == 0.0
        && scenario.spells.is_none()
        && scenario.stalls.is_none()
        && scenario.repeats == 0
        && !scenario.users.sticky
        && scenario.users.hopeless == 0.0
        && scenario.forced == 0.0
        && scenario.cold_start.is_none()
        && scenario.lost == 0.0
        && scenario.proxies == 1
}

/// How the release ends.
pub(crate) fn play(scenario: &Scenario, latencies: &Bins, rule: &mut Serin, seed: u64) -> Ending {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    // Of each second from the one that is heard of next: what is set in the first is in force from the third on.
    let mut shares = VecDeque::from([rule.begin(); 2]);
    let mut now = SECOND;
    while now <= scenario.limit {
        let from = now - scenario.delay - SECOND;
        if from >= 0.0
            && let Some(share) = shares.pop_front()
        {
            let second = Second::draw(scenario, latencies, &mut random, share, from);
            if second.tell(rule, &mut random, scenario.delay) == Look::RollBack {
                return Ending::RolledBack;
            }
        }
        match rule.look(now) {
            Look::Share(share) => shares.push_back(share),
            Look::RollBack => return Ending::RolledBack,
            Look::Promote => return Ending::Promoted,
        }
        now += SECOND;
    }
    Ending::Undecided
}

/// What is routed in a second.
struct Second {
    from: f64,
    share: BasisPoints,
    canary: Drawn,
    stable: Drawn,
}

/// On one arm.
struct Drawn {
    successes: u64,
    failures: u64,
    latency: Histogram,
}

impl Drawn {
    fn new(latencies: &Bins, random: &mut Xoshiro256PlusPlus, mean: f64, failing: f64) -> Self {
        let requests = poisson(random, mean);
        let failures = binomial(random, requests, failing);
        Self {
            successes: requests - failures,
            failures,
            latency: latencies.draw(random, requests),
        }
    }

    /// Those in the first part of what is left of the second.
    fn split(&mut self, random: &mut Xoshiro256PlusPlus, part: f64) -> Arm {
        let successes = binomial(random, self.successes, part);
        let failures = binomial(random, self.failures, part);
        self.successes -= successes;
        self.failures -= failures;
        arm(successes, failures)
    }
}

impl Second {
    fn draw(
        scenario: &Scenario,
        latencies: &Bins,
        random: &mut Xoshiro256PlusPlus,
        share: BasisPoints,
        from: f64,
    ) -> Self {
        let failing = scenario.failing_at(from);
        let on_canary = f64::from(share.get()) / f64::from(BasisPoints::ALL.get());
        let mut arm =
            |share: f64| Drawn::new(latencies, random, scenario.rate * SECOND * share, failing);
        Self {
            from,
            share,
            canary: arm(on_canary),
            stable: arm(1.0 - on_canary),
        }
    }

    /// Up to each failure of the canary, at which the rule looks, and then the rest.
    fn tell(mut self, rule: &mut Serin, random: &mut Xoshiro256PlusPlus, delay: f64) -> Look {
        let mut failures: Vec<f64> = (0..self.canary.failures).map(|_| random.random()).collect();
        failures.sort_unstable_by(f64::total_cmp);
        self.canary.failures = 0;
        let mut told = 0.0;
        for at in failures {
            let part = (at - told) / (1.0 - told);
            told = at;
            let successes = self.canary.split(random, part).successes;
            let canary = arm(successes, 1);
            let stable = self.stable.split(random, part);
            rule.hear(
                self.from,
                Level::new(self.share.into(), Tally { canary, stable }),
            );
            if rule.look(self.from + at * SECOND + delay) == Look::RollBack {
                return Look::RollBack;
            }
        }
        let Self { canary, stable, .. } = self;
        rule.hear(
            self.from,
            Level {
                share: self.share.into(),
                tally: Tally {
                    canary: arm(canary.successes, 0),
                    stable: arm(stable.successes, stable.failures),
                },
                latency: Latencies {
                    canary: canary.latency,
                    stable: stable.latency,
                },
            },
        );
        Look::Share(self.share)
    }
}

/// Every failure is an answer of the application.
fn arm(successes: u64, failures: u64) -> Arm {
    Arm {
        successes,
        failures,
        server_errors: failures,
        routed: successes + failures,
        ..Arm::default()
    }
}

/// How likely a request takes how long.
pub(crate) struct Bins {
    bins: Vec<Bin>,
    /// The chance of a bin and all before it.
    up_to: Vec<f64>,
}

impl Bins {
    pub(crate) fn of(latency: Latency) -> Self {
        let mut bins = Vec::new();
        let mut up_to = Vec::new();
        let mut below = 0.0;
        for bin in (0..Bin::COUNT).map(Bin::from) {
            let chance = latency.below(bin.end() as f64 / 1000.0);
            if chance > below {
                bins.push(bin);
                up_to.push(chance);
                below = chance;
            }
        }
        if let Some(last) = up_to.last_mut() {
            *last = 1.0;
        }
        Self { bins, up_to }
    }

    fn draw(&self, random: &mut Xoshiro256PlusPlus, requests: u64) -> Histogram {
        let mut histogram = Histogram::default();
        let mut left = requests;
        let mut below = 0.0;
        // One by one where they are few, else bin by bin.
        if requests < 2 * self.bins.len() as u64 {
            let mut places: Vec<f64> = (0..requests).map(|_| random.random()).collect();
            places.sort_unstable_by(f64::total_cmp);
            let mut places = places.as_slice();
            for (&bin, &up_to) in self.bins.iter().zip(&self.up_to) {
                let (here, further) =
                    places.split_at(places.partition_point(|&place| place < up_to));
                histogram.add(bin, here.len() as u64);
                places = further;
            }
            return histogram;
        }
        for (&bin, &up_to) in self.bins.iter().zip(&self.up_to) {
            let here = binomial(random, left, ((up_to - below) / (1.0 - below)).min(1.0));
            histogram.add(bin, here);
            left -= here;
            below = up_to;
        }
        histogram
    }
}

#[cfg(test)]
mod tests {
    use judge::{Bin, Histogram};
    use rand::{SeedableRng, rngs::Xoshiro256PlusPlus};

    use super::{Bins, is_calm, play};
    use crate::log::Log;
    use crate::rules::serin::Serin;
    use crate::scenario::{CALM, Incident, Latency, Scenario};
    use crate::trial::{self, Ending};

    const RUNS: u64 = 200;

    /// How many are promoted by a limit that about half of them reach, played both ways.
    #[test]
    fn releases_end_as_often_as_request_by_request() {
        let incident = Incident {
            from: 10.0,
            until: 25.0,
            failing: 0.01,
        };
        for (incident, delay, limit) in [
            (None, 1.0, 62.0),
            (Some(incident), 1.0, 100.0),
            (None, 3.0, 100.0),
        ] {
            let scenario = Scenario {
                incident,
                delay,
                limit,
                ..CALM
            };
            assert!(is_calm(&scenario));
            let bins = Bins::of(scenario.latency);
            let promoted = |play: &dyn Fn(&mut Serin, u64) -> Ending| {
                let endings = (0..RUNS).map(|seed| play(&mut Serin::auto(&scenario), seed));
                endings.filter(|&ending| ending == Ending::Promoted).count() as f64
            };
            let by_seconds = promoted(&|rule, seed| play(&scenario, &bins, rule, seed));
            let by_requests = promoted(&|rule, seed| trial::play(&scenario, rule, seed).ending);
            // Four standard errors of the difference.
            let most = 4.0 * (RUNS as f64 / 2.0).sqrt();
            assert!(
                (by_seconds - by_requests).abs() < most,
                "{delay}: {by_seconds} and {by_requests} of {RUNS} within {limit} s"
            );
            assert!(
                (30.0..170.0).contains(&by_requests),
                "{delay}: {by_requests}"
            );
        }
    }

    #[test]
    fn requests_take_as_long_however_they_are_drawn() {
        const REQUESTS: u64 = 100_000;
        for latency in [Latency::Constant, Latency::LogNormal, Latency::Bimodal] {
            let bins = Bins::of(latency);
            let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
            let at_once = bins.draw(&mut random, REQUESTS);
            let mut few = Histogram::default();
            for _ in 0..REQUESTS / 100 {
                few.merge(&bins.draw(&mut random, 100));
            }
            let scenario = Scenario { latency, ..CALM };
            let (mut log, mut requests) = (Log::new(&scenario, 1), Histogram::default());
            for _ in 0..REQUESTS {
                let micros = 1000.0 * log.next().stable.millis;
                requests.add(Bin::of_micros(micros as u64), 1);
            }
            assert_eq!((at_once.count(), few.count()), (REQUESTS, REQUESTS));
            for limit in (0..Bin::COUNT).map(Bin::from) {
                let below = |histogram: &Histogram| -> f64 {
                    let bins = histogram.bins().filter(|&(bin, _)| bin < limit);
                    bins.map(|(_, count)| count as f64).sum()
                };
                // Five standard errors of the difference, at most.
                let most = 5.0 * (REQUESTS as f64 / 2.0).sqrt();
                for drawn in [&at_once, &few] {
                    let error = (below(drawn) - below(&requests)).abs();
                    assert!(error < most, "{latency:?} below {limit:?}: {error}");
                }
            }
        }
    }
}
