//! What the judge costs.

use judge::{Arm, BasisPoints, Batch, Config, Level, State, Tally};

use super::Figure;
use crate::clock;

/// Goal 8.
pub(super) fn cost(_runs: u64, tell: &mut dyn FnMut(Figure)) {
    let state = fullest();
    let bytes = serde_json::to_vec(&state).map_or(usize::MAX, |json| json.len());
    let kib = bytes as f64 / 1024.0;
    let before = clock::computed();
    let decisions = 50;
    for seed in 0..decisions {
        let mut state = state.clone();
        state.absorb(&Config::default(), &of_proxies(1000, seed));
    }
    let millis = 1e3 * (clock::computed() - before).as_secs_f64() / f64::from(decisions);
    tell(Figure::new(
        "state after every share there is, as JSON",
        format!("{kib:.1} KiB"),
        kib <= 64.0,
    ));
    tell(Figure::new(
        "a decision over the counts of 1,000 proxies, copying the state included",
        format!("{millis:.3} ms"),
        millis <= 1.0,
    ));
}

/// A state that has met every share of the ladder and more.
fn fullest() -> State {
    let mut state = State::default();
    for seed in 0..100 {
        state.absorb(&Config::default(), &of_proxies(20, seed));
    }
    state
}

/// A level of each proxy, on shares that differ.
fn of_proxies(proxies: u32, seed: u32) -> Batch {
    let level = |proxy: u32| {
        let canary = Arm {
            successes: 100 + u64::from(proxy),
            failures: u64::from(proxy.is_multiple_of(50)),
            ..Arm::default()
        };
        let stable = Arm {
            successes: 900,
            failures: u64::from(proxy.is_multiple_of(6)),
            ..Arm::default()
        };
        let share = BasisPoints::new(500 + 7 * ((proxy + 31 * seed) % 64));
        Level::new(share.into(), Tally { canary, stable })
    };
    Batch {
        levels: (0..proxies).map(level).collect(),
        ..Batch::default()
    }
}
