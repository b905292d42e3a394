//! What is released, and how that ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a version treats its callers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Behaviour {
    /// The share of requests answered with 500.
    pub(crate) failing: f64,
    /// The share of requests whose connection is cut.
    pub(crate) reset: f64,
    /// The share of requests answered with 404.
    pub(crate) refusing: f64,
    /// Every request takes this many times as long.
    pub(crate) slower: f64,
    /// This share of requests takes ten times as long.
    pub(crate) tail: f64,
    /// With each second since it started, this much more of the requests fail, and after ten seconds...
    pub(crate) leak_failing: f64,
    /// ...they take this much longer.
    pub(crate) leak_slower: f64,
    /// With each second, it keeps so many more MiB of memory.
    pub(crate) leak_memory: u32,
    /// For so many seconds after its start every request takes five times as long.
    pub(crate) cold_seconds: f64,
}

/// The stable version: one request in a thousand fails.
pub(crate) const GOOD: Behaviour = Behaviour {
    failing: 0.001,
    reset: 0.0,
    refusing: 0.002,
    slower: 1.0,
    tail: 0.0,
    leak_failing: 0.0,
    leak_slower: 0.0,
    leak_memory: 0,
    cold_seconds: 0.0,
};

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) healthy: bool,
    pub(crate) behaviour: Behaviour,
}

/// 24 healthy ones, then 38 bad ones.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name, healthy, times, behaviour| {
        let case = Case {
            name,
            healthy,
            behaviour,
        };
        cases.extend(std::iter::repeat_n(case, times));
    };
    add("the same again", true, 20, GOOD);
    let cold_seconds = 3.0;
    add(
        "slow for its first 3 s",
        true,
        4,
        Behaviour {
            cold_seconds,
            ..GOOD
        },
    );
    for (name, times, failing) in [
        ("100 % errors", 2, 1.0),
        ("50 % errors", 2, 0.5),
        ("10 % errors", 3, 0.1),
        ("5 % errors", 3, 0.05),
        ("2 % errors", 3, 0.02),
    ] {
        add(name, false, times, Behaviour { failing, ..GOOD });
    }
    for (name, times, reset) in [("20 % resets", 2, 0.2), ("3 % resets", 2, 0.03)] {
        add(name, false, times, Behaviour { reset, ..GOOD });
    }
    add(
        "5 % more 404",
        false,
        2,
        Behaviour {
            refusing: 0.05,
            ..GOOD
        },
    );
    for (name, times, slower) in [
        ("twice as slow", 2, 2.0),
        ("50 % slower", 3, 1.5),
        ("25 % slower", 3, 1.25),
        ("10 % slower", 3, 1.1),
    ] {
        add(name, false, times, Behaviour { slower, ..GOOD });
    }
    add(
        "2 % ten times slower",
        false,
        2,
        Behaviour { tail: 0.02, ..GOOD },
    );
    add(
        "a leak: more fail each second",
        false,
        2,
        Behaviour {
            leak_failing: 0.001,
            ..GOOD
        },
    );
    add(
        "a leak: slower each second",
        false,
        2,
        Behaviour {
            leak_slower: 0.02,
            ..GOOD
        },
    );
    add(
        "a leak: 4 MiB more each second",
        false,
        2,
        Behaviour {
            leak_memory: 4,
            ..GOOD
        },
    );
    cases
}

#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) case: Case,
    pub(crate) rolled_back: bool,
    pub(crate) promoted: bool,
    /// From the canary's first share to the decision.
    pub(crate) seconds: f64,
    pub(crate) canary_requests: u64,
    pub(crate) canary_failures: u64,
    pub(crate) reason: String,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match (self.rolled_back, self.promoted) {
            (true, _) => "rolled back",
            (_, true) => "promoted",
            _ => "undecided",
        };
        let Self {
            seconds, reason, ..
        } = self;
        write!(
            f,
            "{}: {ending} after {seconds:.1} s: {reason}",
            self.case.name
        )
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_are_24_healthy_and_38_bad_ones() {
        let cases = super::all();
        let healthy = cases.iter().filter(|case| case.healthy).count();
        assert_eq!((healthy, cases.len() - healthy), (24, 38));
    }
}
