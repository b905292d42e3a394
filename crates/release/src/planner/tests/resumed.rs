//! Releases whose server was away: what happened then nobody saw, and the proxies come back one by one.

use super::*;

fn resumed(state: &mut State, second: i64) {
    happen(state, second, Event::Resumed);
}

#[test]
fn tasks_get_their_time_to_start_again() {
    let mut state = started(auto());
    let world = World {
        healthy: 0,
        ..calm()
    };
    resumed(&mut state, 300);
    assert_eq!(step(&state, &world, 359), Step::Wait);
    assert_eq!(step(&state, &world, 360), Step::Decide(Ending::RollBack));
}

#[test]
fn a_step_begins_anew() {
    let mut state = admitted(steps(Duration::from_secs(30), 0));
    happen(&mut state, 0, set(percent(5)));
    resumed(&mut state, 300);
    assert_eq!(step(&state, &calm(), 329), Step::Wait);
    assert_eq!(step(&state, &calm(), 330), Step::SetShare(percent(25)));
}

#[test]
fn the_share_rises_only_once_the_proxies_are_back_but_falls_at_once() {
    let mut state = admitted(auto());
    happen(&mut state, 1, set(percent(5)));
    happen(&mut state, 2, observed(percent(5), (200, 0), (3_800, 0)));
    assert_eq!(step(&state, &calm(), 3), Step::SetShare(percent(10)));
    resumed(&mut state, 20);
    assert_eq!(step(&state, &calm(), 29), Step::Wait);
    assert_eq!(step(&state, &calm(), 30), Step::SetShare(percent(10)));
    let busy = World {
        rate: 1e6,
        ..calm()
    };
    assert!(matches!(step(&state, &busy, 21), Step::SetShare(share) if share < percent(5)));
}

#[test]
fn a_promoted_version_is_watched_as_long_as_it_was_to_be() {
    let mut state = baking(Duration::from_secs(60));
    happen(&mut state, 23, observed(Share::WHOLE, (100, 0), (0, 0)));
    resumed(&mut state, 123);
    let waiting = plan(&state, &calm(), at(123));
    assert_eq!(
        waiting.why,
        "watched for 40s more, with the old version at hand"
    );
    assert_eq!(step(&state, &calm(), 162), Step::Wait);
    assert_eq!(step(&state, &calm(), 163), Step::Leave);
}

/// A server that has just come back has not heard of what is under way.
#[test]
fn a_side_leaves_only_once_the_proxies_are_back() {
    let mut state = baking(Duration::ZERO);
    assert_eq!(step(&state, &calm(), 4), Step::Leave);
    resumed(&mut state, 4);
    assert_eq!(step(&state, &calm(), 13), Step::Wait);
    assert_eq!(step(&state, &calm(), 14), Step::Leave);
    let busy = World {
        in_flight: 1,
        ..calm()
    };
    assert_eq!(step(&state, &busy, 33), Step::Wait);
    assert_eq!(step(&state, &busy, 34), Step::Leave);
}
