use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

use crate::{BasisPoints, Batch, Bin, Config, Latencies, Level, Tally, latency::Latency};

/// A median of 50 ms, log-normal with a standard deviation of 0.6.
fn latency(random: &mut Xoshiro256PlusPlus, times: f64) -> Bin {
    let (u, v) = (1.0 - random.random::<f64>(), random.random::<f64>());
    let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
    Bin::of_micros((50_000.0 * times * (0.6 * normal).exp()) as u64)
}

/// Canary requests until one of the three: slower, proved fast enough, or none within the limit.
struct Seen {
    canary_requests: u64,
    log_e: f64,
    bound: Option<f64>,
}

/// `slow` draws how many times as long a canary request takes; looks after every 20 requests.
fn run(
    seed: u64,
    share: u32,
    limit: u64,
    stop_at_bound: bool,
    slow: impl Fn(&mut Xoshiro256PlusPlus) -> f64,
) -> Seen {
    let config = Config::default();
    let share = BasisPoints::new(share);
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut state = Latency::default();
    let mut seen = Seen {
        canary_requests: 0,
        log_e: f64::NEG_INFINITY,
        bound: None,
    };
    while seen.canary_requests < limit && seen.log_e < THRESHOLD {
        let mut latencies = Latencies::default();
        for _ in 0..20 {
            if random.random_range(0..10_000) < share.get() {
                seen.canary_requests += 1;
                let times = slow(&mut random);
                latencies.canary.add(latency(&mut random, times), 1);
            } else {
                latencies.stable.add(latency(&mut random, 1.0), 1);
            }
        }
        let level = Level {
            latency: latencies,
            ..Level::new(share.into(), Tally::default())
        };
        state.absorb(&config, &Batch::of(level));
        seen.log_e = state.slowness.log_e();
        seen.bound = state.slowdown.bound();
        if stop_at_bound && seen.bound.is_some_and(|bound| bound <= 0.5) {
            break;
        }
    }
    seen
}

/// What a quarter of one per cent of risk takes.
const THRESHOLD: f64 = 5.991_464_547_107_982;

fn median_requests(share: u32, limit: u64, slow: fn(&mut Xoshiro256PlusPlus) -> f64) -> u64 {
    let mut requests: Vec<u64> = (0..41)
        .map(|seed| run(seed, share, limit, false, slow).canary_requests)
        .collect();
    requests.sort_unstable();
    requests[20]
}

#[test]
fn ten_percent_more_for_all_is_seen_within_1100_canary_requests() {
    for share in [500, 2000] {
        let median = median_requests(share, 4000, |_| 1.1);
        assert!(median <= 1100, "{median} at {share}");
    }
}

#[test]
fn ten_times_as_long_for_one_in_a_hundred_is_seen_within_1200_canary_requests() {
    let tail = |random: &mut Xoshiro256PlusPlus| {
        if random.random_range(0..100) == 0 {
            10.0
        } else {
            1.0
        }
    };
    for share in [500, 2000] {
        let median = median_requests(share, 6000, tail);
        assert!(median <= 1200, "{median} at {share}");
    }
}

#[test]
fn a_canary_that_is_no_slower_is_rarely_called_slow_and_soon_proved_fast() {
    let mut proved = Vec::new();
    let mut slow = 0;
    for seed in 0..100 {
        let seen = run(seed, 5000, 6000, false, |_| 1.0);
        slow += u32::from(seen.log_e >= THRESHOLD);
        proved.push(run(seed, 5000, 20_000, true, |_| 1.0).canary_requests);
    }
    proved.sort_unstable();
    assert_eq!(slow, 0);
    assert!(proved[50] <= 2000, "{}", proved[50]);
}

/// What a stall of half of the canary's requests adds to the evidence, in each of `looks` looks so long `after`
/// another.
fn won(share: u32, looks: usize, after: Option<Duration>) -> Vec<f64> {
    let config = Config::default();
    let look = |slow, after| {
        let mut level = Level::new(BasisPoints::new(share).into(), Tally::default());
        level.latency.canary.add(Bin::of_micros(50_000), 500 - slow);
        level.latency.canary.add(Bin::of_micros(400_000), slow);
        level.latency.stable.add(Bin::of_micros(50_000), 5000);
        Batch {
            after,
            ..Batch::of(level)
        }
    };
    let mut state = Latency::default();
    state.absorb(&config, &look(0, None));
    // The first begins a window.
    let since = [None].into_iter().chain(std::iter::repeat(after));
    let won = since.take(looks).map(|after| {
        let before = state.slowness.log_e();
        state.absorb(&config, &look(250, after));
        state.slowness.log_e() - before
    });
    won.collect()
}

#[test]
fn a_stall_of_the_canary_is_one_event() {
    for (share, most) in [(5000, 2.0_f64), (2500, 4.0), (500, 4.0), (10, 4.0)] {
        let won = won(share, 20, None);
        assert!(won.iter().all(|&won| won < most.ln() + 1e-3), "{won:?}");
        assert!(won[19] > 0.9 * most.ln(), "{won:?} at {share}");
    }
}

#[test]
fn looks_of_one_moment_win_once() {
    let after = |millis| won(500, 7, Some(Duration::from_millis(millis)));
    let wins = |millis| {
        let won = after(millis);
        won.iter().map(|&won| won > 0.5).collect::<Vec<_>>()
    };
    assert_eq!(wins(0), [true, false, false, false, false, false, false]);
    assert_eq!(wins(200), [true, false, false, true, false, false, true]);
    assert_eq!(wins(300), [true, false, true, false, true, false, true]);
    assert_eq!(wins(500), [true; 7]);
}

#[test]
fn what_is_supposed_weighs_one() {
    let sum: f64 = super::ALTERNATIVES.iter().map(|(weight, ..)| weight).sum();
    // To the last bit: where no latency is known the evidence is none.
    assert_eq!(sum, 1.0);
}
