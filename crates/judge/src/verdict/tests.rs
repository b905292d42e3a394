use crate::{
    Arm, Batch, Config, Decision, Hold, Level, Settings, Share, State, Tally, Verdict, replay,
};

fn level(weight: u32, total: u32, canary: [u64; 2], stable: [u64; 2]) -> Level {
    let arm = |[successes, failures]: [u64; 2]| Arm {
        successes,
        failures,
        ..Arm::default()
    };
    let tally = Tally {
        canary: arm(canary),
        stable: arm(stable),
    };
    Level::new(Share::new(weight, total).unwrap(), tally)
}

fn judged(levels: &[Level]) -> Verdict {
    let mut state = State::default();
    state.absorb(&Config::default(), &batch(levels.to_vec()));
    state.verdict(&Config::default())
}

fn batch(levels: Vec<Level>) -> Batch {
    Batch {
        levels,
        ..Batch::default()
    }
}

#[test]
fn the_sentences() {
    let sentences: [(&[Level], &str); 11] = [
        (&[], "no requests yet"),
        (
            &[level(1, 20, [120, 0], [2_280, 1])],
            "0 of 120 canary requests failed; \
             about 20,000 more requests to prove that it fails less than 0.5 points more often",
        ),
        (
            &[level(1, 20, [10, 1], [200, 1])],
            "1 of 11 canary requests failed (9.09 %, stable 0.498 %): no proof yet that it is \
             worse, too many to prove that it fails less than 0.5 points more often",
        ),
        (
            &[level(1, 10, [2_000, 1], [18_000, 0])],
            "1 of 2,001 canary requests failed, few enough to prove that it fails less than \
             0.5 points more often, but 1 of 1 failures hit the 10 % canary, where chance explains 0.1",
        ),
        (
            &[level(0, 1, [0, 0], [200, 1])],
            "0 of 0 canary requests failed; the canary gets no traffic now",
        ),
        (
            &[level(1, 20, [100, 3], [1_900, 0])],
            "3 of 3 failures hit the 5 % canary, where chance explains 0.2; evidence 1:980",
        ),
        (
            &[
                level(1, 100, [20, 1], [1_980, 3]),
                level(1, 5, [90, 9], [395, 5]),
            ],
            "10 of 18 failures hit the 1 to 20 % canary, where chance explains 2.8; \
             evidence 1:480",
        ),
        (
            &[level(1, 20, [0, 9], [180, 0])],
            "9 of 9 failures hit the 5 % canary, where chance explains 0.5; evidence 1:10^10",
        ),
        (
            &[level(1, 20, [1_300, 0], [24_700, 12])],
            "the canary fails less than 0.5 points more often, with 99.5 % confidence \
             (0 of 1,300 canary requests failed, 12 of 24,712 stable ones)",
        ),
        (
            &[level(1, 2, [470, 15], [470, 30])],
            "on hold: both versions fail (stable 6 %, canary 3.09 %, limit 2 %), not the canary's fault",
        ),
        (
            &[level(1, 100, [9, 0], [870, 80])],
            "on hold: the stable version itself fails (8.42 %, limit 2 %), \
             too few canary requests to say whether the canary does better",
        ),
    ];
    for (levels, sentence) in sentences {
        assert_eq!(judged(levels).sentence, sentence);
    }
}

#[test]
fn a_shared_incident_holds_and_says_so() {
    let verdict = judged(&[level(1, 2, [450, 50], [450, 50])]);
    assert_eq!(verdict.decision, Decision::Continue);
    assert_eq!(verdict.hold, Some(Hold::SharedIncident));
    assert_eq!(verdict.evidence.missing, None);
}

#[test]
fn what_is_missing_shrinks_as_requests_come_in() {
    let missing = |requests: u64| {
        judged(&[level(1, 20, [requests, 0], [19 * requests, 0])])
            .evidence
            .missing
    };
    assert_eq!(missing(0), missing(100).map(|missing| missing + 2_000));
    assert!(missing(1226).unwrap() <= 20);
    assert_eq!(missing(1227), None);
}

#[test]
fn the_best_ratio_is_the_one_that_was_true() {
    let ratio = |levels: &[Level]| judged(levels).evidence.best_ratio;
    assert_eq!(ratio(&[level(1, 2, [0, 500], [0, 100])]), 5.0);
    assert_eq!(ratio(&[level(1, 2, [0, 100], [0, 100])]), 1.0);
    assert_eq!(ratio(&[level(1, 20, [0, 9], [0, 0])]), 1000.0);
}

#[test]
fn the_measured_share_is_that_of_the_share_in_force() {
    let evidence = judged(&[
        level(1, 100, [10, 0], [990, 0]),
        level(1, 20, [51, 0], [949, 0]),
    ])
    .evidence;
    assert_eq!(evidence.share, Some(Share::new(5, 100).unwrap()));
    assert_eq!(
        (evidence.measured_share.count, evidence.measured_share.of),
        (51, 1000)
    );
    assert_eq!((evidence.canary.of, evidence.stable.of), (61, 1939));
}

/// The names that scripts read, and the numbers to the last bit: they must be these on every machine.
#[test]
fn the_json_is_stable() {
    let verdict = judged(&[
        level(1, 100, [20, 1], [1_980, 3]),
        level(1, 5, [190, 2], [795, 5]),
    ]);
    let written = serde_json::to_string_pretty(&verdict).unwrap();
    assert_eq!(
        written,
        include_str!("../../testdata/verdict-1.json").trim_end()
    );
}

/// A replay of a journal that went through JSON gives every float of the live run, bit for bit.
#[test]
fn a_replay_is_the_live_run_bit_for_bit() {
    let config = Config::new(Settings {
        tolerated_ratio: 1.1,
        ..Settings::default()
    })
    .unwrap();
    let batches: Vec<Batch> = (0..200_u64)
        .map(|index| {
            batch(vec![
                level(1, 100, [index % 7, index % 2], [100, index % 3]),
                level(
                    1 + (index / 50) as u32,
                    20,
                    [3 * index % 11, 0],
                    [40, index % 5],
                ),
            ])
        })
        .collect();
    let journal = serde_json::to_string(&batches).unwrap();
    let journal: Vec<Batch> = serde_json::from_str(&journal).unwrap();

    let mut live = State::default();
    let mut replayed = replay(config, journal);
    for batch in &batches {
        live.absorb(&config, batch);
        let (now, again) = (live.verdict(&config), replayed.next().unwrap());
        assert_eq!(bits(&now), bits(&again));
        assert_eq!(now, again);
    }
    assert!(replayed.next().is_none());
    assert_eq!(replayed.state(), &live);
}

fn bits(verdict: &Verdict) -> Vec<u64> {
    let evidence = &verdict.evidence;
    let mut floats = vec![
        evidence.log_e,
        evidence.log_certificate,
        evidence.excess_bound,
        evidence.best_ratio,
        evidence.expected_canary_failures,
        evidence.canary.interval.high,
        evidence.stable.interval.low,
        evidence.measured_share.interval.low,
    ];
    floats.extend(evidence.by_ratio.iter().map(|ratio| ratio.log_e));
    floats.into_iter().map(f64::to_bits).collect()
}
