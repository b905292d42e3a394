//! One release under one rule: the log is routed by the shares that the rule sets, and the rule is told what
//! the proxies saw.
//!
//! A share takes [`EFFECT`] to be in force after the rule has set it, and a request is known to the rule a
//! scenario's `delay` after it ended. What a bad canary costs counts until the rollback is in force.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use judge::BasisPoints;

use crate::log::Log;
use crate::scenario::Scenario;

/// From a share set until it is in force.
const EFFECT: f64 = 1.0;

/// Until it is in force on every proxy.
pub(crate) fn effect_on(proxies: u32) -> f64 {
    EFFECT + if proxies > 1 { SLOWEST_PROXY } else { 0.0 }
}

/// How much later than the first the slowest of several proxies takes a new share.
const SLOWEST_PROXY: f64 = 1.0;

/// How long after a promotion a fault that begins there is waited for.
const WATCHED_AFTER_PROMOTION: f64 = 600.0;

/// A request as the proxies report it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) at: f64,
    pub(crate) canary: bool,
    /// In force on its proxy when it was routed.
    pub(crate) share: BasisPoints,
    pub(crate) forced: bool,
    pub(crate) coin: f64,
    pub(crate) user: u32,
    pub(crate) failed: bool,
    pub(crate) millis: f64,
}

/// On its way to the rule; the first to arrive is the greatest.
struct Report {
    arrives: f64,
    seen: Seen,
}

impl Ord for Report {
    fn cmp(&self, other: &Self) -> Ordering {
        other.arrives.total_cmp(&self.arrives)
    }
}

impl PartialOrd for Report {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Report {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Report {}

/// What a rule makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Share(BasisPoints),
    RollBack,
    Promote,
}

/// A rollout controller.
pub(crate) trait Rule {
    /// Seconds between looks.
    fn period(&self) -> f64;
    /// The share to begin with.
    fn begin(&mut self) -> BasisPoints;
    /// Takes in a request; whether it wants to look at once.
    fn see(&mut self, seen: &Seen) -> bool;
    fn look(&mut self, now: f64) -> Look;
    /// Whether it goes on watching after the promotion.
    fn watches_after_promotion(&self) -> bool {
        false
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    RolledBack,
    Promoted,
    /// At the scenario's limit.
    Undecided,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    pub(crate) ending: Ending,
    /// Until the decision is in force.
    pub(crate) seconds: f64,
    /// When it was promoted, even if it was rolled back after that.
    pub(crate) promoted: Option<f64>,
    pub(crate) canary_requests: u64,
    /// Failures that the stable version would have spared the users.
    pub(crate) extra_failures: u64,
    pub(crate) users_touched: u64,
}

pub(crate) fn play(scenario: &Scenario, rule: &mut dyn Rule, seed: u64) -> Outcome {
    Trial::new(scenario, rule, seed).run()
}

struct Trial<'a> {
    scenario: &'a Scenario,
    rule: &'a mut dyn Rule,
    log: Log<'a>,
    routing: Routing,
    /// On their way to the rule.
    reports: BinaryHeap<Report>,
    next_look: f64,
    /// What was decided, and from when it is in force.
    decided: Option<(Ending, f64)>,
    promoted: Option<f64>,
    canary_requests: u64,
    extra_failures: u64,
    users: Users,
}

impl<'a> Trial<'a> {
    fn new(scenario: &'a Scenario, rule: &'a mut dyn Rule, seed: u64) -> Self {
        let first = rule.begin();
        Self {
            scenario,
            log: Log::new(scenario, seed),
            routing: Routing::new(scenario.proxies, first),
            reports: BinaryHeap::new(),
            next_look: rule.period(),
            rule,
            decided: None,
            promoted: None,
            canary_requests: 0,
            extra_failures: 0,
            users: Users::new(scenario.users.count),
        }
    }

    fn run(mut self) -> Outcome {
        let mut limit = self.scenario.limit;
        loop {
            let request = self.log.next();
            self.catch_up(request.at.min(limit));
            if let Some(promoted) = self.promoted {
                limit = promoted + WATCHED_AFTER_PROMOTION;
            }
            if let Some((ending, end)) = self.decided.filter(|&(_, end)| end <= request.at) {
                return self.outcome(ending, end);
            }
            if request.at > limit {
                let ending = match self.promoted {
                    Some(_) => Ending::Promoted,
                    None => Ending::Undecided,
                };
                return self.outcome(ending, limit);
            }
            let share = self.routing.share(request.proxy, request.at);
            let canary = request.forced || request.coin * 10_000.0 < f64::from(share.get());
            let end = match canary {
                true => request.canary,
                false => request.stable,
            };
            if canary {
                self.canary_requests += 1;
                self.extra_failures += u64::from(end.failed && !request.stable.failed);
                self.users.touch(request.user);
            }
            if request.reported {
                let seen = Seen {
                    at: request.at,
                    canary,
                    share,
                    forced: request.forced,
                    coin: request.coin,
                    user: request.user,
                    failed: end.failed,
                    millis: end.millis,
                };
                self.reports.push(Report {
                    arrives: request.at + end.millis / 1000.0 + self.scenario.delay,
                    seen,
                });
            }
        }
    }

