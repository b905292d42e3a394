//! The event log: every request of a release, with how it would end on either version.
//!
//! A log is a function of its scenario and seed. Which version a request meets is decided by its `coin`
//! and the share in force, so every rule reads the same log, whatever share it sets, and a request that
//! would have failed anyway is not laid to the canary's charge.

use std::collections::VecDeque;
use std::f64::consts::TAU;

use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

use crate::scenario::{Fault, Latency, Onset, Scenario, Spells, Stalls};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    pub(crate) at: f64,
    /// Goes to the canary if below its share.
    pub(crate) coin: f64,
    pub(crate) user: u32,
    pub(crate) proxy: u32,
    /// Sent to the canary by a header, whatever the coin.
    pub(crate) forced: bool,
    /// Its report reaches the judge.
    pub(crate) reported: bool,
    pub(crate) stable: End,
    pub(crate) canary: End,
}

/// How a request ends on one version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) failed: bool,
    pub(crate) millis: f64,
}

#[derive(Debug)]
pub(crate) struct Log<'a> {
    scenario: &'a Scenario,
    random: Xoshiro256PlusPlus,
    seed: u64,
    now: f64,
    /// When the fault begins.
    onset: f64,
    weather: [Weather; 2],
    /// Of the stable version and of the canary.
    stalls: [Stall; 2],
    /// Requests to be sent again, oldest first.
    repeats: VecDeque<Repeat>,
}

/// A request that its caller sends again.
#[derive(Clone, Copy, Debug)]
struct Repeat {
    at: f64,
    user: u32,
    /// How often it may be sent after that.
    left: u32,
}

/// How long callers wait before they send a request again.
const PAUSE: f64 = 1.0;

impl<'a> Log<'a> {
    pub(crate) fn new(scenario: &'a Scenario, seed: u64) -> Self {
        Self {
            scenario,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
            seed,
            now: 0.0,
            onset: match scenario.onset {
                Onset::Start => 0.0,
                Onset::At(at) => at,
                Onset::AfterPromotion(_) => f64::INFINITY,
            },
            weather: [Weather::default(); 2],
            stalls: [Stall::default(); 2],
            repeats: VecDeque::new(),
        }
    }

    /// Faults that wait for the promotion begin to count.
    pub(crate) fn promoted(&mut self, at: f64) {
        if let Onset::AfterPromotion(later) = self.scenario.onset {
            self.onset = at + later;
        }
    }

    pub(crate) fn next(&mut self) -> Request {
        let repeated = self.step();
        let scenario = self.scenario;
        let user = match repeated {
            Some(repeat) => repeat.user,
            None => self.random.random_range(0..scenario.users.count),
        };
        let forced = scenario.forced > 0.0 && self.random.random::<f64>() < scenario.forced;
        let (stable, canary) = self.ends(user, forced, repeated.is_some());
        let left = repeated.map_or(scenario.repeats, |repeat| repeat.left);
        if stable.failed && canary.failed && left > 0 {
            self.repeats.push_back(Repeat {
                at: self.now + PAUSE,
                user,
                left: left - 1,
            });
        }
        Request {
            at: self.now,
            coin: match scenario.users.sticky {
                true => coin_of(user, self.seed),
                false => self.random.random(),
            },
            user,
            proxy: self.proxy(),
            forced,
            reported: scenario.lost == 0.0 || self.random.random::<f64>() >= scenario.lost,
            stable,
            canary,
        }
    }

    /// Goes on to the next request, which may be one sent again.
    fn step(&mut self) -> Option<Repeat> {
        let highest = self.scenario.rate * self.scenario.highest_tempo();
        let mut next = self.now;
        loop {
            next -= (1.0 - self.random.random::<f64>()).ln() / highest;
            if let Some(&repeat) = self.repeats.front().filter(|repeat| repeat.at <= next) {
                self.repeats.pop_front();
                self.now = repeat.at;
                return Some(repeat);
            }
            let tempo = self.scenario.tempo_at(next) / self.scenario.highest_tempo();
            if tempo >= 1.0 || self.random.random::<f64>() < tempo {
                self.now = next;
                return None;
            }
        }
    }

