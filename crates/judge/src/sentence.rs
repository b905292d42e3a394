//! The reason for a verdict in one line of plain words, with the numbers that carry it.
//!
//! The decision itself is not said again: whoever shows the line says it beside.

use std::time::Duration;

use crate::{
    arm_test::{self, BadEvents},
    config::Config,
    counts::Arm,
    family::{self, Family},
    interval::Rate,
    resources::ResourceEvidence,
    state::{Decision, State},
    verdict::{Evidence, Hold, LatencyEvidence},
};

pub(crate) fn of(
    decision: Decision,
    hold: Option<Hold>,
    evidence: &Evidence,
    state: &State,
    config: &Config,
) -> String {
    match (decision, hold) {
        (Decision::RollBack, _) => rolled_back(evidence, state, config),
        (Decision::Promote, _) => promoted(evidence, state, config),
        (Decision::Continue, Some(Hold::SampleRatio)) => misrouted(state),
        (Decision::Continue, Some(Hold::SharedIncident)) => shared_incident(state, config),
        (Decision::Continue, None) => going_on(evidence, state, config),
    }
}

fn rolled_back(evidence: &Evidence, state: &State, config: &Config) -> String {
    let leading = state.families(config).leading().family;
    let what = against_canary(leading, evidence, state, config);
    format!("{what}; evidence {}", odds(evidence.log_e))
}

/// What one family holds against the canary.
fn against_canary(family: Family, evidence: &Evidence, state: &State, config: &Config) -> String {
    match family {
        Family::Failures => failures(evidence, state, config),
        Family::ClientErrors => of_all(
            "4xx answers came from",
            state.counts().total().canary.client_errors,
            state,
            |arm| arm.client_errors,
        ),
        Family::Unanswered => unanswered(state),
        Family::Restarts => restarts(state.restarts()),
        Family::Resources => uses_more(evidence, state),
        Family::Latency => slower(evidence),
    }
}

/// Those that callers saw, or those that another try hid from them: whichever tells more.
fn failures(evidence: &Evidence, state: &State, config: &Config) -> String {
    let seen = arm_test::evidence(config.tolerated_ratio, state.failures());
    match &evidence.tries {
        Some(tries) if tries.log_e > seen => {
            let canary = state.counts().total().canary.tried_in_vain();
            format!(
                "{} of the canary's requests needed another try, {} of stable's: {}",
                percent(tries.canary.share),
                percent(tries.stable.share),
                of_all(
                    "requests of which a try failed hit",
                    canary,
                    state,
                    Arm::tried_in_vain
                ),
            )
        }
        _ => of_all("failures hit", evidence.canary.count, state, |arm| {
            arm.failures
        }),
    }
}

/// "3 of 3 failures hit the 5 % canary, where chance explains 0.2".
fn of_all(what: &str, canary: u64, state: &State, of: fn(&Arm) -> u64) -> String {
    let total = state.counts().total();
    format!(
        "{} of {} {what} the {} canary, where chance explains {:.1}",
        grouped(canary),
        grouped(of(&total.canary).saturating_add(of(&total.stable))),
        shares(state, of),
        arm_test::expected_by_chance(family::events(state.counts(), of)),
    )
}

fn unanswered(state: &State) -> String {
    let total = state.counts().total();
    let arm = |arm: Arm| {
        format!(
            "{} of {} ended, {} given up",
            grouped(arm.requests()),
            // Copies, which are drawn for nobody, end as well.
            grouped(arm.routed.max(arm.requests())),
            grouped(arm.cancelled)
        )
    };
    format!(
        "the canary leaves requests unanswered ({}; stable {})",
        arm(total.canary),
        arm(total.stable)
    )
}

fn restarts(restarts: &[BadEvents]) -> String {
    let sum = |of: fn(&BadEvents) -> u64| restarts.iter().map(of).fold(0, u64::saturating_add);
    let (canary, stable) = (sum(|events| events.canary), sum(|events| events.stable));
    format!(
        "{} of {} tasks that ended by themselves were the canary's, where chance explains {:.1}",
        grouped(canary),
        grouped(canary.saturating_add(stable)),
        arm_test::expected_by_chance(restarts.iter().copied()),
    )
}

fn slower(evidence: &Evidence) -> String {
    let Some(latency) = evidence.latency else {
        return "the canary is slower".into();
    };
    let part = if latency.best.share < 1.0 {
        format!("{} of its requests take", percent(latency.best.share))
    } else {
        "its requests take".to_owned()
    };
    format!(
        "the canary is slower, as if {part} {} times as long \
         (p50 {}, stable {}; p99 {}, stable {})",
        latency.best.times,
        millis(latency.canary.p50),
        millis(latency.stable.p50),
        millis(latency.canary.p99),
        millis(latency.stable.p99),
    )
}

