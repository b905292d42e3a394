//! Runs a scenario many times under a rule, on all cores; seeds count from zero.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use judge::{BasisPoints, Rate};

use crate::rules::{Kind, serin::Serin};
use crate::scenario::Scenario;
use crate::summary::Summary;
use crate::trial::{Ending, Look, Rule, Seen, play};
use crate::{calm, clock};

pub(crate) fn run(scenario: &Scenario, kind: Kind, runs: u64) -> Summary {
    run_with(scenario, runs, || kind.start(scenario))
}

/// With a rule that is set up in a way of its own.
pub(crate) fn run_with(
    scenario: &Scenario,
    runs: u64,
    start: impl Fn() -> Box<dyn Rule> + Sync,
) -> Summary {
    Summary::new(each(runs, |seed| play(scenario, &mut *start(), seed)))
}

/// How often the rule, one of ours, rolls back.
pub(crate) fn rolled_back(scenario: &Scenario, kind: Kind, runs: u64) -> Rate {
    let start = || match kind {
        Kind::SerinSteps => Serin::steps(scenario),
        _ => Serin::auto(scenario),
    };
    let latencies = calm::Bins::of(scenario.latency);
    let endings = each(runs, |seed| match calm::is_calm(scenario) {
        true => calm::play(scenario, &latencies, &mut start(), seed),
        false => play(scenario, &mut start(), seed).ending,
    });
    let rolled_back = endings
        .iter()
        .filter(|&&ending| ending == Ending::RolledBack);
    Rate::new(rolled_back.count() as u64, runs)
}

/// Plays every seed, on as many threads as are allowed.
fn each<T: Send>(runs: u64, play: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(0);
    let done: Mutex<Vec<(u64, T)>> = Mutex::new(Vec::new());
    let work = || {
        let mut own = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= runs {
                break;
            }
            own.push((seed, play(seed)));
        }
        let mut done = done
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        done.append(&mut own);
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut done = done
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|&(seed, _)| seed);
    done.into_iter().map(|(_, played)| played).collect()
}

/// What one look costs this thread, on average over a release.
pub(crate) fn cost_of_a_look(scenario: &Scenario, kind: Kind) -> Duration {
    let mut timed = Timed {
        rule: kind.start(scenario),
        spent: Duration::ZERO,
        looks: 0,
    };
    play(scenario, &mut timed, 0);
    timed.spent / timed.looks.max(1)
}

struct Timed {
    rule: Box<dyn Rule>,
    spent: Duration,
    looks: u32,
}

impl Rule for Timed {
    fn period(&self) -> f64 {
        self.rule.period()
    }

    fn begin(&mut self) -> BasisPoints {
        self.rule.begin()
    }

    fn see(&mut self, seen: &Seen) -> bool {
        self.rule.see(seen)
    }

    fn look(&mut self, now: f64) -> Look {
        let before = clock::computed();
        let look = self.rule.look(now);
        self.spent += clock::computed().saturating_sub(before);
        self.looks += 1;
        look
    }

    fn watches_after_promotion(&self) -> bool {
        self.rule.watches_after_promotion()
    }
}
