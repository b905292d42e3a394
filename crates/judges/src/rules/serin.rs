//! Serin's judge, fed as the server feeds it: counts and latencies by arm and share, header-forced requests
//! left out, of a sticky user only the first success and the first failure, and no latencies of the warm-up.
//!
//! It looks once a second or every ten requests, as often as the server where that matters, and after every
//! failure of the canary for a rollback: the evidence of failures rises at no other time.
//! Shares are moved as the release planner moves them (`crates/release/src/planner.rs`).

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use judge::{BasisPoints, Batch, Bin, Config, Decision, Exposure, Level, State, Tally, next_share};

use super::ramp::{INTERVAL, Ramp};
use crate::scenario::Scenario;
use crate::trial::{Look, Rule, Seen, effect_on};

/// The rate of requests is measured over this long, as the server does.
const RATE_WINDOW: f64 = 3.0;

/// Seconds between looks: at least this, and longer where fewer than ten requests come in that time.
const TICK: f64 = 1.0;

/// The server's: of latencies, less can be won in a window the oftener one looks.
const SERVERS_TICK: f64 = 0.2;

/// A share is left alone until it has had time to show in the evidence.
const LEAST_TIME_AT_SHARE: f64 = 1.0;

pub(crate) struct Serin {
    config: Config,
    policy: Policy,
    state: State,
    share: BasisPoints,
    share_since: f64,
    exposure: Exposure,
    /// Not judged yet.
    new: BTreeMap<BasisPoints, Level>,
    /// Nor this, counted elsewhere.
    heard: Vec<Level>,
    /// From the end of a request until it is known here.
    delay: f64,
    /// When requests arrived, and how many.
    arrivals: VecDeque<(f64, u64)>,
    tick: f64,
    next_tick: f64,
    /// Whether something failed since the share was chosen.
    doubtful: bool,
    /// What arrives before is left out of the latencies, as the owner of the release has set it.
    warm_up: f64,
    /// Users whose first success or first failure is counted already, where users are sticky.
    counted: Option<HashSet<(u32, bool)>>,
}

enum Policy {
    Auto,
    Steps {
        ramp: Ramp,
        next: f64,
    },
    /// One share until something is proved against the canary.
    Fixed,
}

impl Serin {
    pub(crate) fn auto(scenario: &Scenario) -> Self {
        Self::new(scenario, Policy::Auto)
    }

    pub(crate) fn steps(scenario: &Scenario) -> Self {
        let ramp = Ramp::default();
        Self::new(
            scenario,
            Policy::Steps {
                ramp,
                next: INTERVAL,
            },
        )
    }

    pub(crate) fn fixed(scenario: &Scenario, share: BasisPoints) -> Self {
        Self {
            share,
            ..Self::new(scenario, Policy::Fixed)
        }
    }

    fn new(scenario: &Scenario, policy: Policy) -> Self {
        let tick = match policy {
            Policy::Fixed => SERVERS_TICK,
            _ if scenario.stalls.is_some() => SERVERS_TICK,
            _ => TICK,
        };
        let tick = tick.max(10.0 / scenario.rate);
        Self {
            config: Config::default(),
            policy,
            state: State::default(),
            share: BasisPoints::NONE,
            share_since: 0.0,
            exposure: Exposure {
                budget: 10.0,
                rate: scenario.rate * scenario.tempo_at(0.0),
                loop_latency: Duration::from_secs_f64(scenario.delay + effect_on(scenario.proxies)),
                first: BasisPoints::new(1000),
                cap: BasisPoints::new(5000),
            },
            new: BTreeMap::new(),
            heard: Vec::new(),
            delay: scenario.delay,
            arrivals: VecDeque::new(),
            tick,
            next_tick: tick,
            warm_up: scenario.cold_start.map_or(0.0, |cold| cold.lasts),
            doubtful: false,
            counted: scenario.users.sticky.then(HashSet::new),
        }
    }

    /// What is new since the last look, the share in force last. Latencies wait for the next tick: bets on
    /// them are made by batches, and a failure says nothing of them.
    fn take_batch(&mut self, is_tick: bool) -> Batch {
        let in_force = self.share.into();
        let mut levels: Vec<Level> = match is_tick {
            true => std::mem::take(&mut self.new).into_values().collect(),
            false => self.new.values_mut().filter_map(take_counts).collect(),
        };
        levels.append(&mut self.heard);
        levels.sort_by_key(|level| level.share == in_force);
        let after = if is_tick { self.tick } else { 0.0 };
        Batch {
            levels,
            after: Some(Duration::from_secs_f64(after)),
            ..Batch::default()
        }
    }

    /// Takes in requests by counts, all routed in the second from `at`.
    pub(crate) fn hear(&mut self, at: f64, level: Level) {
        let Tally { canary, stable } = level.tally;
        self.doubtful |= canary.failures + stable.failures > 0;
        if matches!(self.policy, Policy::Auto) {
            let requests = canary.requests() + stable.requests();
            self.arrivals.push_back((at, requests));
        }
        self.heard.push(level);
    }

    fn measure_rate(&mut self, now: f64) {
        let since = now - self.delay - RATE_WINDOW;
        while self.arrivals.front().is_some_and(|&(at, _)| at < since) {
            self.arrivals.pop_front();
        }
        if since >= 0.0 {
            let requests: u64 = self.arrivals.iter().map(|&(_, requests)| requests).sum();
            self.exposure.rate = requests as f64 / RATE_WINDOW;
        }
    }

