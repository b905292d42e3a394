//! Releases in the making, for this crate's tests.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Share, Timestamp};

use crate::journal::{Event, Record, Request, Version};
use crate::manifest::{Policy, ReleaseSettings, TextDuration};
use crate::{State, World};

pub(crate) fn version(tag: &str) -> Version {
    Version {
        tag: tag.to_owned(),
        digest: format!("sha256:{tag}"),
    }
}

pub(crate) fn request(policy: Policy) -> Request {
    Request {
        service: "crystal".to_owned(),
        tag: "epoch".to_owned(),
        patches: Vec::new(),
        baseline: Some(version("vanilla")),
        policy,
        limits: ReleaseSettings::default().limits(),
        tasks: 3,
    }
}

pub(crate) fn auto() -> Policy {
    Policy::Auto {
        mode: crate::manifest::Mode::Balanced,
        max_share: percent(50),
    }
}

pub(crate) fn steps(least_time: Duration, least_requests: u64) -> Policy {
    Policy::Steps {
        shares: [5, 25, 50, 100].map(percent).to_vec(),
        least_time: TextDuration(least_time),
        least_requests,
    }
}

pub(crate) fn percent(percent: u16) -> Share {
    Share::from_basis_points(percent * 100).unwrap()
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

/// Everything is healthy, nothing is in flight.
pub(crate) fn calm() -> World {
    World {
        healthy: 3,
        trouble: None,
        settled: true,
        in_flight: 0,
        rate: 100.0,
    }
}

/// A release whose version is built and has a virtual node, with tasks that started at second 0.
pub(crate) fn started(policy: Policy) -> State {
    let mut state = State::requested(request(policy), at(0));
    happen(
        &mut state,
        0,
        Event::Built {
            version: version("epoch"),
        },
    );
    let virtual_node = "crystal-sd-epoch".to_owned();
    happen(&mut state, 0, Event::Joined { virtual_node });
    happen(&mut state, 0, Event::TasksStarted);
    state
}

/// The same with every task healthy at second 0.
pub(crate) fn admitted(policy: Policy) -> State {
    let mut state = started(policy);
    happen(&mut state, 0, Event::TasksHealthy);
    state
}

pub(crate) fn happen(state: &mut State, second: i64, event: Event) {
    state.apply(&Record {
        at: at(second),
        event,
    });
}

/// Requests that ended under a share: `(all, failed)` of canary and stable.
pub(crate) fn observed(share: Share, canary: (u64, u64), stable: (u64, u64)) -> Event {
    let arm = |(all, failures): (u64, u64)| judge::Arm {
        successes: all - failures,
        failures,
        ..judge::Arm::default()
    };
    let tally = judge::Tally {
        canary: arm(canary),
        stable: arm(stable),
    };
    let level = judge::Level::new(crate::state::judge_share(share), tally);
    Event::Observed {
        batch: judge::Batch::of(level),
        reports: BTreeMap::new(),
    }
}
