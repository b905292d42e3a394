//! What must hold of counts for the judge to be exact, condition by condition: canaries that are no worse, many
//! times over. Counted as the condition says, they are rolled back as rarely as promised; counted as one would
//! without thinking of it, on the same requests, far too often.
//!
//! Seeds are fixed, so each test gives the same counts every time. Mirrored requests and the union of users over
//! proxies are tried where they are counted, in the server.

use std::collections::HashSet;
use std::time::Duration;

use judge::{
    BasisPoints, Batch, Bin, Config, Decision, Latencies, Level, Share, State, Tally, Used, Window,
};
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};

const RELEASES: u64 = 400;

/// The promise is 1 %, which is 4 of 400; more than 10 have a chance of 1 in 350, were it only just kept.
const MOST: usize = 10;

/// A broken condition shows in at least every tenth release.
const FAR_TOO_OFTEN: usize = RELEASES as usize / 10;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Counting {
    Exact,
    Naive,
}

/// How many of the releases blame the canary, given one's batches.
fn blamed(
    release: impl Fn(&mut Xoshiro256PlusPlus, Counting) -> Vec<Batch>,
    how: Counting,
) -> usize {
    let config = Config::default();
    let is_blamed = |seed: &u64| {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(*seed);
        let mut state = State::default();
        let batches = release(&mut random, how);
        let mut decisions = batches.iter().map(|batch| state.absorb(&config, batch));
        decisions.any(|decision| decision == Decision::RollBack)
    };
    (0..RELEASES).filter(is_blamed).count()
}

fn assert_matters(release: impl Fn(&mut Xoshiro256PlusPlus, Counting) -> Vec<Batch>) {
    let (exact, naive) = (
        blamed(&release, Counting::Exact),
        blamed(&release, Counting::Naive),
    );
    assert!(exact <= MOST, "{exact} of {RELEASES} counted exactly");
    assert!(
        naive >= FAR_TOO_OFTEN,
        "only {naive} of {RELEASES} counted naively"
    );
}

fn percent(percent: u32) -> Share {
    Share::from(BasisPoints::new(percent * 100))
}

fn hits(random: &mut Xoshiro256PlusPlus, share: f64) -> bool {
    random.random::<f64>() < share
}

fn add(tally: &mut Tally, is_canary: bool, failed: bool) {
    let arm = if is_canary {
        &mut tally.canary
    } else {
        &mut tally.stable
    };
    let count = if failed {
        &mut arm.failures
    } else {
        &mut arm.successes
    };
    *count += 1;
}

/// Counts of each share, as a batch.
fn batch(tallies: Vec<(u32, Tally)>) -> Batch {
    let levels = tallies
        .into_iter()
        .map(|(share, tally)| Level::new(percent(share), tally));
    Batch {
        levels: levels.collect(),
        ..Batch::default()
    }
}

/// The share is lowered, and some proxies learn of it late. Exact: each counts under the share that drew.
/// Naive: under the share that was ordered.
#[test]
fn proxies_may_switch_shares_at_different_instants() {
    const PROXIES: usize = 5;
    const ROUNDS: usize = 120;
    let ordered = |round: usize| {
        if (round / 20).is_multiple_of(2) {
            40
        } else {
            4
        }
    };
    assert_matters(|random, how| {
        let rounds = (0..ROUNDS).map(|round| {
            let tallies = (0..PROXIES).map(|proxy| {
                let in_force = ordered(round.saturating_sub(10 * proxy));
                let mut tally = Tally::default();
                for _ in 0..20 {
                    let is_canary = hits(random, f64::from(in_force) / 100.0);
                    add(&mut tally, is_canary, hits(random, 0.05));
                }
                let counted_under = match how {
                    Counting::Exact => in_force,
                    Counting::Naive => ordered(round),
                };
                (counted_under, tally)
            });
            batch(tallies.collect())
        });
        rounds.collect()
    });
}