    /// Lets the rule hear and look until an instant.
    fn catch_up(&mut self, until: f64) {
        while self.decided.is_none() {
            let next = self.reports.peek();
            let arrival = next.map_or(f64::INFINITY, |report| report.arrives);
            if arrival.min(self.next_look) > until {
                return;
            }
            if arrival <= self.next_look {
                let at_once = self
                    .reports
                    .pop()
                    .is_some_and(|report| self.rule.see(&report.seen));
                if at_once {
                    self.look(arrival);
                }
            } else {
                self.look(self.next_look);
                self.next_look += self.rule.period();
            }
        }
    }

    fn look(&mut self, now: f64) {
        match self.rule.look(now) {
            Look::Share(share) => self.routing.set(now + EFFECT, share),
            Look::RollBack => self.end(Ending::RolledBack, now),
            Look::Promote if self.rule.watches_after_promotion() => {
                if self.promoted.is_none() {
                    self.promoted = Some(now + EFFECT);
                    self.log.promoted(now + EFFECT);
                }
            }
            Look::Promote => {
                self.promoted = Some(now + EFFECT);
                self.end(Ending::Promoted, now);
            }
        }
    }

    fn end(&mut self, ending: Ending, now: f64) {
        self.decided = Some((ending, now + EFFECT + self.routing.slowest()));
    }

    fn outcome(self, ending: Ending, seconds: f64) -> Outcome {
        Outcome {
            ending,
            seconds,
            promoted: self.promoted,
            canary_requests: self.canary_requests,
            extra_failures: self.extra_failures,
            users_touched: self.users.touched,
        }
    }
}

/// The shares of a release, and how late each proxy is to take a new one.
struct Routing {
    changes: Vec<(f64, BasisPoints)>,
    lags: Vec<f64>,
}

impl Routing {
    fn new(proxies: u32, first: BasisPoints) -> Self {
        let last = f64::from(proxies - 1).max(1.0);
        Self {
            changes: vec![(f64::NEG_INFINITY, first)],
            lags: (0..proxies)
                .map(|proxy| SLOWEST_PROXY * f64::from(proxy) / last)
                .collect(),
        }
    }

    fn set(&mut self, from: f64, share: BasisPoints) {
        if self.changes.last().is_none_or(|&(_, last)| last != share) {
            self.changes.push((from, share));
        }
    }

    fn share(&self, proxy: u32, now: f64) -> BasisPoints {
        let lag = self.lags.get(proxy as usize).copied().unwrap_or_default();
        let in_force = |&&(from, _): &&(f64, BasisPoints)| from + lag <= now;
        let newest = self.changes.iter().rev().find(in_force);
        newest.map_or(BasisPoints::NONE, |&(_, share)| share)
    }

    fn slowest(&self) -> f64 {
        self.lags.iter().copied().fold(0.0, f64::max)
    }
}

/// Who met the canary.
struct Users {
    met: Vec<u64>,
    touched: u64,
}

impl Users {
    fn new(count: u32) -> Self {
        Self {
            met: vec![0; (count as usize).div_ceil(64)],
            touched: 0,
        }
    }

    fn touch(&mut self, user: u32) {
        if let Some(word) = self.met.get_mut(user as usize / 64) {
            let bit = 1 << (user % 64);
            self.touched += u64::from(*word & bit == 0);
            *word |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ending, Look, Rule, Seen, play};
    use crate::scenario::{CALM, Fault, Scenario};
    use judge::BasisPoints;

    /// A tenth, and rolled back at the third failure of the canary.
    #[derive(Default)]
    struct ThirdFailure {
        failures: u32,
        shares: Vec<u32>,
    }

    impl Rule for ThirdFailure {
        fn period(&self) -> f64 {
            60.0
        }

        fn begin(&mut self) -> BasisPoints {
            BasisPoints::new(1000)
        }

        fn see(&mut self, seen: &Seen) -> bool {
            self.failures += u32::from(seen.canary && seen.failed);
            self.shares.push(seen.share.get());
            seen.failed
        }

        fn look(&mut self, now: f64) -> Look {
            match self.failures {
                3.. => Look::RollBack,
                _ if now > 1000.0 => Look::Promote,
                _ => Look::Share(BasisPoints::new(2000)),
            }
        }
    }

    #[test]
    fn a_dead_canary_costs_what_is_under_way_too() {
        let dead = Scenario {
            failing: 0.0,
            fault: Fault::Fails(1.0),
            ..CALM
        };
        let mut rule = ThirdFailure::default();
        let outcome = play(&dead, &mut rule, 1);
        assert_eq!(outcome.ending, Ending::RolledBack);
        // Two seconds at 10 to 20 requests a second, once three have failed.
        assert!((10..60).contains(&outcome.extra_failures), "{outcome:?}");
        assert_eq!(outcome.extra_failures, outcome.canary_requests);
        assert!((2.0..4.0).contains(&outcome.seconds), "{outcome:?}");
    }

    #[test]
    fn shares_come_into_force_late_and_by_proxy() {
        let scenario = Scenario {
            failing: 0.0,
            proxies: 3,
            limit: 63.0,
            ..CALM
        };
        let mut rule = ThirdFailure::default();
        let outcome = play(&scenario, &mut rule, 1);
        assert_eq!(outcome.ending, Ending::Undecided);
        // Set at 60, in force from 61 on the first proxy to 62 on the last; heard of until 62.
        let at_new = rule.shares.iter().filter(|&&share| share == 2000).count();
        assert!((40..95).contains(&at_new), "{at_new}");
        let (users, requests) = (outcome.users_touched, outcome.canary_requests);
        assert!(users > 500 && users < requests, "{users} of {requests}");
    }
}