    /// On the stable version and on the canary.
    fn ends(&mut self, user: u32, forced: bool, repeated: bool) -> (End, End) {
        let scenario = self.scenario;
        let millis = self.latency();
        if f64::from(user) < scenario.users.hopeless * f64::from(scenario.users.count) {
            let end = End {
                failed: true,
                millis,
            };
            return (end, end);
        }
        let [stable_failing, canary_failing] = self.failing(forced, repeated);
        let [stable_waits, canary_waits] = self.stalled();
        let luck = self.random.random::<f64>();
        let stable = End {
            failed: luck < stable_failing,
            millis: millis + stable_waits,
        };
        let mut canary = End {
            failed: luck < canary_failing,
            millis: millis + canary_waits,
        };
        if let Some(cold) = scenario.cold_start
            && self.now < cold.lasts
        {
            canary.millis *= cold.times;
        }
        let since = self.now - self.onset;
        if since >= 0.0 {
            match scenario.fault {
                Fault::None => {}
                Fault::Fails(share) => canary.failed = luck < share.max(canary_failing),
                Fault::FailsMore(share) => canary.failed = luck < canary_failing + share,
                Fault::Worsens(share) => {
                    canary.failed = luck < canary_failing + share * since / 60.0;
                }
                Fault::Slower(times) => canary.millis *= times,
                Fault::SlowTail(share, times) => {
                    if self.random.random::<f64>() < share {
                        canary.millis *= times;
                    }
                }
            }
        }
        (stable, canary)
    }

    /// How often requests fail now on the stable version and on a canary without a fault.
    fn failing(&mut self, forced: bool, repeated: bool) -> [f64; 2] {
        let scenario = self.scenario;
        let mut failing = scenario.failing_at(self.now);
        if forced {
            failing = failing.max(0.05);
        }
        if repeated {
            failing = failing.max(0.7);
        }
        let Some(spells) = scenario.spells else {
            return [failing; 2];
        };
        let bad = if spells.own {
            [0, 1].map(|version| self.weather[version].is_bad(&spells, self.now, &mut self.random))
        } else {
            [self.weather[0].is_bad(&spells, self.now, &mut self.random); 2]
        };
        bad.map(|bad| if bad { spells.failing } else { failing })
    }

    /// How many milliseconds a request waits now on the stable version and on the canary.
    fn stalled(&mut self) -> [f64; 2] {
        let Some(stalls) = self.scenario.stalls else {
            return [0.0; 2];
        };
        let (now, random) = (self.now, &mut self.random);
        let [stable, canary] = &mut self.stalls;
        [stable, canary].map(|stall| 1000.0 * stall.left(&stalls, now, random))
    }

    fn latency(&mut self) -> f64 {
        match self.scenario.latency {
            Latency::Constant => 50.0,
            Latency::LogNormal => 50.0 * (0.6 * self.normal()).exp(),
            Latency::Bimodal if self.random.random::<f64>() < 0.9 => {
                20.0 * (0.3 * self.normal()).exp()
            }
            Latency::Bimodal => 300.0 * (0.3 * self.normal()).exp(),
        }
    }

    /// Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.random.random::<f64>()).ln()).sqrt();
        radius * (TAU * self.random.random::<f64>()).cos()
    }

    /// The first proxy takes about half of the traffic, the next a quarter, and so on; the last ones share
    /// what is left.
    fn proxy(&mut self) -> u32 {
        if self.scenario.proxies == 1 {
            return 0;
        }
        let halvings = self.random.random::<u64>().leading_zeros();
        if halvings < 3 {
            return halvings.min(self.scenario.proxies - 1);
        }
        self.random.random_range(0..self.scenario.proxies)
    }
}

/// Whether requests fail in a spell now.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    bad: bool,
    changes_at: f64,
}

impl Weather {
    fn is_bad(&mut self, spells: &Spells, now: f64, random: &mut Xoshiro256PlusPlus) -> bool {
        // It begins calm.
        let mut next = |mean: f64| -(1.0 - random.random::<f64>()).ln() * mean;
        if self.changes_at == 0.0 {
            self.changes_at = next(spells.calm);
        }
        while self.changes_at <= now {
            self.bad = !self.bad;
            self.changes_at += next(if self.bad { spells.spell } else { spells.calm });
        }
        self.bad
    }
}

/// The stall of a version that is under way or comes next.
#[derive(Clone, Copy, Debug, Default)]
struct Stall {
    from: f64,
    until: f64,
}

impl Stall {
    /// How long it goes on.
    fn left(&mut self, stalls: &Stalls, now: f64, random: &mut Xoshiro256PlusPlus) -> f64 {
        while self.until <= now {
            self.from = self.until - (1.0 - random.random::<f64>()).ln() * stalls.apart;
            self.until = self.from + random.random_range(stalls.shortest..=stalls.longest);
        }
        if self.from <= now {
            self.until - now
        } else {
            0.0
        }
    }
}