/// "the canary's tasks use 2.1 times the memory of stable's (212 against 101 MiB), ..."
fn uses_more(evidence: &Evidence, state: &State) -> String {
    let Some(used) = evidence.resources else {
        return "the canary uses more".into();
    };
    let ResourceEvidence {
        windows,
        canary,
        stable,
        ..
    } = used;
    let resources = state.resources();
    let (what, more) = if resources.memory.log_e() >= resources.processor.log_e() {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let memory = format!(
            "the canary's tasks use {} the memory of stable's ({:.0} against {:.0} MiB)",
            multiple(canary.memory as f64, stable.memory as f64),
            mib(canary.memory),
            mib(stable.memory),
        );
        (memory, used.more_memory)
    } else {
        let (of_canary, of_stable) = (canary.processor, stable.processor);
        let processor = format!(
            "the canary's requests take {} the processor time of stable's ({:.3} against {:.3} ms)",
            multiple(of_canary.as_secs_f64(), of_stable.as_secs_f64()),
            of_canary.as_secs_f64() * 1e3,
            of_stable.as_secs_f64() * 1e3,
        );
        (processor, used.more_processor)
    };
    format!(
        "{what}, more than allowed in {} of {} windows",
        grouped(more),
        grouped(windows)
    )
}

fn multiple(canary: f64, stable: f64) -> String {
    match canary / stable {
        times if times < 1000.0 => format!("{times:.1} times"),
        _ => "many times".to_owned(),
    }
}

fn promoted(evidence: &Evidence, state: &State, config: &Config) -> String {
    let proof = state.certified().unwrap_or_default();
    let speed = evidence.latency.and_then(|latency| latency.slowdown_bound);
    let speed = speed.map_or(String::new(), |bound| {
        format!(
            "; its p99 is worse by less than {}, with {} confidence",
            percent(bound),
            percent(1.0 - config.slowdown_risk)
        )
    });
    format!(
        "the canary fails less than {} more often, with {} confidence \
         ({} canary requests failed, {} stable ones){speed}",
        points(config.allowed_excess),
        percent(1.0 - config.false_promotion),
        failed(proof.canary),
        failed(proof.stable),
    )
}

fn misrouted(state: &State) -> String {
    let total = state.counts().total();
    let chance = arm_test::expected_by_chance(family::events(state.counts(), |arm| arm.routed));
    format!(
        "on hold: {} of {} requests were routed to the canary where its shares explain {chance:.0}, \
         so no count can be trusted",
        grouped(total.canary.routed),
        grouped(total.canary.routed.saturating_add(total.stable.routed)),
    )
}

fn shared_incident(state: &State, config: &Config) -> String {
    let recent = state.recent();
    let limit = percent(config.failing_share);
    let stable = recently(recent.stable);
    let canary = Rate::new(recent.canary.failures, recent.canary.requests());
    if canary.share > config.failing_share {
        format!(
            "on hold: both versions fail (stable {stable}, canary {}, limit {limit}), \
             not the canary's fault",
            percent(canary.share)
        )
    } else {
        format!(
            "on hold: the stable version itself fails ({stable}, limit {limit}), \
             too few canary requests to say whether the canary does better"
        )
    }
}

fn going_on(evidence: &Evidence, state: &State, config: &Config) -> String {
    let total = state.counts().total();
    if total.requests() == 0 {
        return "no requests yet".into();
    }
    let mut seen = format!("{} canary requests failed", failed(total.canary));
    if total.canary.retried > 0 {
        let retried = grouped(total.canary.retried);
        seen.push_str(&format!(" and {retried} needed another try"));
    }
    let proof = format!("prove that {}", unproved(evidence, config));
    // So few requests fail as often by chance.
    let too_early = evidence.canary.interval.low < evidence.stable.share + evidence.allowed_excess;
    match evidence.missing {
        _ if state.share().is_none_or(|share| share.as_f64() == 0.0) => {
            format!("{seen}; the canary gets no traffic now")
        }
        _ if evidence.unused > 0 => format!(
            "{seen}; {} requests give no evidence, too many different shares were set",
            grouped(evidence.unused)
        ),
        Some(0) if !state.answers() => format!(
            "{seen}, few enough to {proof}, but callers had {} answers of it where its share explains {}",
            grouped(total.canary.answers()),
            grouped(libm::round(state.answers_explained()) as u64),
        ),
        Some(0) => match state.leaning(config).next() {
            Some(family) => format!(
                "{seen}, few enough to {proof}, but {}",
                against_canary(family, evidence, state, config)
            ),
            None => format!("{seen}, few enough to {proof}"),
        },
        Some(missing) => format!(
            "{seen}; about {} more requests to {proof}",
            grouped(two_digits(missing))
        ),
        None if evidence.log_certificate >= evidence.promotion_threshold => {
            format!("{seen}; not on the way to {proof}")
        }
        None if too_early => format!(
            "{seen} ({}, stable {}): too early to tell whether it is worse",
            percent(evidence.canary.share),
            percent(evidence.stable.share),
        ),
        None => format!(
            "{seen} ({}, stable {}): no proof yet that it is worse, too many to {proof}",
            percent(evidence.canary.share),
            percent(evidence.stable.share),
        ),
    }
}