    fn follow_evidence(&mut self, now: f64) -> BasisPoints {
        self.measure_rate(now);
        // At the cap only a failure can change the share; not asking again saves most of the time.
        if self.share == self.exposure.cap && !self.doubtful {
            return self.share;
        }
        self.doubtful = false;
        let next = next_share(&self.config, &self.state, &self.exposure, self.share);
        let may_rise = now - self.share_since >= LEAST_TIME_AT_SHARE;
        let rises = || self.state.hold(&self.config).is_none();
        if next < self.share || (next > self.share && may_rise && rises()) {
            self.share = next;
            self.share_since = now;
        }
        self.share
    }
}

/// The counts of a level, if there are any; its latencies stay.
fn take_counts(level: &mut Level) -> Option<Level> {
    let tally = std::mem::take(&mut level.tally);
    (tally != Tally::default()).then(|| Level::new(level.share, tally))
}

impl Rule for Serin {
    fn period(&self) -> f64 {
        self.tick
    }

    fn begin(&mut self) -> BasisPoints {
        self.share = match &self.policy {
            Policy::Auto => next_share(&self.config, &self.state, &self.exposure, self.share),
            Policy::Steps { ramp, .. } => ramp.share(),
            Policy::Fixed => self.share,
        };
        self.share
    }

    fn see(&mut self, seen: &Seen) -> bool {
        if matches!(self.policy, Policy::Auto) {
            self.arrivals.push_back((seen.at, 1));
        }
        if seen.forced {
            return false;
        }
        let is_sticky = self.counted.is_some();
        if let Some(counted) = &mut self.counted
            && !counted.insert((seen.user, seen.failed))
        {
            return false;
        }
        let empty = || Level::new(seen.share.into(), Tally::default());
        let level = self.new.entry(seen.share).or_insert_with(empty);
        let (arm, latency) = match seen.canary {
            true => (&mut level.tally.canary, &mut level.latency.canary),
            false => (&mut level.tally.stable, &mut level.latency.stable),
        };
        match seen.failed {
            true => arm.failures += 1,
            false => arm.successes += 1,
        }
        // Nothing else about a sticky user's requests is independent of the others.
        if !is_sticky {
            arm.routed += 1;
            arm.server_errors += u64::from(seen.failed);
            if seen.at >= self.warm_up {
                latency.add(Bin::of_micros((1000.0 * seen.millis) as u64), 1);
            } else {
                self.state.withhold_latencies();
            }
        }
        self.doubtful |= seen.failed;
        seen.failed && seen.canary
    }

    fn look(&mut self, now: f64) -> Look {
        let is_tick = now >= self.next_tick;
        if is_tick {
            self.next_tick += self.tick;
        }
        let batch = self.take_batch(is_tick);
        if batch.levels.is_empty() && !is_tick {
            return Look::Share(self.share);
        }
        let decision = match batch.levels.is_empty() {
            true => self.state.decision(),
            false => self.state.absorb(&self.config, &batch),
        };
        if decision == Decision::RollBack {
            return Look::RollBack;
        }
        if !is_tick {
            return Look::Share(self.share);
        }
        match &mut self.policy {
            Policy::Auto if decision == Decision::Promote => Look::Promote,
            Policy::Auto => Look::Share(self.follow_evidence(now)),
            Policy::Steps { ramp, next } if now >= *next => {
                *next += INTERVAL;
                let Some(share) = ramp.advance() else {
                    return Look::Promote;
                };
                self.share = share;
                Look::Share(share)
            }
            Policy::Steps { .. } | Policy::Fixed => Look::Share(self.share),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use judge::{BasisPoints, Config, Forecast};

    use super::Serin;
    use crate::grid;
    use crate::run::run_with;
    use crate::trial::Ending;

    /// What `serin plan` foretells is what happens, within a quarter.
    #[test]
    fn forecasts_agree_with_simulation() {
        for (share, stable, canary) in [(500, 0.001, 0.005), (2000, 0.001, 0.01), (1000, 0.01, 0.1)]
        {
            let scenario = grid::failing("", 100.0, stable, canary);
            let releases = run_with(&scenario, 100, || {
                Box::new(Serin::fixed(&scenario, BasisPoints::new(share)))
            });
            assert_eq!(releases.rolled_back().count, 100);
            let forecast = Forecast {
                rate: 100.0,
                failing: stable,
                loop_latency: Duration::from_secs(2),
            };
            let share = f64::from(share) / 10_000.0;
            let foretold = forecast
                .detection(&Config::default(), share, canary)
                .unwrap();
            let close = |foretold: f64, found: f64| {
                assert!(
                    (foretold / found - 1.0).abs() < 0.25,
                    "{share}: {foretold}, not {found}"
                );
            };
            let seconds = releases.mean(|outcome| outcome.seconds);
            close(foretold.seconds + 2.0, seconds.value);
            let failures = releases.mean(|outcome| outcome.extra_failures as f64);
            close(foretold.extra_failures, failures.value);
            assert!(
                releases
                    .median(Ending::RolledBack, |each| each.seconds)
                    .value
                    < seconds.value
            );
        }
    }
}