/// One request in a hundred fails however often it is tried, on the arm that it drew. Exact: it fails once.
/// Naive: every try is counted.
#[test]
fn a_request_that_is_tried_again_counts_once() {
    const TRIES: usize = 5;
    assert_matters(|random, how| {
        let rounds = (0..40).map(|_| {
            let mut tally = Tally::default();
            for _ in 0..100 {
                let is_canary = hits(random, 0.2);
                let is_poisoned = hits(random, 0.01);
                for of_tries in 1..=TRIES {
                    let failed = is_poisoned || hits(random, 0.01);
                    let is_last = !failed || of_tries == TRIES;
                    if is_last || how == Counting::Naive {
                        add(&mut tally, is_canary, failed);
                    }
                    if is_last {
                        break;
                    }
                }
            }
            batch(vec![(20, tally)])
        });
        rounds.collect()
    });
}

/// The same, but the last try succeeds. Exact: one request that needed another try. Naive: every try that failed.
#[test]
fn a_request_counts_once_however_many_tries_it_needed() {
    const TRIES: u64 = 5;
    assert_matters(|random, how| {
        let rounds = (0..40).map(|_| {
            let mut tally = Tally::default();
            for _ in 0..100 {
                let is_canary = hits(random, 0.2);
                let failed_tries = match (hits(random, 0.01), hits(random, 0.01)) {
                    (true, _) => TRIES - 1,
                    (false, once) => u64::from(once),
                };
                add(&mut tally, is_canary, false);
                let retried = match is_canary {
                    true => &mut tally.canary.retried,
                    false => &mut tally.stable.retried,
                };
                *retried += match how {
                    Counting::Exact => failed_tries.min(1),
                    Counting::Naive => failed_tries,
                };
            }
            batch(vec![(20, tally)])
        });
        rounds.collect()
    });
}

/// Three in a hundred requests of the canary need another try, one in a thousand of the stable version's, and
/// callers see no failure. Exact: that is known, and the canary blamed. Naive: nobody knows.
#[test]
fn what_another_try_hides_is_found_where_it_is_counted() {
    let release = |random: &mut Xoshiro256PlusPlus, how| {
        let rounds = (0..100).map(|_| {
            let mut tally = Tally::default();
            for _ in 0..100 {
                let is_canary = hits(random, 0.1);
                add(&mut tally, is_canary, false);
                let arm = match is_canary {
                    true => &mut tally.canary,
                    false => &mut tally.stable,
                };
                let retried = hits(random, if is_canary { 0.03 } else { 0.001 });
                arm.retried += u64::from(retried && how == Counting::Exact);
            }
            batch(vec![(10, tally)])
        });
        rounds.collect()
    };
    let (exact, naive) = (
        blamed(release, Counting::Exact),
        blamed(release, Counting::Naive),
    );
    assert_eq!(exact, RELEASES as usize);
    assert!(naive <= MOST, "{naive} of {RELEASES}");
}

/// Testers name the canary in a header, and look for trouble. Exact: what they send is left out.
#[test]
fn requests_that_name_their_version_are_left_out() {
    assert_matters(|random, how| {
        let rounds = (0..40).map(|_| {
            let mut tally = Tally::default();
            for _ in 0..100 {
                if hits(random, 0.02) {
                    let failed = hits(random, 0.2);
                    if how == Counting::Naive {
                        add(&mut tally, true, failed);
                    }
                } else {
                    let is_canary = hits(random, 0.1);
                    add(&mut tally, is_canary, hits(random, 0.01));
                }
            }
            batch(vec![(10, tally)])
        });
        rounds.collect()
    });
}

/// The canary's first requests find its caches cold. Exact: until a time that was fixed beforehand, latencies of
/// both arms are left out. Naive: they are not.
#[test]
fn latencies_of_the_warm_up_are_left_out_by_a_rule_fixed_beforehand() {
    const WARM_UP: usize = 10;
    assert_matters(|random, how| {
        let rounds = (0..30).map(|round| {
            let is_cold = round < WARM_UP;
            let (mut tally, mut latency) = (Tally::default(), Latencies::default());
            for _ in 0..100 {
                let is_canary = hits(random, 0.2);
                add(&mut tally, is_canary, hits(random, 0.01));
                let times = if is_cold && is_canary { 3.0 } else { 1.0 };
                let side = if is_canary {
                    &mut latency.canary
                } else {
                    &mut latency.stable
                };
                side.add(took(random, times), 1);
            }
            if is_cold && how == Counting::Exact {
                latency = Latencies::default();
            }
            Batch::of(Level {
                latency,
                ..Level::new(percent(20), tally)
            })
        });
        rounds.collect()
    });
}