/// What promotion waits for.
fn unproved(evidence: &Evidence, config: &Config) -> String {
    let failures = format!(
        "it fails less than {} more often",
        points(config.allowed_excess)
    );
    let slowdown = percent(config.allowed_slowdown);
    let is_slow = |latency: LatencyEvidence| {
        latency
            .slowdown_bound
            .is_none_or(|bound| bound > latency.allowed_slowdown)
    };
    let failures_proved = evidence.log_certificate >= evidence.promotion_threshold;
    match (evidence.latency.is_some_and(is_slow), failures_proved) {
        (false, _) => failures,
        (true, true) => format!("its p99 is worse by less than {slowdown}"),
        (true, false) => format!("{failures} and its p99 is worse by less than {slowdown}"),
    }
}

/// "5 %", or "1 to 20 %" where they came at different shares.
fn shares(state: &State, of: fn(&Arm) -> u64) -> String {
    let mut with_events = family::events(state.counts(), of)
        .filter(|events| events.canary.max(events.stable) > 0 && events.share.is_split())
        .map(|events| events.share.as_f64());
    let first = with_events.next();
    match (first, with_events.last()) {
        (Some(first), Some(last)) => {
            let first = percent(first);
            format!("{} to {}", first.trim_end_matches(" %"), percent(last))
        }
        (Some(only), None) => percent(only),
        (None, _) => percent(0.0),
    }
}

fn failed(arm: Arm) -> String {
    format!("{} of {}", grouped(arm.failures), grouped(arm.requests()))
}

fn recently(arm: Arm) -> String {
    percent(Rate::new(arm.failures, arm.requests()).share)
}

fn millis(latency: Duration) -> String {
    format!("{:.1} ms", latency.as_secs_f64() * 1e3)
}

fn percent(share: f64) -> String {
    format!("{} %", hundredths(share))
}

fn points(share: f64) -> String {
    format!("{} points", hundredths(share))
}

/// A share times a hundred, to about three digits, without trailing zeros.
fn hundredths(share: f64) -> String {
    let value = share * 100.0;
    let decimals = match value {
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// How much likelier the failures are if the canary is worse than if it is not: "1:2,300".
fn odds(log_e: f64) -> String {
    /// Beyond a billion only the magnitude matters.
    const MANY: f64 = 1e9;
    let odds = libm::exp(log_e);
    if odds < MANY {
        format!("1:{}", grouped(two_digits(odds as u64)))
    } else {
        format!("1:10^{}", libm::floor(log_e / std::f64::consts::LN_10))
    }
}

/// Rounded down to two significant digits: an estimate should look like one.
fn two_digits(value: u64) -> u64 {
    let mut unit = 1;
    while value / unit >= 100 {
        unit *= 10;
    }
    value / unit * unit
}

/// 12345 as "12,345".
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{grouped, hundredths, odds, two_digits};

    #[test]
    fn numbers_read_well() {
        let thousands = [0, 999, 1000, 123_456, 1_234_567].map(grouped);
        assert_eq!(thousands, ["0", "999", "1,000", "123,456", "1,234,567"]);
        let shares = [0.0, 0.0001, 0.005, 0.03126, 0.125, 1.0 / 3.0, 1.0].map(hundredths);
        assert_eq!(shares, ["0", "0.01", "0.5", "3.13", "12.5", "33.3", "100"]);
        assert_eq!(
            [7, 99, 4_187, u64::MAX].map(two_digits)[..3],
            [7, 99, 4_100]
        );
        assert_eq!([0.0, 7.745, 50.0].map(odds), ["1:1", "1:2,300", "1:10^21"]);
    }
}