/// A user's coin in a release: SplitMix64's finalizer over both.
fn coin_of(user: u32, seed: u64) -> f64 {
    let mut mixed = (seed << 32 | u64::from(user)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::{Log, Request};
    use crate::scenario::{CALM, Fault, Latency, Onset, Scenario, Spells, Stalls, Users};

    fn take(scenario: &Scenario, seed: u64, count: usize) -> Vec<Request> {
        let mut log = Log::new(scenario, seed);
        (0..count).map(|_| log.next()).collect()
    }

    #[test]
    fn a_seed_fixes_the_log() {
        let ends = |seed| {
            let requests = take(&CALM, seed, 1000);
            requests.iter().map(|each| each.at).collect::<Vec<_>>()
        };
        assert_eq!(ends(7), ends(7));
        assert_ne!(ends(7), ends(8));
    }

    #[test]
    fn rates_and_failures_are_as_written() {
        let scenario = Scenario {
            failing: 0.02,
            fault: Fault::FailsMore(0.03),
            ..CALM
        };
        let requests = take(&scenario, 1, 200_000);
        assert!((requests[199_999].at - 2000.0).abs() < 20.0);
        let failing = |of: fn(&Request) -> bool| {
            requests.iter().filter(|each| of(each)).count() as f64 / 200_000.0
        };
        assert!((failing(|each| each.stable.failed) - 0.02).abs() < 0.002);
        assert!((failing(|each| each.canary.failed) - 0.05).abs() < 0.002);
        assert_eq!(
            failing(|each| each.stable.failed && !each.canary.failed),
            0.0
        );
    }

    #[test]
    fn a_healthy_canary_ends_every_request_as_the_stable_version_does() {
        let scenario = Scenario {
            repeats: 2,
            spells: Some(Spells {
                calm: 20.0,
                spell: 2.0,
                failing: 0.3,
                own: false,
            }),
            ..CALM
        };
        let requests = take(&scenario, 3, 50_000);
        assert!(requests.iter().all(|each| each.stable == each.canary));
        assert!(requests.is_sorted_by_key(|each| each.at));
        assert!(requests.iter().filter(|each| each.stable.failed).count() > 1000);
    }

    #[test]
    fn versions_stall_each_for_itself_and_as_often() {
        let scenario = Scenario {
            latency: Latency::Constant,
            stalls: Some(Stalls {
                apart: 9.5,
                shortest: 0.25,
                longest: 0.75,
            }),
            ..CALM
        };
        let requests = take(&scenario, 1, 500_000);
        let waiting = |of: fn(&Request) -> bool| {
            requests.iter().filter(|each| of(each)).count() as f64 / 500_000.0
        };
        let stable = waiting(|each| each.stable.millis > 50.0);
        let canary = waiting(|each| each.canary.millis > 50.0);
        let both = waiting(|each| each.stable.millis.min(each.canary.millis) > 50.0);
        assert!((stable - 0.05).abs() < 0.01 && (canary - 0.05).abs() < 0.01);
        assert!(both < 0.01, "{both}");
        assert!(requests.iter().all(|each| each.canary.millis <= 800.0));
    }

    #[test]
    fn a_sticky_user_has_one_coin() {
        let users = Users {
            count: 50,
            sticky: true,
            hopeless: 0.1,
        };
        let scenario = Scenario { users, ..CALM };
        let requests = take(&scenario, 5, 5000);
        for user in 0..50 {
            let mut of = requests.iter().filter(|each| each.user == user);
            let first = of.next().unwrap();
            assert!(of.all(|each| each.coin == first.coin));
        }
        let hopeless = requests.iter().filter(|each| each.stable.failed);
        assert!(hopeless.clone().count() > 300);
    }

    #[test]
    fn a_fault_after_the_promotion_waits_for_it() {
        let scenario = Scenario {
            failing: 0.0,
            fault: Fault::Fails(1.0),
            onset: Onset::AfterPromotion(10.0),
            ..CALM
        };
        let mut log = Log::new(&scenario, 1);
        assert!((0..10_000).all(|_| !log.next().canary.failed));
        let now = log.next().at;
        log.promoted(now);
        let first = std::iter::repeat_with(|| log.next()).find(|each| each.canary.failed);
        assert!((first.unwrap().at - now - 10.0).abs() < 0.2);
    }
}