/// A median of 50 ms, log-normal with a standard deviation of 0.6.
fn took(random: &mut Xoshiro256PlusPlus, times: f64) -> Bin {
    let (u, v) = (1.0 - random.random::<f64>(), random.random::<f64>());
    let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
    Bin::of_micros((50_000.0 * times * (0.6 * normal).exp()) as u64)
}

/// Users stay on their version, and one in thirty fails most of the time on either. Exact: a user's first failure
/// counts, and the first success. Naive: every request does.
#[test]
fn a_user_who_stays_counts_by_the_first_failure() {
    const USERS: usize = 200;
    assert_matters(|random, how| {
        let mut user = || (hits(random, 0.2), hits(random, 0.03));
        let users: Vec<(bool, bool)> = std::iter::repeat_with(&mut user).take(USERS).collect();
        let mut known = HashSet::new();
        let rounds = (0..80).map(|_| {
            let mut tally = Tally::default();
            for _ in 0..100 {
                let index = random.random_range(0..USERS);
                let (is_canary, is_troubled) = users[index];
                let failed = hits(random, if is_troubled { 0.8 } else { 0.0005 });
                if how == Counting::Naive || known.insert((index, failed)) {
                    add(&mut tally, is_canary, failed);
                }
            }
            batch(vec![(20, tally)])
        });
        rounds.collect()
    });
}

/// Tasks work when idle, too, requests differ widely in what they take, and the canary has few of them. Exact: an
/// equal canary may use its part of the tasks or of the requests, whichever is more. Naive: of the requests.
#[test]
fn processor_time_is_compared_by_tasks_and_by_requests() {
    const TASKS: u64 = 3;
    const RATE: f64 = 100.0;
    assert_matters(|random, how| {
        let share = 0.01 + 0.09 * random.random::<f64>();
        let idle = 0.02 + 0.08 * random.random::<f64>();
        let requests = 22.0_f64.max(RATE * share * Window::LENGTH.as_secs_f64());
        let seconds = requests / share / RATE;
        let windows = (0..60).map(|_| {
            let mut used = |requests: f64| {
                let work: f64 = (0..requests as u64).map(|_| work(random)).sum();
                let idle = idle * (0.5 + random.random::<f64>()) * seconds * TASKS as f64;
                Used {
                    tasks: TASKS,
                    requests: requests as u64,
                    processor: Duration::from_secs_f64(work + idle),
                    memory: 0,
                }
            };
            let (canary, mut stable) = (used(requests), used(requests / share - requests));
            if how == Counting::Naive {
                stable.tasks = u64::MAX;
            }
            let length = Duration::from_secs_f64(seconds);
            Batch {
                resources: Some(Window {
                    length,
                    canary,
                    stable,
                }),
                ..Batch::default()
            }
        });
        windows.collect()
    });
}

/// What a request takes of a processor, in seconds: 1 ms in the mean, and without a variance (Pareto, 1.5).
fn work(random: &mut Xoshiro256PlusPlus) -> f64 {
    (1.0 - random.random::<f64>()).powf(-1.0 / 1.5) * 1e-3 / 3.0
}

/// A canary that is worse is found out all the same, however its requests are counted here.
#[test]
fn exact_counts_still_find_a_canary_that_is_worse() {
    let found = blamed(
        |random, _| {
            let rounds = (0..40).map(|_| {
                let mut tally = Tally::default();
                for _ in 0..100 {
                    let is_canary = hits(random, 0.1);
                    let failing = if is_canary { 0.1 } else { 0.01 };
                    add(&mut tally, is_canary, hits(random, failing));
                }
                batch(vec![(10, tally)])
            });
            rounds.collect()
        },
        Counting::Exact,
    );
    assert!(
        found >= RELEASES as usize * 99 / 100,
        "{found} of {RELEASES}"
    );
}
